//! Functions as configurations write them and documentation shows them.

use std::fmt;

use cel::common::types::{CelBool, CelInt, CelString};
use cel::common::value::Val;

use crate::scalar::Scalar;

/// A function as documentation shows it.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    /// Its name.
    pub name: &'static str,
    /// What it gives.
    pub what: &'static str,
    /// How it is written.
    pub example: &'static str,
}

const fn described(name: &'static str, what: &'static str, example: &'static str) -> Described {
    Described { name, what, example }
}

/// What every expression may use, operators, conversions and the parts of moments apart.
pub const FUNCTIONS: &[Described] = &[
    described("has", "whether a field is there", "has(claims.team)"),
    described("size", "how many characters, bytes, values or keys there are", "size(claims.groups) > 0"),
    described("contains", "whether a text stands in another", "request.query.contains(\"debug\")"),
    described("startsWith", "whether a text begins with another", "request.path.startsWith(\"/rooms/\")"),
    described("endsWith", "whether a text ends with another", "request.host.endsWith(\".example.com\")"),
    described(
        "matches",
        "whether a regular expression is found in a text; it has to be written out",
        "request.path.matches(\"^/rooms/[a-z]+$\")",
    ),
    described("lower", "a text in lower case", "claims.team.lower() == \"blue\""),
    described("upper", "a text in upper case", "claims.country.upper() in [\"DE\", \"FR\"]"),
    described(
        "in_network",
        "whether an address belongs to a network, which has to be written out",
        "in_network(client.address, \"10.0.0.0/8\")",
    ),
    described(
        "exists",
        "whether something holds for any value of a list",
        "claims.groups.exists(g, g == \"staff\")",
    ),
    described(
        "exists_one",
        "whether it holds for exactly one",
        "claims.groups.exists_one(g, g == \"staff\")",
    ),
    described("all", "whether it holds for all of them", "claims.groups.all(g, g.startsWith(\"team-\"))"),
    described("filter", "the values for which it holds", "size(claims.groups.filter(g, g != \"all\")) > 1"),
    described("map", "what becomes of each value", "\"blue\" in claims.rooms.map(r, r.name)"),
    described("timestamp", "the moment that a text or a number of seconds means", "timestamp(claims.exp)"),
    described("duration", "a length of time", "duration(\"90m\")"),
];

/// A function of a vocabulary's own.
#[derive(Clone, Copy)]
pub struct Function {
    /// Its name, and what documentation says of it.
    pub described: Described,
    /// How many arguments it takes, with what it is called on.
    pub arguments: usize,
    /// What it gives.
    pub gives: Gives,
    /// What it does. It fails without a word of the values.
    pub call: fn(&[Argument<'_, '_>]) -> Option<Scalar<'static>>,
}

/// What a function gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// True or false.
    Bool,
    /// Another plain value.
    Other,
}

/// An argument of a [`Function`].
#[derive(Clone, Copy)]
pub struct Argument<'b, 'v>(pub(crate) &'b (dyn Val + 'v));

impl<'b> Argument<'b, '_> {
    /// The text that it is.
    pub fn text(self) -> Option<&'b str> {
        self.0.downcast_ref::<CelString<'_>>().map(CelString::inner)
    }

    /// The whole number that it is.
    pub fn int(self) -> Option<i64> {
        self.0.downcast_ref::<CelInt>().map(|value| *value.inner())
    }

    /// Whether it is true, or false.
    pub fn bool(self) -> Option<bool> {
        self.0.downcast_ref::<CelBool>().map(|value| *value.inner())
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.described.fmt(f)
    }
}
