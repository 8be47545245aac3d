//! A GraphQL document: its operations and fragments, as far as what they ask for goes.
//!
//! It is our own and small: it keeps names and nesting alone, everything is bounded while it reads, and what it does not know, the
//! definitions of types for instance, is no document that a client may send.

use std::collections::HashMap;

use super::token::{FORMAT, Token, Tokens};
use crate::format::pack::breach::{Breach, Measure};
use crate::format::pack::malformed;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Operation {
    /// It reads.
    Query,
    /// It changes something.
    Mutation,
    /// It is told of what happens.
    Subscription,
}

/// A document that was read.
#[derive(Debug, Default)]
pub(super) struct Document<'d> {
    pub(super) operations: Vec<(Option<&'d str>, Operation, usize)>,
    fragments: HashMap<&'d str, usize>,
    sets: Vec<Vec<Selection<'d>>>,
    /// The directives that are used, each time.
    pub(super) directives: Vec<&'d str>,
}

#[derive(Debug)]
enum Selection<'d> {
    Field { name: &'d str, alias: bool, set: Option<usize> },
    Inline(usize),
    Spread(&'d str),
}

/// What a selection asks for, with its fragments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) depth: u64,
    pub(super) fields: u64,
    pub(super) aliases: u64,
    /// It asks about the schema.
    pub(super) introspects: bool,
}

/// Brackets inside each other, and fragments that lead to others.
const MAX_NESTING: usize = 200;

impl Operation {
    /// Its word.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Mutation => "mutation",
            Self::Subscription => "subscription",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Query, Self::Mutation, Self::Subscription].into_iter().find(|kind| kind.label() == word)
    }
}

impl<'d> Document<'d> {
    /// Reads a document of at most so many tokens.
    pub(super) fn read(text: &'d str, tokens: usize) -> Result<Self, Breach> {
        let mut reader = Reader { tokens: Tokens::new(text, tokens), document: Self::default(), nested: 0 };
        while reader.tokens.peek()? != Token::End {
            reader.definition()?;
        }
        if reader.document.operations.is_empty() {
            return Err(malformed(FORMAT));
        }
        Ok(reader.document)
    }

    /// The type of the operation that is to be executed.
    pub(super) fn chosen(&self, name: Option<&str>) -> Result<Operation, Breach> {
        let mut found = self.operations.iter().filter(|(own, ..)| name.is_none() || *own == name);
        match (found.next(), found.next()) {
            (Some((_, operation, _)), None) => Ok(*operation),
            _ => Err(malformed(FORMAT)),
        }
    }

    /// What each operation asks for.
    pub(super) fn sizes(&self) -> Result<Vec<Size>, Breach> {
        let mut known = HashMap::new();
        self.operations.iter().map(|(_, _, set)| self.sum(*set, &mut known, 0)).collect()
    }

    /// Adds up a selection. Each fragment is added up once; one that leads back to itself is in `known` as none.
    fn sum(
        &self,
        set: usize,
        known: &mut HashMap<&'d str, Option<Size>>,
        nested: usize,
    ) -> Result<Size, Breach> {
        if nested > MAX_NESTING {
            return Err(Breach::Document(Measure::Depth));
        }
        let mut size = Size::default();
        for selection in self.sets.get(set).into_iter().flatten() {
            let inner = match selection {
                Selection::Field { name, alias, set } => {
                    let inner = match set {
                        Some(set) => self.sum(*set, known, nested + 1)?,
                        None => Size::default(),
                    };
                    Size {
                        depth: inner.depth + 1,
                        fields: inner.fields.saturating_add(1),
                        aliases: inner.aliases.saturating_add((*alias).into()),
                        introspects: inner.introspects || matches!(*name, "__schema" | "__type"),
                    }
                }
                Selection::Inline(set) => self.sum(*set, known, nested + 1)?,
                Selection::Spread(name) => match known.get(name) {
                    Some(Some(size)) => *size,
                    Some(None) => return Err(malformed(FORMAT)),
                    None => {
                        let set = *self.fragments.get(name).ok_or(malformed(FORMAT))?;
                        known.insert(name, None);
                        let size = self.sum(set, known, nested + 1)?;
                        known.insert(name, Some(size));
                        size
                    }
                },
            };
            size = Size {
                depth: size.depth.max(inner.depth),
                fields: size.fields.saturating_add(inner.fields),
                aliases: size.aliases.saturating_add(inner.aliases),
                introspects: size.introspects || inner.introspects,
            };
        }
        Ok(size)
    }
}

struct Reader<'d> {
    tokens: Tokens<'d>,
    document: Document<'d>,
    nested: usize,
}

impl<'d> Reader<'d> {
    fn definition(&mut self) -> Result<(), Breach> {
        if self.tokens.peek()? == Token::Sign(b'{') {
            let set = self.selections()?;
            self.document.operations.push((None, Operation::Query, set));
            return Ok(());
        }
        let word = self.name()?;
        if word == "fragment" {
            let name = self.name()?;
            if name == "on" || self.name()? != "on" {
                return Err(malformed(FORMAT));
            }
            self.name()?;
            self.directives()?;
            let set = self.selections()?;
            // Of two fragments of one name, servers may take either.
            return match self.document.fragments.insert(name, set) {
                None => Ok(()),
                Some(_) => Err(malformed(FORMAT)),
            };
        }
        let operation = Operation::of(word).ok_or(malformed(FORMAT))?;
        let name = match self.tokens.peek()? {
            Token::Name(name) => {
                self.tokens.next()?;
                Some(name)
            }
            _ => None,
        };
        self.variables()?;
        self.directives()?;
        let set = self.selections()?;
        self.document.operations.push((name, operation, set));
        Ok(())
    }

    fn selections(&mut self) -> Result<usize, Breach> {
        self.sign(b'{')?;
        self.nest()?;
        let mut set = Vec::new();
        while !self.takes(b'}')? {
            let selection = self.selection()?;
            set.push(selection);
        }
        self.nested -= 1;
        if set.is_empty() {
            return Err(malformed(FORMAT));
        }
        self.document.sets.push(set);
        Ok(self.document.sets.len() - 1)
    }

    fn selection(&mut self) -> Result<Selection<'d>, Breach> {
        if self.tokens.peek()? == Token::Spread {
            self.tokens.next()?;
            return match self.tokens.peek()? {
                Token::Name(name) if name != "on" => {
                    self.tokens.next()?;
                    self.directives()?;
                    Ok(Selection::Spread(name))
                }
                token => {
                    if token == Token::Name("on") {
                        self.tokens.next()?;
                        self.name()?;
                    }
                    self.directives()?;
                    self.selections().map(Selection::Inline)
                }
            };
        }
        let mut name = self.name()?;
        let alias = self.takes(b':')?;
        if alias {
            name = self.name()?;
        }
        if self.takes(b'(')? {
            while !self.takes(b')')? {
                self.name()?;
                self.sign(b':')?;
                self.value()?;
            }
        }
        self.directives()?;
        let set = match self.tokens.peek()? {
            Token::Sign(b'{') => Some(self.selections()?),
            _ => None,
        };
        Ok(Selection::Field { name, alias, set })
    }

    fn directives(&mut self) -> Result<(), Breach> {
        while self.takes(b'@')? {
            let name = self.name()?;
            self.document.directives.push(name);
            if self.takes(b'(')? {
                while !self.takes(b')')? {
                    self.name()?;
                    self.sign(b':')?;
                    self.value()?;
                }
            }
        }
        Ok(())
    }

    fn variables(&mut self) -> Result<(), Breach> {
        if !self.takes(b'(')? {
            return Ok(());
        }
        while !self.takes(b')')? {
            self.sign(b'$')?;
            self.name()?;
            self.sign(b':')?;
            self.type_name()?;
            if self.takes(b'=')? {
                self.value()?;
            }
            self.directives()?;
        }
        Ok(())
    }

    fn type_name(&mut self) -> Result<(), Breach> {
        self.nest()?;
        if self.takes(b'[')? {
            self.type_name()?;
            self.sign(b']')?;
        } else {
            self.name()?;
        }
        self.takes(b'!')?;
        self.nested -= 1;
        Ok(())
    }

    fn value(&mut self) -> Result<(), Breach> {
        self.nest()?;
        match self.tokens.next()? {
            Token::Name(_) | Token::Literal => {}
            Token::Sign(b'$') => drop(self.name()?),
            Token::Sign(b'[') => {
                while !self.takes(b']')? {
                    self.value()?;
                }
            }
            Token::Sign(b'{') => {
                while !self.takes(b'}')? {
                    self.name()?;
                    self.sign(b':')?;
                    self.value()?;
                }
            }
            _ => return Err(malformed(FORMAT)),
        }
        self.nested -= 1;
        Ok(())
    }

    fn nest(&mut self) -> Result<(), Breach> {
        self.nested += 1;
        if self.nested > MAX_NESTING { Err(Breach::Document(Measure::Depth)) } else { Ok(()) }
    }

    fn name(&mut self) -> Result<&'d str, Breach> {
        match self.tokens.next()? {
            Token::Name(name) => Ok(name),
            _ => Err(malformed(FORMAT)),
        }
    }

    fn sign(&mut self, sign: u8) -> Result<(), Breach> {
        if self.tokens.next()? == Token::Sign(sign) { Ok(()) } else { Err(malformed(FORMAT)) }
    }

    fn takes(&mut self, sign: u8) -> Result<bool, Breach> {
        let is = self.tokens.peek()? == Token::Sign(sign);
        if is {
            self.tokens.next()?;
        }
        Ok(is)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn size(text: &str) -> Result<Size, Breach> {
        let document = Document::read(text, 1_000)?;
        Ok(document.sizes()?[0])
    }

    #[test]
    fn what_a_document_asks_for_is_counted_through_its_fragments() {
        for (text, depth, fields, aliases, introspects) in [
            ("{a}", 1, 1, 0, false),
            (
                "query Q($a: [Int!]! = [1, 2] @x, $b: S = {a: \"}\"}) @y(a: $b) { a(x: {y: [\"{\"]}) { b } c: d }",
                2,
                3,
                1,
                false,
            ),
            ("{ ...F ...F } fragment F on T { x { y { z } } }", 3, 6, 0, false),
            (
                "{ ... on T { a } ... @include(if: true) { __type(name: \"\"\"a \\\"\"\" b\"\"\") { name } } }",
                2,
                3,
                0,
                true,
            ),
            ("\u{feff}subscription , { a # } {{{\n b }", 1, 2, 0, false),
        ] {
            assert_eq!(size(text).unwrap(), Size { depth, fields, aliases, introspects }, "{text}");
        }
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for text in [
            "",
            "{",
            "{}",
            "{a",
            "{a}}",
            "{a(b)}",
            "{a(b:)}",
            "{...F}",
            "fragment F on T {a}",
            "type T {a: Int}",
            "{a @}",
            "query ($a Int) {a}",
            "{\"a\"}",
            "{a(b: \"x)}",
            "{ ...F } fragment F on T { ...F }",
            "{ ...F } fragment F on T { ...G } fragment G on T { ...F }",
            "{ ...F } fragment F on T { a } fragment F on T { b }",
            "{ é }",
            "{ a.b }",
        ] {
            assert_eq!(size(text), Err(malformed(FORMAT)), "{text}");
        }
        assert_eq!(size(&"{a".repeat(300)), Err(Breach::Document(Measure::Depth)));
        assert_eq!(size(&format!("{{a(b:{}", "[".repeat(300))), Err(Breach::Document(Measure::Depth)));
        assert_eq!(size(&format!("{{{}}}", "a ".repeat(1_000))), Err(Breach::Document(Measure::Tokens)));
    }

    #[test]
    fn fragments_that_multiply_are_added_up_in_little_time() {
        let mut text = "{...F0}".to_owned();
        for number in 0..60 {
            text += &format!("fragment F{number} on T {{ ...F{0} ...F{0} }}", number + 1);
        }
        text += "fragment F60 on T { a a }";
        assert_eq!(size(&text).unwrap().fields, 1 << 61);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[{}()\\[\\]a-c\\.:$@!\"#\\\\ \n,0-9]{0,200}") {
            let _ = size(&text);
        }
    }
}
