//! Where fields end, as it is declared.

use wicketgate_config::{At, Place};

use super::compile::Compiler;
use super::config::RawField;
use super::length::{RawLength, RawLengthOf};
use super::program::{Count, Extent, Quote};
use super::scope::Frame;
use super::values;
use super::words::{RawEndian, RawType};

/// Where a field ends.
pub(super) fn of(
    compiler: &mut Compiler<'_>,
    raw: &RawField,
    what: RawType,
    place: Place,
    quote: Option<Quote>,
    frame: &Frame,
) -> Extent {
    if let (Some(or_end), None) = (&raw.or_end, &raw.until) {
        compiler.problems.error(or_end.place, "`or_end` stands without `until`", "remove it");
    }
    match (&raw.length, &raw.until) {
        (Some(length), Some(until)) => {
            let what = "the field has both `length` and `until`";
            let other = (until.place, "the other one");
            compiler.problems.clash(length.place, what, "keep the one by which it ends", other);
            Extent::Rest(0)
        }
        (Some(length), None) => bytes(compiler, length, raw.endian.as_ref(), frame),
        (None, Some(until)) => Extent::Until {
            delimiter: values::delimiter("until", until, compiler.problems),
            or_end: raw.or_end.as_ref().is_some_and(|at| at.value),
            quote,
        },
        (None, None) if what == RawType::Padding => {
            compiler.problems.error(place, "the padding has no length", "add `length:`, as in `length: 3`");
            Extent::Rest(0)
        }
        (None, None) if takes_the_rest(what) => Extent::Rest(0),
        (None, None) => Extent::Own,
    }
}

const fn takes_the_rest(what: RawType) -> bool {
    matches!(
        what,
        RawType::Text | RawType::Bytes | RawType::Integer | RawType::Decimal | RawType::Tlv | RawType::Pairs
    )
}

fn bytes(
    compiler: &mut Compiler<'_>,
    length: &At<RawLength>,
    endian: Option<&At<RawEndian>>,
    frame: &Frame,
) -> Extent {
    if let RawLength::With(RawLengthOf { field: None, prefix: None, plus, .. }) = &length.value {
        return match usize::try_from(plus.value.unsigned_abs()) {
            Ok(less) if plus.value < 0 => Extent::Rest(less),
            _ => {
                let help = "add `field:` or `prefix:`; `{plus: -4}` alone is all but the last 4 bytes";
                compiler.problems.error(length.place, "it is not said where the length stands", help);
                Extent::Rest(0)
            }
        };
    }
    count(compiler, length, endian, frame).map_or(Extent::Rest(0), Extent::Bytes)
}

/// A number of bytes or values; none for `rest`, and where it is not said right.
pub(super) fn count(
    compiler: &mut Compiler<'_>,
    raw: &At<RawLength>,
    endian: Option<&At<RawEndian>>,
    frame: &Frame,
) -> Option<Count> {
    let with = match &raw.value {
        RawLength::Number(number) => return Some(Count::Fixed(*number)),
        RawLength::Word(word) if word == "rest" => return None,
        RawLength::Word(field) => {
            let field = At { value: field.clone(), place: raw.place };
            return frame.number(&field, compiler.problems).map(|slot| Count::Slot(slot, 0));
        }
        RawLength::With(with) => with,
    };
    match (&with.field, &with.prefix) {
        (Some(field), None) => {
            frame.number(field, compiler.problems).map(|slot| Count::Slot(slot, with.plus.value))
        }
        (None, Some(prefix)) if prefix.value.is_whole() => {
            let number = compiler.number(prefix.value, with.endian.as_ref().or(endian));
            Some(Count::Prefix(number, with.plus.value))
        }
        (None, Some(prefix)) => {
            let what = format!("`{}` is no whole number", prefix.value.word());
            compiler.problems.error(prefix.place, what, "give a type such as `u16` or `varint`");
            None
        }
        _ => {
            let help = "give it either `field:` or `prefix:`";
            compiler.problems.error(raw.place, "it is not said where the number stands", help);
            None
        }
    }
}
