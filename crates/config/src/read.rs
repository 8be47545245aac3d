//! Reads typed values out of a tree, and goes on after each value that does not fit.

use serde::de::DeserializeOwned;

use super::problem::Problems;
use super::tree::{Content, Node};

/// How many values of one file are reported as unreadable before the rest is left for the next try.
const MAX_FAULTS: usize = 50;

/// Reads a `T` out of `root`. A value that does not fit is reported and cut out of the tree, then the rest is
/// read anew, so that every such value is found; `None` when nothing is left.
pub fn read<T: DeserializeOwned>(root: &mut Node, problems: &mut Problems) -> Option<T> {
    for _ in 0..MAX_FAULTS {
        let fault = match T::deserialize(&*root) {
            Ok(value) => return Some(value),
            Err(fault) => fault,
        };
        if !fault.follows_from_cut(root) {
            problems.error(fault.place.unwrap_or(root.place), &fault.what, &fault.help);
        }
        // Where the value is gone already, what it stood in does not fit without it.
        if !(0..fault.path.len()).any(|up| cut(root, &fault.path[up..])) {
            return None;
        }
    }
    problems.error(root.place, "too many values could not be read", "mend those above, then check again");
    None
}

/// Cuts the value at `path` (from the leaf up) out of the tree; false if it is not there.
fn cut(node: &mut Node, path: &[usize]) -> bool {
    let Some((&index, below)) = path.split_last() else { return false };
    let is_cut = match &mut node.content {
        Content::List(items) => match items.get_mut(index) {
            Some(item) if !below.is_empty() => cut(item, below),
            Some(_) => {
                items.remove(index);
                true
            }
            None => false,
        },
        Content::Map(entries) => match entries.get_mut(index).map(|entry| &mut entry.value) {
            Some(Some(value)) if !below.is_empty() => cut(value, below),
            Some(value) => value.take().is_some(),
            None => false,
        },
        Content::Scalar(_) => false,
    };
    node.cut |= is_cut;
    is_cut
}
