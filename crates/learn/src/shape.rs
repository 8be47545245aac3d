//! What the values of one field look like, summed up over all messages that have it.
//!
//! Everything is bounded: fields of a map, shapes in all. What is beyond that is not told apart, and the schema says so.

use wicketgate_policy::fields::{Field, Path, Shown};
use wicketgate_policy::reveals_secret;

use crate::secret;
use crate::text::{Texts, is_field_name};

/// Names of one map that are told apart; a map of more holds things under their ids.
const MAX_FIELDS: usize = 100;
/// Places of a list that are told apart.
const MAX_PLACES: usize = 8;
/// Shapes of one direction: 500 bytes each, so 2 MB, and about 100 bytes of the policy, which a file of 1 MiB has to hold.
const MAX_SHAPES: usize = 4_000;

/// What is known beside the values.
#[derive(Debug)]
pub(crate) struct Observer<'a> {
    /// Fields that the operator says are secret.
    pub(crate) marked: &'a [Path],
    /// Shapes that may still be made.
    left: usize,
}

impl<'a> Observer<'a> {
    pub(crate) const fn new(marked: &'a [Path]) -> Self {
        Self { marked, left: MAX_SHAPES }
    }

    fn take(&mut self) -> bool {
        let is_left = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_left
    }
}

/// What the values of a field look like.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    pub(crate) seen: u64,
    pub(crate) null: bool,
    pub(crate) truth: bool,
    pub(crate) whole: Option<Range<i128>>,
    pub(crate) broken: Option<Range<f64>>,
    course: Course,
    pub(crate) text: Option<Texts>,
    /// Lengths of bytes.
    pub(crate) bytes: Option<Range<u64>>,
    pub(crate) list: Option<Box<List>>,
    pub(crate) map: Option<Box<Map>>,
    /// Nothing but its type and length may be told.
    pub(crate) is_secret: bool,
}

/// How numbers went on from one to the next.
#[derive(Clone, Copy, Debug, Default)]
struct Course {
    last: f64,
    rises: u64,
    falls: u64,
}

/// The least and the most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range<T> {
    pub(crate) least: T,
    pub(crate) most: T,
}

/// Lists of a field.
#[derive(Clone, Debug)]
pub(crate) struct List {
    pub(crate) seen: u64,
    pub(crate) lengths: Range<u64>,
    pub(crate) items: Items,
}

/// What stands in lists.
#[derive(Clone, Debug)]
pub(crate) enum Items {
    /// All lists had as many values: one shape for each place.
    Places(Vec<Shape>),
    /// One shape for all.
    All(Box<Shape>),
    /// More than could be told apart.
    Unknown,
}

/// Maps of a field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Map {
    pub(crate) seen: u64,
    pub(crate) most: u64,
    /// In the order in which they came.
    pub(crate) fields: Vec<(Box<str>, Shape)>,
    /// What stands under names that are ids.
    pub(crate) others: Option<Shape>,
    /// More than could be told apart.
    pub(crate) is_unknown: bool,
}

impl Course {
    fn note(&mut self, number: f64) {
        self.rises += u64::from(number > self.last);
        self.falls += u64::from(number < self.last);
        self.last = number;
    }
}

impl<T: Copy + PartialOrd> Range<T> {
    fn note(range: &mut Option<Self>, value: T) {
        *range = Some(match *range {
            None => Self { least: value, most: value },
            Some(range) => range.join(Self { least: value, most: value }),
        });
    }

    fn join(self, other: Self) -> Self {
        Self {
            least: if other.least < self.least { other.least } else { self.least },
            most: if other.most > self.most { other.most } else { self.most },
        }
    }
}

impl Shape {
    /// Sums up one more value; `is_inside_secret` where it stands in a field that is secret.
    pub(crate) fn observe(&mut self, field: &Field<'_>, is_inside_secret: bool, observer: &mut Observer<'_>) {
        self.seen += 1;
        if is_inside_secret || secret::is_secret(field, observer.marked) {
            self.is_secret = true;
        }
        if self.is_secret
            && let Some(texts) = &mut self.text
        {
            texts.forget();
        }
        match field.show() {
            Shown::Null => self.null = true,
            Shown::Bool(_) => self.truth = true,
            Shown::Int(number) => self.count(number.into()),
            Shown::Uint(number) => self.count(number.into()),
            // A schema sees such a number as null.
            Shown::Float(number) if !number.is_finite() => self.null = true,
            Shown::Float(number) => {
                self.course.note(number);
                Range::note(&mut self.broken, number);
            }
            Shown::Text(text) => self.text.get_or_insert_with(Texts::new).observe(text, self.is_secret),
            Shown::Bytes(bytes) => Range::note(&mut self.bytes, bytes.len() as u64),
            Shown::List(_) => {
                let is_secret = self.is_secret;
                List::observe(&mut self.list, field, is_secret, observer);
            }
            Shown::Map(_) => {
                let is_secret = self.is_secret;
                self.map.get_or_insert_default().observe(field, is_secret, observer);
            }
        }
    }

    fn count(&mut self, number: i128) {
        self.course.note(number as f64);
        Range::note(&mut self.whole, number);
    }

    /// Whether its numbers mostly rise, as those of counters and clocks do: the largest that was seen is no border for them.
    pub(crate) const fn is_counter(&self) -> bool {
        let Course { rises, falls, .. } = self.course;
        rises * 2 >= self.seen && falls * 4 <= rises && rises > 3
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.seen += other.seen;
        self.course.rises += other.course.rises;
        self.course.falls += other.course.falls;
        self.null |= other.null;
        self.truth |= other.truth;
        self.is_secret |= other.is_secret;
        self.whole = joined(self.whole, other.whole);
        self.broken = joined(self.broken, other.broken);
        self.bytes = joined(self.bytes, other.bytes);
        self.text = match (self.text.take(), other.text) {
            (Some(mut texts), Some(others)) => {
                texts.merge(others);
                Some(texts)
            }
            (texts, others) => texts.or(others),
        };
        match (&mut self.list, other.list) {
            (Some(list), Some(others)) => list.merge(*others),
            (list, others) => *list = list.take().or(others),
        }
        match (&mut self.map, other.map) {
            (Some(map), Some(others)) => map.merge(*others),
            (map, others) => *map = map.take().or(others),
        }
        if self.is_secret
            && let Some(texts) = &mut self.text
        {
            texts.forget();
        }
    }

    /// The types that its values are of, a bit each.
    pub(crate) fn types(&self) -> u8 {
        [
            self.null,
            self.truth,
            self.whole.is_some() || self.broken.is_some(),
            self.text.is_some() || self.bytes.is_some(),
            self.list.is_some(),
            self.map.is_some(),
        ]
        .iter()
        .enumerate()
        .fold(0, |types, (number, is_there)| types | u8::from(*is_there) << number)
    }
}

fn joined<T: Copy + PartialOrd>(one: Option<Range<T>>, other: Option<Range<T>>) -> Option<Range<T>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.join(other)),
        (one, other) => one.or(other),
    }
}

impl List {
    fn observe(
        list: &mut Option<Box<Self>>,
        field: &Field<'_>,
        is_secret: bool,
        observer: &mut Observer<'_>,
    ) {
        let count = field.children().count();
        let length = Range { least: count as u64, most: count as u64 };
        let list = list.get_or_insert_with(|| {
            let items = Items::Places(Vec::new());
            Box::new(Self { seen: 0, lengths: length, items })
        });
        list.seen += 1;
        list.lengths = list.lengths.join(length);
        if let Items::Places(places) = &mut list.items
            && places.is_empty()
            && list.seen == 1
            && count <= MAX_PLACES
        {
            places.extend((0..count).filter(|_| observer.take()).map(|_| Shape::default()));
        }
        let is_even = list.lengths.least == list.lengths.most;
        if !matches!(&list.items, Items::Places(places) if is_even && places.len() == count) {
            list.flatten(observer);
        }
        for (number, child) in field.children().enumerate() {
            match &mut list.items {
                Items::Places(places) => {
                    if let Some(place) = places.get_mut(number) {
                        place.observe(&child, is_secret, observer);
                    }
                }
                Items::All(shape) => shape.observe(&child, is_secret, observer),
                Items::Unknown => {}
            }
        }
    }

    /// Places are not told apart any more.
    fn flatten(&mut self, observer: &mut Observer<'_>) {
        let Items::Places(places) = &mut self.items else { return };
        let mut places = std::mem::take(places).into_iter();
        self.items = match places.next().or_else(|| observer.take().then(Shape::default)) {
            None => Items::Unknown,
            Some(mut first) => {
                places.for_each(|place| first.merge(place));
                Items::All(Box::new(first))
            }
        };
    }

    fn merge(&mut self, mut other: Self) {
        self.seen += other.seen;
        self.lengths = self.lengths.join(other.lengths);
        let mut none = Observer { marked: &[], left: 1 };
        let is_even = self.lengths.least == self.lengths.most;
        if !is_even || matches!((&self.items, &other.items), (Items::All(_), _) | (_, Items::All(_))) {
            self.flatten(&mut none);
            none.left = 1;
            other.flatten(&mut none);
        }
        let items = std::mem::replace(&mut self.items, Items::Unknown);
        self.items = match (items, other.items) {
            (Items::All(mut one), Items::All(other)) => {
                one.merge(*other);
                Items::All(one)
            }
            (Items::Places(mut places), Items::Places(others)) => {
                places.iter_mut().zip(others).for_each(|(place, other)| place.merge(other));
                Items::Places(places)
            }
            _ => Items::Unknown,
        };
    }
}

impl Map {
    fn observe(&mut self, field: &Field<'_>, is_secret: bool, observer: &mut Observer<'_>) {
        self.seen += 1;
        let mut count = 0;
        for child in field.children() {
            count += 1;
            let name = child.key().unwrap_or_default();
            let place = match self.fields.iter().position(|(known, _)| **known == *name) {
                Some(place) => Some(place),
                // The name itself is not to be told where it says something.
                None if self.others.is_some() || !is_field_name(name) || reveals_secret(name) => None,
                None if self.is_unknown || !observer.take() => {
                    self.is_unknown = true;
                    continue;
                }
                None => {
                    self.fields.push((name.into(), Shape::default()));
                    Some(self.fields.len() - 1)
                }
            };
            match place.and_then(|place| self.fields.get_mut(place)) {
                Some((_, shape)) => shape.observe(&child, is_secret, observer),
                None => self.others.get_or_insert_default().observe(&child, is_secret, observer),
            }
            if self.fields.len() > MAX_FIELDS {
                self.widen();
            }
        }
        self.most = self.most.max(count);
    }

    /// Its names are ids: what stands under them is of one shape.
    fn widen(&mut self) {
        let mut shapes = std::mem::take(&mut self.fields).into_iter().map(|(_, shape)| shape);
        let mut others = self.others.take().or_else(|| shapes.next()).unwrap_or_default();
        shapes.for_each(|shape| others.merge(shape));
        self.others = Some(others);
    }

    fn merge(&mut self, other: Self) {
        self.seen += other.seen;
        self.most = self.most.max(other.most);
        self.is_unknown |= other.is_unknown;
        for (name, shape) in other.fields {
            match self.fields.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => known.merge(shape),
                None => self.fields.push((name, shape)),
            }
        }
        self.others = match (self.others.take(), other.others) {
            (Some(mut one), Some(other)) => {
                one.merge(other);
                Some(one)
            }
            (one, other) => one.or(other),
        };
        if self.fields.len() > MAX_FIELDS {
            self.widen();
        }
    }
}
