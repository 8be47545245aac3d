//! Paths of the configuration: which fields of a message are meant.

use std::fmt;
use std::str::FromStr;

use wicketgate_config::{At, OneOrMany, Problems};

use super::view::{Field, Fields, is_plain};

/// Which fields are meant: `order.items[0].price`, `items[*].price`, `*.id`, `**.password`, `["a.b"]`, or `$` for the
/// whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    text: Box<str>,
    steps: Box<[Step]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(Box<str>),
    Index(usize),
    /// Every value of a map or list.
    Each,
    /// The field itself and everything in it.
    Deep,
}

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is no path: {what}")]
pub struct InvalidPath {
    path: String,
    what: &'static str,
}

/// The most steps of a path.
const MAX_STEPS: usize = 32;

impl Path {
    /// Checks a list of one to `most` paths; what is wrong goes to `problems`.
    pub(crate) fn check_list(
        raw: At<OneOrMany<At<String>>>,
        most: usize,
        problems: &mut Problems,
    ) -> Box<[Self]> {
        if raw.value.is_empty() || raw.value.len() > most {
            let what = format!("{} paths are listed", raw.value.len());
            problems.error(raw.place, what, format!("list 1 to {most}, or leave the key out"));
        }
        raw.value.0.iter().filter_map(|path| Self::check(path, problems)).collect()
    }

    /// Checks one path; what is wrong goes to `problems`.
    pub(crate) fn check(raw: &At<String>, problems: &mut Problems) -> Option<Self> {
        let path = raw.value.parse::<Self>();
        let told = |error: InvalidPath| {
            problems.error(
                raw.place,
                error.to_string(),
                "write it as in `user.email`, `items[*].id` or `**.password`",
            );
        };
        path.map_err(told).ok()
    }

    /// The same path for every entry of a list that it leads through.
    pub(crate) fn widened(&self) -> String {
        let mut text = String::new();
        for step in &self.steps {
            let dot = if text.is_empty() { "" } else { "." };
            match step {
                Step::Key(key) if is_plain(key) => text.extend([dot, key]),
                Step::Key(key) => text.extend(["[", &serde_json::Value::from(&**key).to_string(), "]"]),
                Step::Index(_) => text.push_str("[*]"),
                Step::Each => text.extend([dot, "*"]),
                Step::Deep => text.extend([dot, "**"]),
            }
        }
        if text.is_empty() { "$".into() } else { text }
    }

    /// The path without its last name, and that name; none where it ends in no name, or begins nowhere.
    pub(crate) fn split_last(&self) -> Option<(Self, &str)> {
        let (last, steps) = self.steps.split_last()?;
        let Step::Key(name) = last else { return None };
        Some((Self { text: self.text.clone(), steps: steps.into() }, name))
    }

    /// Whether it means no more than one field, whatever the message.
    pub(crate) fn is_single(&self) -> bool {
        self.steps.iter().all(|step| matches!(step, Step::Key(_) | Step::Index(_)))
    }

    /// The first field that is meant.
    pub fn first<'m>(&self, fields: &Fields<'m>) -> Option<Field<'m>> {
        let mut first = None;
        let _ = walk(fields.root()?, &self.steps, &mut |field| {
            first = Some(field);
            Err(Enough)
        });
        first
    }

    /// The names that lead to the field; none where other steps than names do.
    pub(crate) fn names(&self) -> Option<Vec<&str>> {
        let names = self.steps.iter().map(|step| match step {
            Step::Key(name) => Some(&**name),
            _ => None,
        });
        names.collect()
    }

    /// Calls `found` with every field that is meant, each once for every way to it.
    pub fn each<'m>(&self, fields: &Fields<'m>, mut found: impl FnMut(Field<'m>)) {
        let Some(root) = fields.root() else { return };
        let _ = walk(root, &self.steps, &mut |field| {
            found(field);
            Ok(())
        });
    }

    /// Whether a field is one of those that are meant.
    pub fn matches(&self, field: &Field<'_>) -> bool {
        let mut way = vec![*field];
        while let Some(parent) = way.last().and_then(Field::parent) {
            way.push(parent);
        }
        way.pop();
        fits(&self.steps, &way)
    }

    /// Whether a field or one that it stands in is meant.
    pub fn covers(&self, field: &Field<'_>) -> bool {
        std::iter::successors(Some(*field), Field::parent).any(|field| self.matches(&field))
    }
}

struct Enough;

fn walk<'m>(
    field: Field<'m>,
    steps: &[Step],
    found: &mut dyn FnMut(Field<'m>) -> Result<(), Enough>,
) -> Result<(), Enough> {
    let Some((step, rest)) = steps.split_first() else { return found(field) };
    match step {
        Step::Key(key) => field.get(key).map_or(Ok(()), |child| walk(child, rest, found)),
        Step::Index(index) => field.nth(*index).map_or(Ok(()), |child| walk(child, rest, found)),
        Step::Each => field.children().try_for_each(|child| walk(child, rest, found)),
        Step::Deep => {
            walk(field, rest, found)?;
            field.children().try_for_each(|child| walk(child, steps, found))
        }
    }
}

/// Whether the steps lead along `way`, whose last field is the first one.
fn fits(steps: &[Step], way: &[Field<'_>]) -> bool {
    match (steps.split_first(), way.split_last()) {
        (None, None) => true,
        (Some((Step::Deep, rest)), next) => {
            fits(rest, way) || next.is_some_and(|(_, behind)| fits(steps, behind))
        }
        (Some((step, rest)), Some((field, behind))) => {
            let fit = match step {
                Step::Key(key) => field.key() == Some(key),
                Step::Index(index) => field.key().is_none() && field.index() == *index,
                Step::Each | Step::Deep => true,
            };
            fit && fits(rest, behind)
        }
        _ => false,
    }
}

impl FromStr for Path {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        let invalid = |what| InvalidPath { path: text.into(), what };
        let mut steps = Vec::new();
        let mut rest = text.strip_prefix('$').unwrap_or(text);
        if rest.len() < text.len() && !rest.is_empty() && !rest.starts_with(['.', '[']) {
            // A name may begin with `$`, as in `$where`.
            rest = text;
        }
        let mut first = rest.len() == text.len();
        if text.is_empty() {
            return Err(invalid("it is empty; write `$` for the whole message"));
        }
        while !rest.is_empty() {
            let step;
            (step, rest) = match rest.strip_prefix('[') {
                Some(inner) => bracket(inner).map_err(invalid)?,
                None => {
                    let named = rest.strip_prefix('.');
                    let named = if first { Some(named.unwrap_or(rest)) } else { named };
                    name(named.ok_or_else(|| invalid("names are parted by `.`"))?).map_err(invalid)?
                }
            };
            if step == Step::Deep && steps.contains(&Step::Deep) {
                return Err(invalid("`**` may stand in it once"));
            }
            steps.push(step);
            first = false;
        }
        if steps.len() > MAX_STEPS {
            return Err(invalid("it has more than 32 steps"));
        }
        Ok(Self { text: text.into(), steps: steps.into() })
    }
}

fn name(rest: &str) -> Result<(Step, &str), &'static str> {
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let step = match name {
        "" => return Err("a name is missing"),
        "*" => Step::Each,
        "**" => Step::Deep,
        name if name.contains('*') => {
            return Err("`*` stands for a whole name; quote a name that holds one: [\"a*\"]");
        }
        name => Step::Key(name.into()),
    };
    Ok((step, rest))
}

fn bracket(inner: &str) -> Result<(Step, &str), &'static str> {
    if inner.starts_with('"') {
        let mut names = serde_json::Deserializer::from_str(inner).into_iter::<String>();
        let key = names.next().and_then(Result::ok).ok_or("a quoted name is no JSON string")?;
        let rest = inner.get(names.byte_offset()..).and_then(|rest| rest.strip_prefix(']'));
        return Ok((Step::Key(key.into()), rest.ok_or("`]` is missing")?));
    }
    let (index, rest) = inner.split_once(']').ok_or("`]` is missing")?;
    match index {
        "*" => Ok((Step::Each, rest)),
        index => index
            .parse()
            .map(|index| (Step::Index(index), rest))
            .map_err(|_| "between brackets stands a number, `*`, or a quoted name"),
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
