//! What a message says, as fields: one flat tree for every format, made once a message and read by all steps.
//!
//! A [`Tree`] keeps its nodes in the order in which they stand, so that a subtree is a range of them. Text that stands
//! in the payload as it reads is a range of it; text that had to be decoded stands in the tree's own memory. [`Fields`] is a
//! tree beside its payload: what everybody reads from.

mod build;
mod path;
mod tree;
mod view;

pub use build::{Bounds, Builder, Undecodable};
pub use path::{InvalidPath, Path};
pub use tree::{NodeId, Tree, Value};
pub use view::{Children, Field, Fields, Shown};

#[cfg(test)]
mod tests;
