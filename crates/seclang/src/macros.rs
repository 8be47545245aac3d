//! Texts with variables in them: `%{tx.score}`.

use crate::names::{Names, TxName};
use crate::target::{Collection, Selection, Target};

/// A text, perhaps with variables in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Macro(Box<[Part]>);

/// A piece of it.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Text(Box<[u8]>),
    /// A variable that rules set.
    Tx(TxName),
    /// The first value of any other.
    Value(Box<Target>),
}

impl Macro {
    /// Reads one. A variable that nobody knows is empty, and told to `unknown`.
    pub(crate) fn read(text: &str, names: &mut Names, unknown: &mut dyn FnMut(String)) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("%{") {
            let Some((name, after)) = behind.split_once('}') else { break };
            push(&mut parts, before);
            match variable(name, names) {
                Some(part) => parts.push(part),
                None => unknown(format!("the variable `%{{{name}}}`")),
            }
            rest = after;
        }
        push(&mut parts, rest);
        Self(parts.into())
    }

    /// Its pieces.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.0
    }

    /// What it says, where it has no variables.
    pub(crate) fn plain(&self) -> Option<&[u8]> {
        match &*self.0 {
            [] => Some(b""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Its variables that are none of rules.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &Target> {
        self.0.iter().filter_map(|part| if let Part::Value(target) = part { Some(&**target) } else { None })
    }

    /// The variables of rules in it.
    pub(crate) fn tx(&self) -> impl Iterator<Item = TxName> {
        self.0.iter().filter_map(|part| if let Part::Tx(name) = part { Some(*name) } else { None })
    }
}

fn push(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Text(text.as_bytes().into()));
    }
}

fn variable(name: &str, names: &mut Names) -> Option<Part> {
    let (collection, own) = name.split_once(['.', ':']).map_or((name, None), |(head, own)| (head, Some(own)));
    if collection.eq_ignore_ascii_case("tx") {
        return Some(Part::Tx(names.of(own?.as_bytes())));
    }
    let collection = Collection::named(collection)?;
    let selection =
        own.map_or(Selection::All, |own| Selection::Name(own.as_bytes().to_ascii_lowercase().into()));
    Some(Part::Value(Box::new(Target { collection, selection, counted: false })))
}
