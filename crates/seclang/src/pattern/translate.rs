//! From PCRE's notation to the one that is matched in linear time.

/// A regular expression in the other notation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Translated {
    pub(crate) regex: String,
    /// It may find more: an atomic group or a possessive repetition became an ordinary one.
    pub(crate) wider: bool,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untranslatable {
    /// It looks ahead or behind.
    #[error("look-around `{0}`, which cannot be matched in linear time")]
    LookAround(&'static str),
    /// It refers to what a group found.
    #[error("a back-reference, which cannot be matched in linear time")]
    BackReference,
    /// It has an escape that has no like.
    #[error("the escape `\\{0}`")]
    Escape(char),
    /// It has a group that has no like.
    #[error("a group `(?{0}`")]
    Group(String),
    /// It is no regular expression.
    #[error("a class of characters that does not end")]
    OpenClass,
    /// It is one that cannot be compiled.
    #[error("a pattern that cannot be compiled: {0}")]
    Invalid(String),
    /// It would be too large.
    #[error("a pattern that is too large when compiled")]
    TooLarge,
}

struct Translator<'a> {
    rest: &'a [u8],
    out: String,
    wider: bool,
}

/// Translates a pattern, byte for byte.
pub(crate) fn translate(pattern: &[u8]) -> Result<Translated, Untranslatable> {
    let mut translator =
        Translator { rest: pattern, out: String::with_capacity(pattern.len() + 16), wider: false };
    while let Some(byte) = translator.next() {
        translator.item(byte)?;
    }
    Ok(Translated { regex: translator.out, wider: translator.wider })
}

impl Translator<'_> {
    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn eat(&mut self, text: &[u8]) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A byte that stands for itself.
    fn literal(&mut self, byte: u8) {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b' ' | b'_' => self.out.push(byte.into()),
            _ => self.out.push_str(&format!("\\x{byte:02X}")),
        }
    }

    fn item(&mut self, byte: u8) -> Result<(), Untranslatable> {
        match byte {
            b'\\' => self.escape(),
            b'[' => self.class(),
            b'(' => self.group(),
            b'*' | b'+' | b'?' => {
                self.out.push(byte.into());
                self.manner();
                Ok(())
            }
            b'{' => {
                match counted(self.rest) {
                    Some(length) => {
                        self.out.push('{');
                        self.out.push_str(&String::from_utf8_lossy(&self.rest[..length]));
                        self.rest = &self.rest[length..];
                        self.manner();
                    }
                    None => self.literal(b'{'),
                }
                Ok(())
            }
            b')' | b'|' | b'.' | b'^' | b'$' => {
                self.out.push(byte.into());
                Ok(())
            }
            _ => {
                self.literal(byte);
                Ok(())
            }
        }
    }

    /// What may stand behind a repetition.
    fn manner(&mut self) {
        if self.eat(b"?") {
            self.out.push('?');
        } else if self.eat(b"+") {
            self.wider = true;
        }
    }

    fn group(&mut self) -> Result<(), Untranslatable> {
        if !self.eat(b"?") {
            self.out.push('(');
            return Ok(());
        }
        for (mark, name) in [(&b"="[..], "(?="), (b"!", "(?!"), (b"<=", "(?<="), (b"<!", "(?<!")] {
            if self.eat(mark) {
                return Err(Untranslatable::LookAround(name));
            }
        }
        if self.eat(b">") {
            self.wider = true;
            self.out.push_str("(?:");
            return Ok(());
        }
        if self.eat(b"#") {
            while !matches!(self.next(), None | Some(b')')) {}
            return Ok(());
        }
        let end = self.rest.iter().position(|byte| matches!(byte, b':' | b')' | b'>')).unwrap_or(0);
        let head = String::from_utf8_lossy(&self.rest[..end]).into_owned();
        let names = head.strip_prefix("P<").or_else(|| head.strip_prefix('<'));
        let known = match names {
            Some(name) => !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'),
            None => head.bytes().all(|byte| b"ims-".contains(&byte)),
        };
        if !known {
            return Err(Untranslatable::Group(head));
        }
        self.out.push_str("(?");
        self.out.push_str(&head);
        if let Some(byte) = self.rest.get(end) {
            self.out.push((*byte).into());
            self.rest = &self.rest[end + 1..];
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Untranslatable> {
        let Some(byte) = self.next() else {
            self.literal(b'\\');
            return Ok(());
        };
        match byte {
            b'd' | b'D' | b'w' | b'W' | b's' | b'S' | b'b' | b'B' | b'A' | b'z' => {
                self.out.extend(['\\', byte.into()]);
            }
            b'Z' => self.out.push_str(r"(?:\n?\z)"),
            b'h' => self.out.push_str(r"[\t \xA0]"),
            b'H' => self.out.push_str(r"[^\t \xA0]"),
            b'v' => self.out.push_str(r"[\n\x0B\x0C\r\x85]"),
            b'V' => self.out.push_str(r"[^\n\x0B\x0C\r\x85]"),
            b'R' => self.out.push_str(r"(?:\r\n|[\n\x0B\x0C\r\x85])"),
            b'N' => self.out.push_str(r"[^\n]"),
            b'Q' => {
                while !self.rest.is_empty() && !self.eat(b"\\E") {
                    if let Some(byte) = self.next() {
                        self.literal(byte);
                    }
                }
            }
            b'E' => {}
            b'1'..=b'9' => return Err(Untranslatable::BackReference),
            _ => {
                let byte = self.escaped(byte)?;
                self.literal(byte);
            }
        }
        Ok(())
    }

    /// The byte that an escape stands for, within a class and outside.
    fn escaped(&mut self, byte: u8) -> Result<u8, Untranslatable> {
        Ok(match byte {
            b'a' => 7,
            b'e' => 27,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'0' => self.number(8, 2),
            b'x' => match self.eat(b"{") {
                true => {
                    let byte = self.number(16, 2);
                    if !self.eat(b"}") {
                        return Err(Untranslatable::Escape('x'));
                    }
                    byte
                }
                false => self.number(16, 2),
            },
            b'A'..=b'Z' | b'a'..=b'z' => return Err(Untranslatable::Escape(byte.into())),
            _ => byte,
        })
    }

    fn number(&mut self, base: u32, most: usize) -> u8 {
        let mut value = 0;
        for _ in 0..most {
            let Some(digit) = self.rest.first().and_then(|byte| char::from(*byte).to_digit(base)) else {
                break;
            };
            value = value * base + digit;
            self.rest = &self.rest[1..];
        }
        (value & 0xff) as u8
    }

    fn class(&mut self) -> Result<(), Untranslatable> {
        self.out.push('[');
        if self.eat(b"^") {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let byte = self.next().ok_or(Untranslatable::OpenClass)?;
            if byte == b']' && !first {
                break;
            }
            first = false;
            let Some(from) = self.member(byte)? else { continue };
            let is_range = self.rest.first() == Some(&b'-') && !matches!(self.rest.get(1), None | Some(b']'));
            if !is_range {
                self.literal(from);
                continue;
            }
            self.rest = &self.rest[1..];
            let behind = self.next().ok_or(Untranslatable::OpenClass)?;
            let written = self.out.len();
            match self.member(behind)? {
                Some(to) => {
                    self.literal(from);
                    self.out.push('-');
                    self.literal(to);
                }
                // Behind it is a class: both are members, and so is the `-`.
                None => {
                    let class = self.out.split_off(written);
                    self.literal(from);
                    self.literal(b'-');
                    self.out.push_str(&class);
                }
            }
        }
        self.out.push(']');
        Ok(())
    }

    /// A member of a class: the byte that it is, or none where it is a class and was written.
    fn member(&mut self, byte: u8) -> Result<Option<u8>, Untranslatable> {
        if byte == b'[' && self.rest.first() == Some(&b':') {
            // The colon that opens it does not close it.
            let end = self.rest[1..].windows(2).position(|pair| pair == b":]").map(|at| at + 1);
            let is_name = |end: &usize| {
                let name = &self.rest[1..*end];
                name.strip_prefix(b"^").unwrap_or(name).iter().all(u8::is_ascii_alphabetic)
            };
            if let Some(end) = end.filter(is_name) {
                self.out.push('[');
                self.out.push_str(&String::from_utf8_lossy(&self.rest[..end + 2]));
                self.rest = &self.rest[end + 2..];
                return Ok(None);
            }
        }
        if byte != b'\\' {
            return Ok(Some(byte));
        }
        let Some(escape) = self.next() else { return Err(Untranslatable::OpenClass) };
        match escape {
            b'd' | b'D' | b'w' | b'W' | b's' | b'S' => {
                self.out.extend(['\\', escape.into()]);
                Ok(None)
            }
            b'h' => {
                self.out.push_str(r"\t \xA0");
                Ok(None)
            }
            b'v' => {
                self.out.push_str(r"\n\x0B\x0C\r\x85");
                Ok(None)
            }
            b'b' => Ok(Some(8)),
            b'1'..=b'7' => {
                let digit = u32::from(escape - b'0');
                let length = self.rest.iter().take(2).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                let rest = if length == 0 { 0 } else { u32::from(self.number(8, length)) };
                Ok(Some(((digit << (3 * length)) + rest) as u8))
            }
            _ => self.escaped(escape).map(Some),
        }
    }
}

/// How long a counted repetition is behind its brace, with the brace that ends it.
fn counted(rest: &[u8]) -> Option<usize> {
    let end = rest.iter().position(|byte| *byte == b'}')?;
    let text = std::str::from_utf8(&rest[..end]).ok()?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let valid = match text.split_once(',') {
        None => is_number(text),
        Some((from, to)) => is_number(from) && (to.is_empty() || is_number(to)),
    };
    valid.then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regex(pattern: &str) -> String {
        translate(pattern.as_bytes()).map_or_else(|error| error.to_string(), |found| found.regex)
    }

    #[test]
    fn what_the_two_notations_read_differently_is_written_so_that_both_agree() {
        assert_eq!(regex(r"\/\<a\>"), r"\x2F\x3Ca\x3E");
        assert_eq!(regex(r"[[\]&&-]"), r"[\x5B\x5D\x26\x26\x2D]");
        assert_eq!(regex(r"[]a-c\d-]"), r"[\x5Da-c\d\x2D]");
        assert_eq!(regex(r"[\w-.]"), r"[\w\x2D\x2E]");
        assert_eq!(regex("a{2,}{x}"), r"a{2,}\x7Bx\x7D");
        assert_eq!(regex("[´]"), r"[\xC2\xB4]");
        assert_eq!(regex(r"[[:space:]a]"), r"[[:space:]a]");
        assert_eq!(regex(r"[[:^alpha:]a]"), r"[[:^alpha:]a]");
        assert_eq!(regex(r"[[:]a]"), r"[\x5B\x3A]a\x5D");
        assert_eq!(regex(r"\x5c\x{41}\h"), r"\x5CA[\t \xA0]");
    }

    #[test]
    fn what_has_no_like_is_told() {
        assert_eq!(translate(br"(?!a)"), Err(Untranslatable::LookAround("(?!")));
        assert_eq!(translate(br"(a)\1"), Err(Untranslatable::BackReference));
        assert_eq!(translate(b"[a"), Err(Untranslatable::OpenClass));
        assert_eq!(translate(b"(?x)a b"), Err(Untranslatable::Group("x".into())));
        assert!(translate(b"a++b").is_ok_and(|found| found.wider && found.regex == "a+b"));
    }
}
