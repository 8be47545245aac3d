//! Equality by content: CEL's own lists and maps know only their own kind, not those of a tree.

use cel::common::types::Kind;
use cel::common::value::Val;

use crate::meter;

/// How deep containers are compared. What is deeper than that is not equal, and spends the budget.
const MAX_DEPTH: usize = 128;

/// Whether two values are equal, whoever made them.
pub(crate) fn equal(left: &dyn Val, right: &dyn Val) -> bool {
    within(left, right, MAX_DEPTH)
}

fn within(left: &dyn Val, right: &dyn Val, depth: usize) -> bool {
    match (left.get_type().kind(), right.get_type().kind()) {
        (Kind::List, Kind::List) => same_size(left, right) && lists(left, right, depth),
        (Kind::Map, Kind::Map) => same_size(left, right) && maps(left, right, depth),
        (Kind::List | Kind::Map, _) | (_, Kind::List | Kind::Map) => false,
        _ => left.equals(right),
    }
}

fn same_size(left: &dyn Val, right: &dyn Val) -> bool {
    match (left.as_sizer(), right.as_sizer()) {
        (Some(left), Some(right)) => left.size() == right.size(),
        _ => false,
    }
}

fn lists(left: &dyn Val, right: &dyn Val, depth: usize) -> bool {
    let (Some(left), Some(right)) = (left.as_iterable(), right.as_iterable()) else { return false };
    let (mut left, mut right) = (left.iter(), right.iter());
    let Some(depth) = deeper(depth) else { return false };
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (Some(left), Some(right)) if meter::charge(1) && within(left, right, depth) => {}
            _ => return false,
        }
    }
}

fn maps(left: &dyn Val, right: &dyn Val, depth: usize) -> bool {
    let (Some(keys), Some(left), Some(right)) = (left.as_iterable(), left.as_indexer(), right.as_indexer())
    else {
        return false;
    };
    let Some(depth) = deeper(depth) else { return false };
    let mut keys = keys.iter();
    while let Some(key) = keys.next() {
        let (Ok(left), Ok(right)) = (left.get(key), right.get(key)) else { return false };
        if !meter::charge(1) || !within(&*left, &*right, depth) {
            return false;
        }
    }
    true
}

fn deeper(depth: usize) -> Option<usize> {
    if depth == 0 {
        meter::exhaust();
    }
    depth.checked_sub(1)
}
