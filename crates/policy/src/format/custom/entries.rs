//! `tlv` and `pairs`, as they are declared.

use wicketgate_config::{At, Item, Place, Table};

use super::compile::{Compiler, Stand};
use super::config::RawField;
use super::program::{Number, Op, Pairs, Quote, Tlv};
use super::scope::{Frame, number};
use super::values;
use super::words::{RawEndian, RawType, RawUnknown};

impl Compiler<'_> {
    pub(super) fn tlv(&mut self, raw: RawField, place: Place, frame: &mut Frame) -> Tlv {
        let endian = raw.endian.as_ref();
        let (tag, size) = (self.whole(raw.tag.as_ref(), endian), self.whole(raw.size.as_ref(), endian));
        let keep = raw.unknown.is_some_and(|at| at.value == RawUnknown::Keep);
        let entries = raw.entries.unwrap_or(At { value: Table::default(), place });
        if entries.value.0.is_empty() && !keep {
            let help = "list them under `entries:`, or say `unknown: keep`";
            self.problems.error(entries.place, "no tag is listed, and others are refused", help);
        }
        let mut list: Vec<(i128, Op)> = Vec::new();
        for (tag, field) in entries.value.0 {
            if field.value.name.is_none() {
                self.problems.error(field.place, "the tag's value has no name", "add `name:`");
            }
            let Some(op) = self.value(field, Stand::Value { cut: false, quote: None }, frame) else {
                continue;
            };
            match number(&tag.value) {
                Some(number) if list.iter().all(|(known, _)| *known != number) => list.push((number, op)),
                Some(_) => self.problems.error(tag.place, "this tag is listed already", "list each once"),
                None => {
                    let what = format!("`{}` is no tag", tag.value);
                    self.problems.error(tag.place, what, "write a whole number, as in `1` or `0x1F`");
                }
            }
        }
        list.sort_by_key(|(tag, _)| *tag);
        let repeat = raw.repeat.is_some_and(|at| at.value);
        Tlv { tag, size, plus: raw.size_plus.map_or(0, |at| at.value), entries: list.into(), keep, repeat }
    }

    pub(super) fn pairs(
        &mut self,
        raw: RawField,
        place: Place,
        quote: Option<Quote>,
        frame: &mut Frame,
    ) -> Option<Pairs> {
        let Some(separator) = &raw.separator else {
            self.problems.error(place, "it is not said what parts the pairs", "add `separator: ';'`");
            return None;
        };
        let separator = values::delimiter("separator", separator, self.problems);
        let assign = match &raw.assign {
            Some(assign) => values::delimiter("assign", assign, self.problems),
            None => Box::from(*b"="),
        };
        let stand = Stand::Value { cut: true, quote };
        let entries = raw.entries.map(|at| at.value.0).unwrap_or_default();
        let keep = entries.is_empty() || raw.unknown.is_some_and(|at| at.value == RawUnknown::Keep);
        let mut list: Vec<(Box<str>, Op)> = Vec::new();
        for (name, field) in entries {
            if list.iter().any(|(known, _)| **known == *name.value) {
                self.problems.error(name.place, "this name is listed already", "list each once");
            }
            let op = self.value(field, stand, frame);
            list.extend(op.map(|op| (name.value.as_str().into(), op)));
        }
        list.sort_by(|(one, _), (other, _)| one.cmp(other));
        let text = RawField { what: Some(At::nowhere(RawType::Text)), ..RawField::default() };
        let item = raw.item.unwrap_or_else(|| Box::new(Item { value: text, ..Item::default() }));
        let other = self.value(*item, stand, frame);
        let other = other.filter(|_| keep).map(Box::new);
        Some(Pairs { separator, assign, quote, entries: list.into(), other })
    }

    fn whole(&mut self, raw: Option<&At<RawType>>, endian: Option<&At<RawEndian>>) -> Number {
        let what = raw.map_or(RawType::U8, |at| at.value);
        if let Some(raw) = raw.filter(|_| !what.is_whole()) {
            let what = format!("`{}` is no whole number", what.word());
            self.problems.error(raw.place, what, "give a type such as `u8`, `u16` or `varint`");
        }
        self.number(what, endian)
    }
}
