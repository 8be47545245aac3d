//! What rules are asked about.

use std::net::IpAddr;

use crate::bits::Bits;

/// A request, or a message as one.
#[derive(Clone, Debug, Default)]
pub struct Request<'m> {
    /// As in `POST`.
    pub method: &'m [u8],
    /// Path and query.
    pub uri: &'m [u8],
    /// As in `HTTP/1.1`.
    pub protocol: &'m [u8],
    /// Headers in their order.
    pub headers: &'m [(&'m [u8], &'m [u8])],
    /// Cookies, one by one.
    pub cookies: &'m [(&'m [u8], &'m [u8])],
    /// Whom it is from.
    pub address: Option<IpAddr>,
    /// Arguments of the query and of the body.
    pub arguments: &'m [Argument<'m>],
    /// The body as it came.
    pub body: &'m [u8],
    /// How the body was read, as in `JSON`.
    pub processor: &'m [u8],
}

/// An argument: a value, a name, or both.
#[derive(Clone, Debug)]
pub struct Argument<'m> {
    /// Under which name its value stands.
    pub name: &'m [u8],
    /// Its value; none where it has only a name that is to be looked at.
    pub value: Option<&'m [u8]>,
    /// The name as it is looked at itself; none where it is not.
    pub key: Option<&'m [u8]>,
    /// Where it stands.
    pub part: Part,
    /// Rules that do not look at it.
    pub without: Option<&'m RuleMask>,
}

/// Where an argument stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// In the query.
    Query,
    /// In the body.
    #[default]
    Body,
}

/// Rules of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleMask(pub(crate) Bits);

impl RuleMask {
    /// The rules of both.
    pub fn or(&self, other: &Self) -> Self {
        let (longer, other) =
            if self.0.words().len() < other.0.words().len() { (other, self) } else { (self, other) };
        let mut both = longer.clone();
        both.0.add(&other.0);
        both
    }
}

impl<'m> Argument<'m> {
    /// An argument of the body.
    pub const fn new(name: &'m [u8], value: &'m [u8]) -> Self {
        Self { name, value: Some(value), key: Some(name), part: Part::Body, without: None }
    }
}

/// What rules found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What rules that tell found, in their order.
    pub found: Vec<Found>,
    /// How it ended.
    pub end: End,
    /// The work that it took, in bytes that were looked at.
    pub work: u64,
}

/// How it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// No rule refused it.
    #[default]
    Passed,
    /// The rule of this index refused it.
    Refused(usize),
    /// It took more work than there was a budget for: nobody knows.
    OverBudget,
}

/// What a rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The rule's index in its set.
    pub rule: usize,
    /// Where.
    pub source: Source,
    /// Under which name it stands there; empty where it has none.
    pub name: Box<[u8]>,
    /// What stands around it, after what the rule had done to it.
    pub excerpt: Box<[u8]>,
}

/// Where something was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the value of the argument of this index.
    Value(usize),
    /// In its name.
    Key(usize),
    /// In something else, of this name.
    Other(&'static str),
}
