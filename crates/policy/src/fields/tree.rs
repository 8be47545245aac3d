//! The tree itself: nodes in the order in which they stand, reused from message to message.

use std::ops::Range;

/// A node of a tree, by its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(super) u32);

impl NodeId {
    /// The whole message.
    pub const ROOT: Self = Self(0);

    /// Its place among all nodes, from 0.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The next value in the order in which they stand.
    pub(crate) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A value: what a format made of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number above what [`Value::Int`] holds.
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// UTF-8 text.
    Text(Span),
    /// Bytes that are no text.
    Bytes(Span),
    /// So many values in a row.
    List(u32),
    /// So many values, each under a name.
    Map(u32),
}

/// Where text or bytes stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub(super) from: Memory,
    pub(super) start: u32,
    pub(super) len: u32,
}

/// Whose bytes a span is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// The payload's.
    Payload,
    /// The tree's own.
    Tree,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) key: Option<Span>,
    pub(super) parent: u32,
    /// The node behind its subtree.
    pub(super) end: u32,
    /// Which of its parent's values it is.
    pub(super) index: u32,
    /// Where its encoding stands in the payload; empty where the format does not say.
    pub(super) at: (u32, u32),
}

/// What a message says, without the payload that it was made of. Its memory is kept for the next one.
#[derive(Debug, Default)]
pub struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) text: Vec<u8>,
    /// The lists and maps that are open while it is made.
    pub(super) open: Vec<u32>,
    /// Hashes of a map's names, while it is looked through.
    pub(super) hashes: Vec<u64>,
}

/// Memory that a tree keeps from one message to the next.
const KEPT: usize = 256 * 1024;

impl Tree {
    /// Forgets the message.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.text.clear();
        self.open.clear();
        self.nodes.shrink_to(KEPT / size_of::<Node>());
        self.text.shrink_to(KEPT);
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub(super) fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize)
    }

    pub(super) fn bytes<'a>(&'a self, payload: &'a [u8], span: Span) -> &'a [u8] {
        let memory = match span.from {
            Memory::Payload => payload,
            Memory::Tree => &self.text,
        };
        let start = span.start as usize;
        memory.get(start..start + span.len as usize).unwrap_or_default()
    }
}

impl Node {
    pub(super) fn at(&self) -> Option<Range<usize>> {
        (self.at.0 < self.at.1).then_some(self.at.0 as usize..self.at.1 as usize)
    }
}
