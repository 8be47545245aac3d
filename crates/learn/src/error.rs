//! Why nothing was learnt.

use wicketgate_config::Report;

/// Why nothing was learnt.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing to learn from.
    #[error("the capture has no messages")]
    Empty,
    /// No message could be read by the format.
    #[error("no message of the capture is written as `{0}`")]
    Unread(String),
    /// The format, or the path of the kind, is none.
    #[error("`{format}` with this kind is no format that can be learnt with: {report:?}")]
    Format {
        /// As it was given.
        format: String,
        /// What is wrong with it.
        report: Box<Report>,
    },
    /// It would not fit into a file of a configuration.
    #[error(
        "what was learnt takes {0} bytes, and a file may have 1 MiB: learn from fewer kinds, or name a field with --kind"
    )]
    Large(usize),
    /// What was written is not accepted: a mistake of this program.
    #[error("what was learnt is no policy: {0:?}")]
    Written(Box<Report>),
}
