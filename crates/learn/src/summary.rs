//! What was seen of each kind of message, each way: how often, how long, how fast, and what it says.

use std::collections::HashMap;
use std::time::Duration;

use wicketgate_policy::fields::{Field, Path, Shown};
use wicketgate_policy::{Direction, Heard, reveals_secret};

use crate::shape::{Observer, Shape};

/// Kinds of one direction that are told apart.
pub(crate) const MAX_KINDS: usize = 200;
/// Sessions and kinds whose rates are followed at once: 40 bytes each.
const MAX_RATES: usize = 100_000;
/// The longest kind that is told, in bytes.
const MAX_KIND: usize = 100;

/// How much one message says, as a policy's `bounds` have it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extent {
    pub(crate) depth: u64,
    pub(crate) values: u64,
    pub(crate) keys: u64,
    pub(crate) key: u64,
    pub(crate) text: u64,
}

/// One direction.
#[derive(Debug)]
pub(crate) struct Summary<'a> {
    pub(crate) direction: Direction,
    /// In the order in which they came.
    pub(crate) kinds: Vec<Kind>,
    pub(crate) extent: Extent,
    observer: Observer<'a>,
    /// The second that counts, and how many came in it, of each session and kind.
    rates: HashMap<(u64, usize), (u64, u64)>,
    /// Whether every message had a time, and none was beyond the bounds.
    pub(crate) has_rates: bool,
}

/// One kind of message, or all that begin alike.
#[derive(Debug)]
pub(crate) struct Kind {
    /// As `allow` has it: with `*` at the end for all that begin so.
    pub(crate) name: Box<str>,
    pub(crate) seen: u64,
    pub(crate) longest: u64,
    /// The most that came in one second of one session.
    pub(crate) per_second: u64,
    pub(crate) shape: Shape,
}

impl Kind {
    /// Whether it stands for all that begin so.
    pub(crate) fn is_open(&self) -> bool {
        self.name.ends_with('*')
    }
}

impl<'a> Summary<'a> {
    pub(crate) fn new(direction: Direction, marked: &'a [Path]) -> Self {
        let (kinds, extent, observer) = (Vec::new(), Extent::default(), Observer::new(marked));
        Self { direction, kinds, extent, observer, rates: HashMap::new(), has_rates: true }
    }

    pub(crate) fn observe(&mut self, heard: &Heard<'_>, session: u64, time: Option<Duration>) {
        let number = self.number(heard.kind);
        self.count_rate(number, session, time);
        let Some(kind) = self.kinds.get_mut(number) else { return };
        kind.seen += 1;
        kind.longest = kind.longest.max(heard.fields.payload().len() as u64);
        if let Some(root) = heard.fields.root() {
            kind.shape.observe(&root, false, &mut self.observer);
            self.extent.note(&root, 0);
            self.extent.values = self.extent.values.max(heard.fields.all().count() as u64);
        }
    }

    pub(crate) fn seen(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.seen).sum()
    }

    /// The number of a kind. Those beyond the bound, and names that say too much, are told by how they begin.
    fn number(&mut self, name: &str) -> usize {
        let known = |kinds: &[Kind], name: &str| kinds.iter().position(|kind| *kind.name == *name);
        if let Some(number) = known(&self.kinds, name) {
            return number;
        }
        let is_told = self.kinds.len() < MAX_KINDS
            && name.len() <= MAX_KIND
            && !name.contains('*')
            && !name.chars().any(char::is_control)
            && !reveals_secret(name);
        let name = match (is_told, name.split_once(':')) {
            (true, _) => name.to_owned(),
            (false, Some((first, _)))
                if first.len() <= MAX_KIND && !first.contains('*') && self.kinds.len() < 2 * MAX_KINDS =>
            {
                format!("{first}:*")
            }
            (false, _) => "*".to_owned(),
        };
        known(&self.kinds, &name).unwrap_or_else(|| {
            let (name, shape) = (name.into(), Shape::default());
            self.kinds.push(Kind { name, seen: 0, longest: 0, per_second: 0, shape });
            self.kinds.len() - 1
        })
    }

    fn count_rate(&mut self, number: usize, session: u64, time: Option<Duration>) {
        let Some(second) = time.map(|time| time.as_secs()).filter(|_| self.has_rates) else {
            self.has_rates = false;
            return;
        };
        if self.rates.len() >= MAX_RATES {
            self.has_rates = false;
            self.rates.clear();
            return;
        }
        let (last, count) = self.rates.entry((session, number)).or_insert((second, 0));
        if *last != second {
            (*last, *count) = (second, 0);
        }
        *count += 1;
        if let Some(kind) = self.kinds.get_mut(number) {
            kind.per_second = kind.per_second.max(*count);
        }
    }
}

impl Extent {
    fn note(&mut self, field: &Field<'_>, depth: u64) {
        self.key = self.key.max(field.key().map_or(0, |key| key.len() as u64));
        let depth = match field.show() {
            Shown::Text(text) => return self.text = self.text.max(text.len() as u64),
            Shown::Bytes(bytes) => return self.text = self.text.max(bytes.len() as u64),
            Shown::Map(count) => {
                self.keys = self.keys.max(count as u64);
                depth + 1
            }
            Shown::List(_) => depth + 1,
            _ => return,
        };
        self.depth = self.depth.max(depth);
        field.children().for_each(|child| self.note(&child, depth));
    }

    pub(crate) fn join(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            values: self.values.max(other.values),
            keys: self.keys.max(other.keys),
            key: self.key.max(other.key),
            text: self.text.max(other.text),
        }
    }
}
