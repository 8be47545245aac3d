//! For tests of parts: one part of a configuration out of its own text.

#![allow(clippy::unwrap_used)]

use serde::de::DeserializeOwned;

use super::problem::Problems;
use super::source::Variables;
use super::{read, yaml};

/// Reads a part as the loader would, with its places; fails the test where it cannot be read.
pub(crate) fn part<T: DeserializeOwned>(text: &str) -> T {
    let mut problems = Problems::default();
    let mut tree = yaml::parse(0, text, &|_| None, &mut Variables::default(), &mut problems).unwrap();
    let part = read::read(&mut tree, &mut problems);
    assert!(!problems.has_errors(), "{problems:?}");
    part.unwrap()
}
