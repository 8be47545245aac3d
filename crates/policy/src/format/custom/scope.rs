//! What fields may refer to while a declared format is compiled: those before them, by their names.

use std::collections::HashSet;

use wicketgate_config::{At, Item, Problems, alternatives};

use super::config::{RawCase, RawField};
use super::length::{RawIf, RawLength};
use super::program::{MAX_SLOTS, Matches};

/// The fields of one message, or of one struct of `structs`, that are read already.
#[derive(Debug, Default)]
pub(super) struct Frame {
    /// Names that some field refers to, without what they stand in.
    wanted: HashSet<String>,
    bindings: Vec<Binding>,
    slots: usize,
}

/// A field that may be referred to.
#[derive(Debug)]
struct Binding {
    path: String,
    slot: usize,
    kind: Kind,
}

/// What a field's value is compared with.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// A whole number, and the names of its values.
    Number(Vec<(i128, Box<str>)>),
    /// A text, and the names of its values.
    Text(Vec<(Box<[u8]>, Box<str>)>),
    /// `true` or `false`.
    Bool,
    /// Nothing: it cannot be referred to, for this reason.
    Nothing(&'static str),
}

impl Frame {
    /// A frame for these fields.
    pub(super) fn of(fields: &[Item<RawField>]) -> Self {
        let mut frame = Self::default();
        fields.iter().for_each(|field| frame.want(&field.value));
        frame
    }

    fn want(&mut self, raw: &RawField) {
        let length = |length: &Option<At<RawLength>>| match length.as_ref().map(|at| &at.value) {
            Some(RawLength::Word(field)) => Some(field.clone()),
            Some(RawLength::With(with)) => with.field.as_ref().map(|at| at.value.clone()),
            _ => None,
        };
        let only = raw.only.as_ref().map(|at| match &at.value {
            RawIf::Field(field) => field.clone(),
            RawIf::Is(is) => is.field.value.clone(),
        });
        let on = raw.on.as_ref().map(|at| at.value.clone());
        for path in [length(&raw.length), length(&raw.count), only, on].into_iter().flatten() {
            self.wanted.insert(path.rsplit('.').next().unwrap_or_default().to_owned());
        }
        let lists = [&raw.fields, &raw.default].into_iter().flatten().map(|at| &at.value);
        let cases = raw.cases.iter().flat_map(|at| &at.value);
        let lists = lists.chain(cases.map(|case: &Item<RawCase>| &case.value.fields.value));
        let entries = raw.entries.iter().flat_map(|at| at.value.0.iter().map(|(_, field)| field));
        for field in lists.flatten().chain(entries).chain(raw.item.as_deref()) {
            self.want(&field.value);
        }
    }

    /// Notes a field that was compiled; gives its slot where some field may refer to it.
    pub(super) fn bind(&mut self, name: &At<String>, kind: Kind, problems: &mut Problems) -> Option<usize> {
        if !self.wanted.contains(&name.value) {
            return None;
        }
        let slot = self.slots;
        self.bindings.push(Binding { path: name.value.clone(), slot, kind });
        self.slots += 1;
        if slot == MAX_SLOTS {
            let what = format!("more than {MAX_SLOTS} fields are referred to");
            problems.error(name.place, what, "give some of them other names, or use `structs`");
        }
        (slot < MAX_SLOTS).then_some(slot)
    }

    /// How many slots are taken.
    pub(super) fn slots(&self) -> usize {
        self.slots.min(MAX_SLOTS)
    }

    /// How many fields may be referred to by now.
    pub(super) fn mark(&self) -> usize {
        self.bindings.len()
    }

    /// From here on, the fields behind the mark are known by what they stand in.
    pub(super) fn wrap(&mut self, mark: usize, name: &str) {
        for binding in self.bindings.iter_mut().skip(mark) {
            binding.path = format!("{name}.{}", binding.path);
        }
    }

    /// From here on, the fields behind the mark cannot be referred to.
    pub(super) fn forget(&mut self, mark: usize) {
        self.bindings.truncate(mark);
    }

    fn find(&self, path: &At<String>, problems: &mut Problems) -> Option<&Binding> {
        let found = self.bindings.iter().rev().find(|binding| binding.path == path.value);
        if found.is_none() {
            let paths: Vec<&str> = self.bindings.iter().map(|binding| &*binding.path).collect();
            let help = match paths.is_empty() {
                true => "name a field that stands before it, in the same struct or around it".to_owned(),
                false => alternatives(&path.value, &paths),
            };
            problems.error(path.place, format!("no field before this one is called `{}`", path.value), help);
        }
        found
    }

    /// The slot of a whole number.
    pub(super) fn number(&self, path: &At<String>, problems: &mut Problems) -> Option<usize> {
        let binding = self.find(path, problems)?;
        let what = match binding.kind {
            Kind::Number(_) => return Some(binding.slot),
            Kind::Text(_) => "is a text",
            Kind::Bool => "is one bit",
            Kind::Nothing(what) => what,
        };
        let what = format!("`{}` {what}", path.value);
        problems.error(path.place, what, "name a field that is a whole number");
        None
    }

    /// The slot of a field that is compared with 0.
    pub(super) fn flag(&self, path: &At<String>, problems: &mut Problems) -> Option<usize> {
        match &self.find(path, problems)?.kind {
            Kind::Number(_) | Kind::Bool => Some(self.find(path, problems)?.slot),
            _ => {
                let what = format!("`{}` is neither a number nor one bit", path.value);
                problems.error(path.place, what, "say which values count: `{field: NAME, is: [VALUE]}`");
                None
            }
        }
    }

    /// The slot of a field, and these values of it.
    pub(super) fn matches(
        &self,
        path: &At<String>,
        values: &[At<String>],
        problems: &mut Problems,
    ) -> Option<(usize, Matches)> {
        let binding = self.find(path, problems)?;
        let matches = match &binding.kind {
            Kind::Bool => Matches::Numbers(each(values, "`true` or `false`", problems, |text| match text {
                "true" | "1" => Some(1),
                "false" | "0" => Some(0),
                _ => None,
            })),
            Kind::Number(names) => Matches::Numbers(each(values, "a number or a name", problems, |text| {
                let named = names.iter().find(|(_, name)| **name == *text).map(|(value, _)| *value);
                named.or_else(|| number(text))
            })),
            Kind::Text(names) if names.is_empty() => {
                Matches::Texts(values.iter().map(|text| text.value.as_bytes().into()).collect())
            }
            Kind::Text(names) => {
                let texts = each(values, "one of the names", problems, |text| {
                    let is_it = |(value, name): &&(Box<[u8]>, Box<str>)| {
                        **name == *text || **value == *text.as_bytes()
                    };
                    names.iter().any(|entry| is_it(&entry)).then(|| {
                        let all = names.iter().filter(is_it).map(|(value, _)| value.clone());
                        all.collect::<Vec<_>>()
                    })
                });
                Matches::Texts(texts.into_iter().flatten().collect())
            }
            Kind::Nothing(what) => {
                let what = format!("`{}` {what}", path.value);
                problems.error(path.place, what, "name a field that is a whole number or a text");
                return None;
            }
        };
        Some((binding.slot, matches))
    }
}

fn each<T>(
    values: &[At<String>],
    wanted: &str,
    problems: &mut Problems,
    read: impl Fn(&str) -> Option<T>,
) -> Box<[T]> {
    let mut one = |value: &At<String>| {
        let read = read(&value.value);
        if read.is_none() {
            let what = format!("the field never is `{}`", value.value);
            problems.error(value.place, what, format!("give {wanted} of that field"));
        }
        read
    };
    values.iter().filter_map(&mut one).collect()
}

/// A whole number, in decimal or behind `0x`.
pub(super) fn number(text: &str) -> Option<i128> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok().map(i128::from),
        None => {
            let number: i128 = text.parse().ok()?;
            (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&number).then_some(number)
        }
    }
}
