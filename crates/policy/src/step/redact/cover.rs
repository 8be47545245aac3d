//! What takes the place of what is redacted.

use aws_lc_rs::hmac;
use wicketgate_config::Secret;

use super::pattern::Pattern;

/// What takes the place of a value, or of a piece of it.
#[derive(Clone, Debug)]
pub(super) enum Cover {
    /// `*` for every character; the last four digits of a card number stay.
    Mask,
    /// Nothing.
    Remove,
    /// The beginning of its keyed hash.
    Hash(Key),
    /// A text of the same look that follows from its keyed hash.
    Token(Key),
    /// This text.
    Text(Box<str>),
}

/// The key of hashes. AWS-LC wipes it when it is dropped.
#[derive(Clone, Debug)]
pub(super) struct Key(hmac::Key);

/// The hexadecimal digits of a hash that are kept: 128 bits.
const HASH_DIGITS: usize = 32;
/// The longest token, in characters.
const MAX_TOKEN: usize = 64;
/// What stands for a number or a truth value.
const SHORT_MASK: &str = "***";

impl Key {
    pub(super) fn new(secret: &Secret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes()))
    }

    fn hash(&self, text: &str) -> hmac::Tag {
        hmac::sign(&self.0, text.as_bytes())
    }
}

impl Cover {
    /// What was done, for a finding.
    pub(super) const fn done(&self) -> &'static str {
        match self {
            Self::Mask => "masked",
            Self::Remove => "removed",
            Self::Hash(_) => "hashed",
            Self::Token(_) => "made a token",
            Self::Text(_) => "replaced by a text",
        }
    }

    /// What takes the place of `text`; none where nothing does.
    pub(super) fn cover(&self, pattern: Option<Pattern>, text: &str) -> Option<String> {
        Some(match self {
            Self::Mask if pattern == Some(Pattern::Card) => mask_card(text),
            Self::Mask => text.chars().map(|_| '*').collect(),
            Self::Remove => return None,
            Self::Hash(key) => hexadecimal(key.hash(text).as_ref()),
            Self::Token(key) => token(key, pattern, text),
            Self::Text(new) => new.to_string(),
        })
    }

    /// What takes the place of something whose length would tell what it is.
    pub(super) fn short(&self, text: &str) -> Option<String> {
        match self {
            Self::Mask => Some(SHORT_MASK.into()),
            _ => self.cover(None, text),
        }
    }
}

/// The last four digits stay, and what parts them.
fn mask_card(text: &str) -> String {
    let mut left = text.bytes().filter(u8::is_ascii_digit).count();
    let mut mask = |c: char| {
        if !c.is_ascii_digit() {
            return c;
        }
        left -= 1;
        if left < 4 { c } else { '*' }
    };
    text.chars().map(&mut mask).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).take(HASH_DIGITS).collect()
}

/// A digit for a digit, a letter for a letter, and everything else as it is: the same for the same text and key. A card
/// number's begins with 0, as no card does.
fn token(key: &Key, pattern: Option<Pattern>, text: &str) -> String {
    let tag = key.hash(text);
    let mut random = (0u8..).flat_map(|block| {
        let mut context = hmac::Context::with_key(&key.0);
        context.update(tag.as_ref());
        context.update(&[block]);
        context.sign().as_ref().to_vec()
    });
    let mut is_first = true;
    let mut other = |c: char| {
        // 256 is no multiple of 10 or 26: it is a placeholder, not a cipher.
        let byte = random.next().unwrap_or_default();
        let new = match c {
            '0'..='9' if is_first && pattern == Some(Pattern::Card) => '0',
            '0'..='9' => char::from(b'0' + byte % 10),
            'A'..='Z' => char::from(b'A' + byte % 26),
            c if c.is_alphabetic() => char::from(b'a' + byte % 26),
            c => return c,
        };
        is_first = false;
        new
    };
    text.chars().take(MAX_TOKEN).map(&mut other).collect()
}
