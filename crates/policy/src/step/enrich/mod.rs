//! `enrich`: fields are set, added and removed, by what is known of the client and by tables.

mod config;
#[cfg(test)]
mod tests;

use std::sync::{Arc, LazyLock};

pub use config::RawEnrich;
pub(crate) use config::check;
use http::HeaderName;
use serde_json::{Map, Value};
use wicketgate_expression::{Answer, Expression, Shape, Variable, Vocabulary};

use super::{Effect, New, View};
use crate::condition::{self, with_scope};
use crate::fields::{Path, Shown};
use crate::finding::{Enforcement, Hit};
use crate::rewrite::{Change, Edits, NewValue};

/// What conditions may speak of, and the tables.
static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    let lookup = Variable { name: "lookup", shape: Shape::Open };
    let known = condition::VOCABULARY.variables.iter();
    let known = known.map(|known| Variable { name: known.name, shape: known.shape });
    Vocabulary {
        // Once for the process.
        variables: Box::leak(known.chain([lookup]).collect()),
        functions: condition::VOCABULARY.functions,
        example: "identity.subject",
    }
});

/// Fields that are set, added and removed.
#[derive(Clone, Debug)]
pub(crate) struct Enrich {
    values: Box<[Field]>,
    removed: Box<[Path]>,
    tables: Arc<Map<String, Value>>,
}

/// A field that gets a value.
#[derive(Clone, Debug)]
struct Field {
    /// The maps in which it stands, and its name there.
    home: Path,
    name: Box<str>,
    path: Box<str>,
    value: Expression,
    /// Whether a value that it has stays.
    keeps: bool,
}

impl Enrich {
    pub(super) fn judge(&self, view: &View<'_>, enforcement: Enforcement) -> Effect {
        let mut edits = Edits::default();
        for path in &self.removed {
            path.each(&view.fields, |field| edits.push(field.id(), Change::Remove));
        }
        for field in &self.values {
            if let Err((class, why)) = field.set(view, &self.tables, &mut edits) {
                let path = field.path.clone();
                return Effect::Violation(vec![Hit { path, ..Hit::whole(class, why) }]);
            }
        }
        if edits.is_empty() {
            return Effect::Pass;
        }
        // What happens to every message is no finding, but for those who try it out.
        let tried =
            (enforcement == Enforcement::Observe).then(|| Hit::whole("enriched", "it would be changed"));
        Effect::Rewrite(tried.into_iter().collect(), New::Edits(edits))
    }

    /// The headers of the handshake that it names.
    pub(super) fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.values.iter().flat_map(|field| &field.value.needs().headers)
    }
}

impl Field {
    fn set(
        &self,
        view: &View<'_>,
        tables: &Map<String, Value>,
        edits: &mut Edits,
    ) -> Result<(), (&'static str, String)> {
        let (mut homes, mut places) = (0, Vec::new());
        self.home.each(&view.fields, |home| {
            if !matches!(home.show(), Shown::Map(_)) {
                return;
            }
            homes += 1;
            match home.get(&self.name) {
                Some(_) if self.keeps => {}
                Some(known) => places.push((known.id(), true)),
                None => places.push((home.id(), false)),
            }
        });
        if homes == 0 {
            return Err(("enrich_nowhere", "there is no map to put the field in".into()));
        }
        if places.is_empty() {
            return Ok(());
        }
        let value = with_scope(&self.value, view, Some(tables), |scope| {
            self.value.evaluate(scope).map(|answer| new_value(answer))
        });
        let value = value.and_then(|value| value.map_err(|fault| fault.to_string()));
        let value = value.map_err(|why| ("enrich_failed", why))?;
        for (place, is_known) in places {
            edits.push(
                place,
                match is_known {
                    true => Change::Replace(value.clone()),
                    false => Change::Insert(self.name.clone(), value.clone()),
                },
            );
        }
        Ok(())
    }
}

fn new_value(answer: Answer<'_>) -> NewValue {
    match answer {
        Answer::Null => NewValue::Null,
        Answer::Bool(value) => NewValue::Bool(value),
        Answer::Int(number) => NewValue::Int(number),
        Answer::Uint(number) => NewValue::Uint(number),
        Answer::Float(number) => NewValue::Float(number),
        Answer::Text(text) => NewValue::Text(text.into_owned()),
        Answer::Bytes(bytes) => NewValue::Bytes(bytes.into_owned()),
        Answer::List(values) => NewValue::List(values.into_iter().map(new_value).collect()),
        Answer::Map(named) => {
            NewValue::Map(named.into_iter().map(|(name, value)| (name, new_value(value))).collect())
        }
    }
}
