//! Values that a declared format lists: names for numbers and texts, constants, delimiters.

use wicketgate_config::{At, Place, Problems, Table};

use super::config::RawField;
use super::scope::number;

/// The most values of one list.
const MAX_VALUES: usize = 1_000;
/// The longest delimiter, in bytes.
const MAX_DELIMITER: usize = 16;

/// The names of numbers.
pub(super) fn numbers(raw: Option<&At<Table<At<String>>>>, problems: &mut Problems) -> Vec<(i128, Box<str>)> {
    listed(raw, problems, |value, problems| {
        let read = number(&value.value);
        if read.is_none() {
            let what = format!("`{}` is no whole number", value.value);
            problems.error(value.place, what, "write it in decimal, or as in `0x1F`");
        }
        read
    })
}

/// The names of texts.
pub(super) fn texts(
    raw: Option<&At<Table<At<String>>>>,
    problems: &mut Problems,
) -> Vec<(Box<[u8]>, Box<str>)> {
    listed(raw, problems, |value, _| Some(value.value.as_bytes().into()))
}

fn listed<K: PartialEq>(
    raw: Option<&At<Table<At<String>>>>,
    problems: &mut Problems,
    read: impl Fn(&At<String>, &mut Problems) -> Option<K>,
) -> Vec<(K, Box<str>)> {
    let Some(raw) = raw else { return Vec::new() };
    let mut list: Vec<(K, Box<str>)> = Vec::new();
    if raw.value.0.is_empty() || raw.value.0.len() > MAX_VALUES {
        let what = format!("{} values are listed", raw.value.0.len());
        problems.error(raw.place, what, format!("list 1 to {MAX_VALUES}, or leave the key out"));
    }
    for (value, name) in raw.value.0.iter().take(MAX_VALUES) {
        let Some(key) = read(value, problems) else { continue };
        if list.iter().any(|(known, _)| *known == key) {
            let what = format!("`{}` has a name already", value.value);
            problems.error(value.place, what, "give each value one name");
        }
        list.push((key, name.value.as_str().into()));
    }
    list
}

/// What has to stand in a constant.
pub(super) fn constant(raw: &RawField, place: Place, problems: &mut Problems) -> Option<Box<[u8]>> {
    let bytes = match (&raw.value, &raw.hex) {
        (Some(text), None) => Some(text.value.as_bytes().to_vec()),
        (None, Some(text)) => {
            let bytes = hex(&text.value);
            if bytes.is_none() {
                problems.error(text.place, "this is no hexadecimal", "write two digits a byte: `'57 47'`");
                return None;
            }
            bytes
        }
        _ => None,
    };
    let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else {
        let help = "give it either `value:` with a text, or `hex:` with bytes";
        problems.error(place, "it is not said what has to stand in the constant", help);
        return None;
    };
    Some(bytes.into())
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> =
        text.chars().filter(|c| !c.is_ascii_whitespace()).map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    pairs.map(|pair| u8::try_from(pair[0] << 4 | pair[1]).ok()).collect()
}

/// A text at which others end.
pub(super) fn delimiter(key: &str, raw: &At<String>, problems: &mut Problems) -> Box<[u8]> {
    if raw.is_empty() || raw.len() > MAX_DELIMITER {
        let what = format!("`{key}` has {} bytes", raw.len());
        problems.error(raw.place, what, format!("give a text of 1 to {MAX_DELIMITER} bytes"));
    }
    raw.value.as_bytes().into()
}
