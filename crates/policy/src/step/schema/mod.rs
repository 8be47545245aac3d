//! `schema`: what a message says is compared with JSON Schema, for all messages, for each kind, or for a channel of an AsyncAPI
//! document.

mod asyncapi;
mod compiled;
mod config;
mod document;
mod fixed;
mod instance;
mod library;
mod number;
mod reference;

use std::collections::HashMap;
use std::sync::Arc;

pub use config::{RawOtherwise, RawSchema, RawSource};

use self::compiled::{Breach, Compiled};
use super::{Effect, View};
use crate::finding::{Hit, masked};

/// Schemas that messages have to fit.
#[derive(Clone, Debug)]
pub(crate) struct Schema(Arc<Plan>);

/// Which schema counts for a message.
#[derive(Debug)]
enum Plan {
    /// One for all.
    All(Compiled),
    /// One for each kind.
    Kinds(Kinds),
    /// One of a channel's.
    Channel(Channel),
}

#[derive(Debug)]
struct Kinds {
    of: HashMap<Box<str>, Compiled>,
    /// Whether other kinds pass.
    others_pass: bool,
}

/// What a channel carries in the direction of the step.
#[derive(Debug)]
struct Channel {
    name: Box<str>,
    messages: Vec<Message>,
    /// Where a message's schema fixes its kind: those of the kind, by their number.
    of: HashMap<Box<str>, Vec<usize>>,
    /// Those whose schema does not.
    of_any: Vec<usize>,
}

#[derive(Debug)]
struct Message {
    name: Box<str>,
    /// None where any payload does.
    payload: Option<Compiled>,
}

impl Schema {
    pub(super) fn judge(&self, view: &View<'_>) -> Effect {
        let hit = match &*self.0 {
            Plan::All(schema) => mismatch(schema, view, ""),
            Plan::Kinds(kinds) => kinds.judge(view),
            Plan::Channel(channel) => channel.judge(view),
        };
        hit.map_or(Effect::Pass, |hit| Effect::Violation(vec![hit]))
    }
}

impl Kinds {
    fn judge(&self, view: &View<'_>) -> Option<Hit> {
        match self.of.get(view.kind) {
            Some(schema) => mismatch(schema, view, ""),
            None if self.others_pass => None,
            None => Some(unknown(view, "no schema is for messages of this kind".into())),
        }
    }
}

impl Channel {
    fn judge(&self, view: &View<'_>) -> Option<Hit> {
        let fits =
            |message: &Message| message.payload.as_ref().is_none_or(|payload| payload.fits(&view.fields));
        if self.candidates(view.kind).any(fits) {
            return None;
        }
        // Where the kind says which message was meant, its error is the one to tell.
        let is_meant = self.of.get(view.kind).is_some_and(|of_kind| of_kind.len() == 1);
        let tried = self.candidates(view.kind).take(if is_meant { 1 } else { usize::MAX });
        let mut count = 0;
        let mut nearest: Option<(&Message, Breach)> = None;
        for (message, payload) in tried.filter_map(|message| Some((message, message.payload.as_ref()?))) {
            count += 1;
            let breach = payload.breach(&view.fields);
            if nearest.as_ref().is_none_or(|(_, other)| other.depth < breach.depth) {
                nearest = Some((message, breach));
            }
        }
        let channel = &self.name;
        Some(match nearest {
            None => unknown(view, format!("`{channel}` carries no message of this kind this way")),
            Some((Message { name, .. }, breach)) if count == 1 => {
                breach.hit(&format!("the message `{name}` "))
            }
            Some((Message { name, .. }, breach)) => {
                breach.hit(&format!("none of {count} messages of `{channel}` fits; the nearest, `{name}`, "))
            }
        })
    }

    /// The messages that one of this kind may be, those of the kind first; all of them where it has no kind.
    fn candidates(&self, kind: &str) -> impl Iterator<Item = &Message> {
        let (all, of_any) = match kind {
            "" => (&*self.messages, &[][..]),
            _ => (&[][..], &*self.of_any),
        };
        let of_kind = self.of.get(kind).map_or(&[][..], |of_kind| of_kind);
        let numbers = of_kind.iter().chain(of_any);
        all.iter().chain(numbers.filter_map(|number| self.messages.get(*number)))
    }
}

fn mismatch(schema: &Compiled, view: &View<'_>, about: &str) -> Option<Hit> {
    match schema.fits(&view.fields) {
        true => None,
        false => Some(schema.breach(&view.fields).hit(about)),
    }
}

/// A message that no schema is for.
fn unknown(view: &View<'_>, detail: String) -> Hit {
    let excerpt = (!view.kind.is_empty()).then(|| masked(view.kind));
    Hit { excerpt, ..Hit::whole("no_schema", detail) }
}

#[cfg(test)]
mod tests;
