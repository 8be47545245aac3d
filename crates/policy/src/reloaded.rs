//! What came of a file that was read again while messages are judged.

use std::path::PathBuf;

/// What came of a file that was read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// A new list is in force.
    List {
        /// The file.
        file: PathBuf,
        /// How many entries it has.
        entries: usize,
    },
    /// The old list stays.
    ListKept {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// A new component is asked from the next message on.
    Component {
        /// The file.
        file: PathBuf,
    },
    /// The old component stays.
    ComponentKept {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        fault: String,
        /// What would be right.
        help: &'static str,
    },
}
