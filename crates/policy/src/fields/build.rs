//! Makes a tree out of what a decoder reads, within bounds: whatever is beyond them is no message.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use super::tree::{Memory, Node, Span, Tree, Value};

/// How much a message may say. Each is checked before memory is taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Lists and maps inside each other.
    pub depth: usize,
    /// Values in all.
    pub values: usize,
    /// Names of one map.
    pub keys: usize,
    /// Bytes of one name.
    pub key: usize,
    /// Bytes of one text.
    pub text: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { depth: 32, values: 10_000, keys: 1_000, key: 1_024, text: 1 << 20 }
    }
}

/// Why a payload is no message of its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// It is not written as the format is.
    #[error("it is no {format}")]
    Malformed {
        /// The format's name.
        format: &'static str,
        /// The byte at which that shows, where it is known.
        at: Option<usize>,
    },
    /// Something follows the message.
    #[error("something follows the {format} message")]
    Trailing {
        /// The format's name.
        format: &'static str,
    },
    /// Lists and maps are nested deeper than is allowed.
    #[error("it is nested too deep")]
    Depth,
    /// It has more values than are allowed.
    #[error("it has too many values")]
    Values,
    /// A map has more names than are allowed.
    #[error("a map has too many names")]
    Keys,
    /// A name is longer than is allowed.
    #[error("a name is too long")]
    KeyLength,
    /// A text is longer than is allowed.
    #[error("a text is too long")]
    TextLength,
    /// A name stands twice in one map: whoever reads it may take the one or the other.
    #[error("a name stands twice")]
    DuplicateKey,
    /// Text is not UTF-8.
    #[error("text is no UTF-8")]
    Utf8,
    /// A number is beyond what can be computed with.
    #[error("a number is out of range")]
    Number,
    /// The component that decodes gave no answer that counts: that is not the fault of whoever sent it.
    #[error("the component that decodes gave no answer that counts")]
    Unanswered(&'static str),
    /// A message of this state of the protocol is not allowed, or comes out of order.
    #[error("it comes out of order")]
    Order,
}

impl Undecodable {
    /// Whether it is beyond a bound, and may be a good message otherwise.
    pub const fn is_bound(self) -> bool {
        match self {
            Self::Malformed { .. }
            | Self::Trailing { .. }
            | Self::DuplicateKey
            | Self::Utf8
            | Self::Number
            | Self::Unanswered(_) => false,
            Self::Depth | Self::Values | Self::Keys | Self::KeyLength | Self::TextLength | Self::Order => {
                true
            }
        }
    }

    /// The word for metrics and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Malformed { .. } => "malformed",
            Self::Trailing { .. } => "trailing_data",
            Self::Depth => "too_deep",
            Self::Values => "too_many_values",
            Self::Keys => "too_many_keys",
            Self::KeyLength => "key_too_long",
            Self::TextLength => "text_too_long",
            Self::DuplicateKey => "duplicate_key",
            Self::Utf8 => "invalid_utf8",
            Self::Number => "number_out_of_range",
            Self::Order => "out_of_order",
            Self::Unanswered(label) => label,
        }
    }
}

/// Maps with fewer names are compared name by name.
const FEW_KEYS: usize = 16;

static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Fills a tree, value by value, in the order in which they stand.
#[derive(Debug)]
pub struct Builder<'t, 'p> {
    tree: &'t mut Tree,
    payload: &'p [u8],
    bounds: &'t Bounds,
    key: Option<Span>,
}

impl<'t, 'p> Builder<'t, 'p> {
    /// Begins with the tree of a message that is forgotten.
    ///
    /// # Errors
    /// A payload of 4 GiB and more.
    pub fn new(tree: &'t mut Tree, payload: &'p [u8], bounds: &'t Bounds) -> Result<Self, Undecodable> {
        tree.clear();
        u32::try_from(payload.len()).map_err(|_| Undecodable::TextLength)?;
        Ok(Self { tree, payload, bounds, key: None })
    }

    /// The payload.
    pub const fn payload(&self) -> &'p [u8] {
        self.payload
    }

    /// The name of the value that comes next.
    ///
    /// # Errors
    /// A name beyond its bounds.
    pub fn key(&mut self, key: &str) -> Result<(), Undecodable> {
        if key.len() > self.bounds.key {
            return Err(Undecodable::KeyLength);
        }
        self.key = Some(self.span(key.as_bytes()));
        Ok(())
    }

    /// A value that is neither text nor bytes, list nor map; `at` is where its encoding stands.
    ///
    /// # Errors
    /// More values than are allowed.
    pub fn scalar(&mut self, value: Value, at: Option<(usize, usize)>) -> Result<(), Undecodable> {
        let number = self.push(value, at)?;
        self.tree.nodes[number as usize].end = number + 1;
        Ok(())
    }

    /// A text. It is not copied where it stands in the payload.
    ///
    /// # Errors
    /// A text beyond its bounds.
    pub fn text(&mut self, text: &str, at: Option<(usize, usize)>) -> Result<(), Undecodable> {
        self.check_text(text.len())?;
        let span = self.span(text.as_bytes());
        self.scalar(Value::Text(span), at)
    }

    /// Bytes. They are not copied where they stand in the payload.
    ///
    /// # Errors
    /// Bytes beyond the bounds of a text.
    pub fn bytes(&mut self, bytes: &[u8], at: Option<(usize, usize)>) -> Result<(), Undecodable> {
        self.check_text(bytes.len())?;
        let span = self.span(bytes);
        self.scalar(Value::Bytes(span), at)
    }

    /// Opens a list; values up to [`Self::close`] are its own.
    ///
    /// # Errors
    /// Lists and maps nested too deep.
    pub fn open_list(&mut self) -> Result<(), Undecodable> {
        self.open(Value::List(0))
    }

    /// Opens a map; names and values up to [`Self::close`] are its own.
    ///
    /// # Errors
    /// Lists and maps nested too deep.
    pub fn open_map(&mut self) -> Result<(), Undecodable> {
        self.open(Value::Map(0))
    }

    /// Closes the list or map that was opened last; `at` is where its encoding stands.
    ///
    /// # Errors
    /// A map in which a name stands twice.
    pub fn close(&mut self, at: Option<(usize, usize)>) -> Result<(), Undecodable> {
        let Some(number) = self.tree.open.pop() else { return Ok(()) };
        let end = self.tree.nodes.len() as u32;
        let node = &mut self.tree.nodes[number as usize];
        node.end = end;
        node.at = place(at);
        match node.value {
            Value::Map(count) => self.refuse_duplicates(number, count),
            _ => Ok(()),
        }
    }

    fn open(&mut self, value: Value) -> Result<(), Undecodable> {
        if self.tree.open.len() >= self.bounds.depth {
            return Err(Undecodable::Depth);
        }
        let number = self.push(value, None)?;
        self.tree.open.push(number);
        Ok(())
    }

    fn push(&mut self, value: Value, at: Option<(usize, usize)>) -> Result<u32, Undecodable> {
        if self.tree.nodes.len() >= self.bounds.values {
            return Err(Undecodable::Values);
        }
        let number = self.tree.nodes.len() as u32;
        let mut index = 0;
        let parent = self.tree.open.last().copied();
        if let Some(parent) = parent {
            match &mut self.tree.nodes[parent as usize].value {
                Value::List(count) => {
                    index = *count;
                    *count += 1;
                }
                Value::Map(count) => {
                    index = *count;
                    *count += 1;
                    if *count as usize > self.bounds.keys {
                        return Err(Undecodable::Keys);
                    }
                }
                _ => {}
            }
        }
        let (key, parent) = (self.key.take(), parent.unwrap_or(number));
        self.tree.nodes.push(Node { value, key, parent, end: number + 1, index, at: place(at) });
        Ok(number)
    }

    fn check_text(&self, length: usize) -> Result<(), Undecodable> {
        if length > self.bounds.text { Err(Undecodable::TextLength) } else { Ok(()) }
    }

    /// Where bytes stand in the payload, or in the tree once they were copied to it.
    fn span(&mut self, bytes: &[u8]) -> Span {
        let len = bytes.len() as u32;
        let within = (bytes.as_ptr() as usize).checked_sub(self.payload.as_ptr() as usize);
        if let Some(start) = within.filter(|start| start + bytes.len() <= self.payload.len()) {
            return Span { from: Memory::Payload, start: start as u32, len };
        }
        let start = self.tree.text.len() as u32;
        self.tree.text.extend_from_slice(bytes);
        Span { from: Memory::Tree, start, len }
    }

    fn refuse_duplicates(&mut self, map: u32, count: u32) -> Result<(), Undecodable> {
        let twice = match count as usize {
            0 | 1 => false,
            2..=FEW_KEYS => {
                let mut names = self.names(map);
                std::iter::from_fn(|| names.next().map(|name| (name, names.clone())))
                    .any(|(name, mut others)| others.any(|other| other == name))
            }
            _ => self.has_equal_hashes(map),
        };
        if twice { Err(Undecodable::DuplicateKey) } else { Ok(()) }
    }

    /// Two names of one hash count as equal: with 64 bits under a key that nobody knows, they are.
    fn has_equal_hashes(&mut self, map: u32) -> bool {
        let mut hashes = std::mem::take(&mut self.tree.hashes);
        hashes.clear();
        hashes.extend(self.names(map).map(|name| HASHER.hash_one(name)));
        hashes.sort_unstable();
        let twice = hashes.windows(2).any(|pair| pair[0] == pair[1]);
        self.tree.hashes = hashes;
        twice
    }

    /// The names of a map that was just closed.
    fn names(&self, map: u32) -> impl Iterator<Item = &[u8]> + Clone {
        let (mut at, end) = (map + 1, self.tree.nodes.len() as u32);
        std::iter::from_fn(move || {
            let node = self.tree.nodes.get(at as usize).filter(|_| at < end)?;
            at = node.end;
            Some(self.name(node))
        })
    }

    fn name(&self, node: &Node) -> &[u8] {
        node.key.map(|key| self.tree.bytes(self.payload, key)).unwrap_or_default()
    }
}

fn place(at: Option<(usize, usize)>) -> (u32, u32) {
    at.map_or((0, 0), |(start, end)| (start as u32, end as u32))
}
