//! `Sec-WebSocket-Extensions` (RFC 6455 section 9.1), read in one pass and bounded.

use std::fmt;

use http::HeaderValue;

use super::tokens::{Length, ListBounds, ListError, Token, is_space, is_token_byte, visible};

/// What a handshake may ask for: browsers send one extension with one parameter.
///
/// Worst case in memory: about 40 bytes a byte of header, 160 KiB while a handshake lasts.
pub const BOUNDS: ListBounds = ListBounds { max_bytes: 4096, max_elements: 16, max_parameters: 16 };

/// One extension, offered or agreed, with its parameters in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// The registered name.
    pub name: Token,
    /// Parameter names with their values, if they have one.
    pub params: Vec<(Token, Option<Token>)>,
}

impl Extension {
    /// An extension without parameters.
    pub fn new(name: Token) -> Self {
        Self { name, params: Vec::new() }
    }

    /// Adds a parameter.
    pub fn with(mut self, name: Token, value: Option<Token>) -> Self {
        self.params.push((name, value));
        self
    }
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (name, value) in &self.params {
            write!(f, "; {name}")?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

/// Reads all lines of the header.
pub fn parse<'a>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
    bounds: &ListBounds,
) -> Result<Vec<Extension>, ListError> {
    let mut length = Length::new(bounds);
    let mut found = Vec::new();
    let mut elements = 0;
    for line in lines {
        length.count(line)?;
        let mut rest = Cursor(line.as_bytes());
        loop {
            elements += 1;
            if elements > bounds.max_elements {
                return Err(ListError::TooMany);
            }
            rest.skip_spaces();
            // RFC 9110 section 5.6.1.2: an empty element is ignored.
            if !rest.at_end_or(b',') {
                found.push(rest.extension(bounds)?);
            }
            if !rest.take(b',') {
                break;
            }
        }
        if !rest.0.is_empty() {
            return Err(ListError::Syntax);
        }
    }
    Ok(found)
}

/// Writes a header line; `None` if there is nothing to write.
pub fn header_value(extensions: &[Extension]) -> Option<HeaderValue> {
    let text = extensions.iter().map(Extension::to_string).collect::<Vec<_>>().join(", ");
    (!text.is_empty()).then(|| visible(text.as_bytes()))
}

/// What is left of a line.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    /// `extension = token *( ";" param )`, with the space after it.
    fn extension(&mut self, bounds: &ListBounds) -> Result<Extension, ListError> {
        let mut extension = Extension::new(self.token()?);
        self.skip_spaces();
        while self.take(b';') {
            if extension.params.len() == bounds.max_parameters {
                return Err(ListError::TooMany);
            }
            self.skip_spaces();
            let name = self.token()?;
            self.skip_spaces();
            let value = if self.take(b'=') {
                self.skip_spaces();
                Some(if self.take(b'"') { self.quoted()? } else { self.token()? })
            } else {
                None
            };
            extension.params.push((name, value));
            self.skip_spaces();
        }
        Ok(extension)
    }

    fn token(&mut self) -> Result<Token, ListError> {
        let length = self.0.iter().take_while(|byte| is_token_byte(**byte)).count();
        let (token, rest) = self.0.split_at(length);
        self.0 = rest;
        Token::from_bytes(token).ok_or(ListError::Syntax)
    }

    /// The rest of a quoted string, whose content must be a token once it is unquoted.
    fn quoted(&mut self) -> Result<Token, ListError> {
        let mut content = Vec::new();
        loop {
            let byte = match self.next()? {
                b'"' => return Token::from_bytes(&content).ok_or(ListError::Syntax),
                b'\\' => self.next()?,
                byte => byte,
            };
            content.push(byte);
        }
    }

    fn next(&mut self) -> Result<u8, ListError> {
        let (first, rest) = self.0.split_first().ok_or(ListError::Syntax)?;
        self.0 = rest;
        Ok(*first)
    }

    fn take(&mut self, wanted: u8) -> bool {
        match self.0 {
            [first, rest @ ..] if *first == wanted => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn skip_spaces(&mut self) {
        while let [first, rest @ ..] = self.0
            && is_space(*first)
        {
            self.0 = rest;
        }
    }

    fn at_end_or(&self, byte: u8) -> bool {
        self.0.first().is_none_or(|first| *first == byte)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn read(lines: &[&str]) -> Result<Vec<String>, ListError> {
        let lines: Vec<HeaderValue> = lines.iter().map(|line| HeaderValue::from_str(line).unwrap()).collect();
        Ok(parse(&lines, &BOUNDS)?.iter().map(Extension::to_string).collect())
    }

    #[test]
    fn lists_parameters_and_quoted_tokens_are_read() {
        let all = read(&["a ; x=1;y , b;z=\"10\"", "", ",c;q=\"\\a\\b\" ,"]).unwrap();
        assert_eq!(all, ["a; x=1; y", "b; z=10", "c; q=ab"]);
    }

    #[test]
    fn each_break_of_the_grammar_is_refused() {
        for bad in [
            ";a",
            "a;",
            "a;;b",
            "a;=1",
            "a;b=",
            "a;b=\"",
            "a;b=\"\"",
            "a;b=\"x y\"",
            "a;b=\"x\\",
            "a b",
            "a;b=1 2",
            "a=1",
            "a;b=\"x\"y",
            "a;b==1",
            "\"a\"",
            "a;\"b\"",
            "a;b='1;c",
            "a/1",
            "a;b=\"\\\"\"",
        ] {
            let expected = if bad == "a;b='1;c" { Ok(()) } else { Err(ListError::Syntax) };
            assert_eq!(read(&[bad]).map(drop), expected, "{bad}");
        }
    }

    #[test]
    fn bounds_hold_before_anything_is_kept() {
        let long = "a".repeat(BOUNDS.max_bytes + 1);
        assert_eq!(read(&[&long]), Err(ListError::TooLong));
        assert_eq!(read(&[&long[..4000], &long[..97]]), Err(ListError::TooLong));
        assert_eq!(read(&[&",".repeat(BOUNDS.max_elements)]), Err(ListError::TooMany));
        assert_eq!(read(&["a"; 17]), Err(ListError::TooMany));
        assert_eq!(read(&["a"; 16]).unwrap().len(), 16);
        let params = |count: usize| format!("a{}", ";b".repeat(count));
        assert_eq!(read(&[&params(17)]), Err(ListError::TooMany));
        assert_eq!(read(&[&params(16)]).unwrap().len(), 1);
    }

    fn token() -> impl Strategy<Value = Token> {
        proptest::sample::select(vec!["a", "permessage-deflate", "x-webkit!#$%&'*+.^_`|~", "15", "B"])
            .prop_map(|text| Token::new(text).unwrap())
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            list in prop::collection::vec(
                (token(), prop::collection::vec((token(), prop::option::of(token())), 0..5)), 1..8)
        ) {
            let list: Vec<Extension> =
                list.into_iter().map(|(name, params)| Extension { name, params }).collect();
            let line = header_value(&list).unwrap();
            prop_assert_eq!(parse([&line], &BOUNDS).unwrap(), list);
        }

        #[test]
        fn any_bytes_give_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(line) = HeaderValue::from_bytes(&bytes)
                && let Ok(list) = parse([&line], &BOUNDS)
                && let Some(written) = header_value(&list)
            {
                prop_assert_eq!(parse([&written], &BOUNDS).unwrap(), list);
            }
        }
    }
}
