//! Many phrases at once, whatever their case.

use std::sync::Arc;

use crate::byte_set::ByteSet;

/// Phrases of which one has to stand in a value. Those of several bytes are looked for with the literals of all rules.
#[derive(Clone, Debug)]
pub(crate) struct Phrases {
    /// In small letters.
    pub(crate) long: Arc<[Vec<u8>]>,
    /// Those of one byte.
    pub(crate) short: ByteSet,
}

impl Phrases {
    pub(crate) fn new(phrases: &[String]) -> Self {
        let (mut long, mut short) = (Vec::new(), ByteSet::NONE);
        for phrase in phrases {
            match phrase.as_bytes().to_ascii_lowercase().as_slice() {
                [] => {}
                [byte] => short = short.with(*byte),
                phrase => long.push(phrase.to_vec()),
            }
        }
        long.sort_unstable();
        long.dedup();
        Self { long: long.into(), short }
    }
}

/// The phrases of `@pm`; between bars stand the digits of bytes: `a|0d 0a|b`.
pub(super) fn words(argument: &str) -> Vec<String> {
    argument.split_whitespace().map(unescaped).collect()
}

fn unescaped(word: &str) -> String {
    let parts: Vec<&str> = word.split('|').collect();
    let is_hex = |part: &&str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    match parts.as_slice() {
        [before, hex, after] if is_hex(hex) => {
            let byte = u8::from_str_radix(hex, 16).unwrap_or_default();
            format!("{before}{}{after}", char::from(byte & 0x7f))
        }
        _ => word.to_owned(),
    }
}
