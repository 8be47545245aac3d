//! What the invisible mark is made with, and what it says.

use std::fmt;

use aws_lc_rs::hmac;

/// A key: only who has it can find marks, or make them.
#[derive(Clone)]
pub struct Key(hmac::Key);

/// What the invisible mark says: 64 bits that stand for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag(pub u64);

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// A key out of a secret of any length.
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// A tag for what these bytes name: the same one each time, and of no use to guess another.
    pub fn tag(&self, name: &[&[u8]]) -> Tag {
        Tag(self.number("tag", name))
    }

    /// What a tag carries so that noise is not taken for one.
    pub(crate) fn check(&self, tag: Tag) -> u32 {
        (self.number("check", &[&tag.0.to_be_bytes()]) >> 32) as u32
    }

    /// Numbers without end that nobody foresees who has no key.
    pub(crate) fn stream(&self, purpose: &'static str) -> Stream {
        Stream { key: self.clone(), purpose, block: 0, left: Vec::new() }
    }

    fn number(&self, purpose: &str, parts: &[&[u8]]) -> u64 {
        let digest = self.digest(purpose, parts);
        let first = digest.as_ref().first_chunk().copied().unwrap_or_default();
        u64::from_be_bytes(first)
    }

    fn digest(&self, purpose: &str, parts: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(b"wicketgate watermark 1 ");
        for part in [purpose.as_bytes()].iter().chain(parts) {
            // With its length, so that no two lists of parts are one text.
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        context.sign()
    }
}

/// A secret that nobody can guess, for a key.
///
/// # Errors
/// The system gives no random bytes.
pub fn secret() -> Result<[u8; 32], aws_lc_rs::error::Unspecified> {
    let mut secret = [0; 32];
    aws_lc_rs::rand::fill(&mut secret)?;
    Ok(secret)
}

/// Numbers out of a key.
pub(crate) struct Stream {
    key: Key,
    purpose: &'static str,
    block: u64,
    left: Vec<u8>,
}

impl Stream {
    /// A number of 0 up to `below`, of 65536 at most; which ones are likelier differs by less than one in 60,000.
    pub(crate) fn below(&mut self, below: usize) -> usize {
        let wide = u64::from(self.byte()) << 24
            | u64::from(self.byte()) << 16
            | u64::from(self.byte()) << 8
            | u64::from(self.byte());
        ((wide * below as u64) >> 32) as usize
    }

    /// 1 or -1.
    pub(crate) fn sign(&mut self) -> f32 {
        if self.byte() & 1 == 0 { 1.0 } else { -1.0 }
    }

    fn byte(&mut self) -> u8 {
        if self.left.is_empty() {
            let digest = self.key.digest(self.purpose, &[&self.block.to_be_bytes()]);
            self.block += 1;
            self.left = digest.as_ref().to_vec();
        }
        self.left.pop().unwrap_or_default()
    }
}
