//! Foreign data in the form of a tree, as expressions look at it.

use std::fmt::Debug;

/// What a node is: a plain value, or a container of others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shown<'t> {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number. Whole numbers are this wherever they fit, so that `message.level >= 3` is what it looks like.
    Int(i64),
    /// A whole number beyond [`i64::MAX`].
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(&'t str),
    /// Bytes.
    Bytes(&'t [u8]),
    /// A list of nodes.
    List,
    /// Nodes that have names.
    Map,
}

/// A tree whose nodes are looked at one by one. Looking has to be cheap, and to reserve nothing.
pub trait Tree: Sync {
    /// What a node is found again by.
    type Node: Copy + Send + Sync + Debug;

    /// What the node is.
    fn show(&self, node: Self::Node) -> Shown<'_>;

    /// The child of a map by its name.
    fn get(&self, node: Self::Node, key: &str) -> Option<Self::Node>;

    /// The child of a list by its place.
    fn nth(&self, node: Self::Node, index: usize) -> Option<Self::Node>;

    /// How many children a list or map has, known without counting them.
    fn len(&self, node: Self::Node) -> usize;

    /// The children of a list, or of a map with their names, in their order.
    fn children(&self, node: Self::Node) -> impl Iterator<Item = (Option<&str>, Self::Node)> + Send;
}
