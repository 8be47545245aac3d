//! Reads typed values out of a tree, and goes on after each value that does not fit.

use serde::de::DeserializeOwned;

use super::problem::Problems;
use super::tree::{Content, Node};

/// How many values of one file are reported as unreadable before the rest is left for the next try.
const MAX_FAULTS: usize = 50;

/// Reads a `T` out of `root`. A value that does not fit is reported and cut out of the tree, then the rest is
/// read anew, so that every such value is found; `None` when nothing is left.
pub(super) fn read<T: DeserializeOwned>(root: &mut Node, problems: &mut Problems) -> Option<T> {
    for _ in 0..MAX_FAULTS {
        let fault = match T::deserialize(&*root) {
            Ok(value) => return Some(value),
            Err(fault) => fault,
        };
        if !fault.follows_from_cut(root) {
            problems.error(fault.place.unwrap_or(root.place), &fault.what, &fault.help);
        }
        if !cut(root, &fault.path) {
            return None;
        }
    }
    problems.error(root.place, "too many values could not be read", "mend those above, then check again");
    None
}

/// Cuts the value at `path` (from the leaf up) out of the tree; false if that is the whole tree.
fn cut(node: &mut Node, path: &[usize]) -> bool {
    let Some((&last, above)) = path.split_last() else { return false };
    node.cut = true;
    match &mut node.content {
        Content::List(items) if above.is_empty() => drop(items.remove(last)),
        Content::List(items) => return cut(&mut items[last], above),
        Content::Map(entries) => match entries[last].value.as_mut() {
            Some(value) if !above.is_empty() => return cut(value, above),
            _ => entries[last].value = None,
        },
        Content::Scalar(_) => return false,
    }
    true
}
