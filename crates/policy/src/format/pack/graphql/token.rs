//! The words and signs of a GraphQL document (October 2021, section 2.1), so many and no more.

use crate::format::pack::breach::{Breach, Measure};
use crate::format::pack::malformed;

pub(super) const FORMAT: &str = "GraphQL document";

/// A word or sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'d> {
    Name(&'d str),
    /// A number or text: what it is does not matter.
    Literal,
    /// `...`
    Spread,
    Sign(u8),
    End,
}

/// Reads a document word by word.
#[derive(Debug)]
pub(super) struct Tokens<'d> {
    text: &'d str,
    at: usize,
    left: usize,
}

impl<'d> Tokens<'d> {
    pub(super) const fn new(text: &'d str, most: usize) -> Self {
        Self { text, at: 0, left: most }
    }

    /// The next one.
    pub(super) fn next(&mut self) -> Result<Token<'d>, Breach> {
        self.skip();
        let rest = self.rest();
        let Some(first) = rest.bytes().next() else { return Ok(Token::End) };
        self.left = self.left.checked_sub(1).ok_or(Breach::Document(Measure::Tokens))?;
        let (token, length) = match first {
            b'!' | b'$' | b'&' | b'(' | b')' | b':' | b'=' | b'@' | b'[' | b']' | b'{' | b'|' | b'}' => {
                (Token::Sign(first), 1)
            }
            b'.' if rest.starts_with("...") => (Token::Spread, 3),
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                let name = length(rest, |byte| byte == b'_' || byte.is_ascii_alphanumeric());
                (Token::Name(rest.get(..name).unwrap_or_default()), name)
            }
            b'-' | b'0'..=b'9' => {
                // Whether it is a good number does not change what the document asks for.
                let number = 1 + length(rest.get(1..).unwrap_or_default(), |byte| {
                    byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-')
                });
                (Token::Literal, number)
            }
            b'"' => (Token::Literal, text(rest)?),
            _ => return Err(malformed(FORMAT)),
        };
        self.at += length;
        Ok(token)
    }

    /// The next one, which stays.
    pub(super) fn peek(&mut self) -> Result<Token<'d>, Breach> {
        let (at, left) = (self.at, self.left);
        let token = self.next();
        (self.at, self.left) = (at, left);
        token
    }

    fn rest(&self) -> &'d str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Goes past what means nothing: white space, commas, comments, a byte order mark.
    fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let past = match rest.bytes().next() {
                Some(b' ' | b'\t' | b'\n' | b'\r' | b',') => 1,
                Some(b'#') => length(rest, |byte| byte != b'\n' && byte != b'\r'),
                Some(_) if rest.starts_with('\u{feff}') => 3,
                _ => return,
            };
            self.at += past;
        }
    }
}

fn length(text: &str, belongs: impl Fn(u8) -> bool) -> usize {
    text.bytes().position(|byte| !belongs(byte)).unwrap_or(text.len())
}

/// How long a quoted text is, with its quotes.
fn text(rest: &str) -> Result<usize, Breach> {
    if let Some(block) = rest.strip_prefix("\"\"\"") {
        let mut from = 0;
        while let Some(at) = block.get(from..).and_then(|rest| rest.find("\"\"\"")) {
            let end = from + at;
            if !block.get(..end).is_some_and(|before| before.ends_with('\\')) {
                return Ok(3 + end + 3);
            }
            // `\"""` stands for three quotes.
            from = end + 3;
        }
        return Err(malformed(FORMAT));
    }
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            b'\n' | b'\r' => break,
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Ok(at + 1),
            _ => {}
        }
    }
    Err(malformed(FORMAT))
}
