//! The names of traces and spans: 16 and 8 bytes, never all zero, in 32 and 16 hexadecimal digits.

use std::fmt;

macro_rules! identifier {
    ($(#[doc = $doc:literal])+ $name:ident, $bytes:literal) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Its digits in text.
            pub const DIGITS: usize = 2 * $bytes;

            /// One that nobody else has.
            pub fn random() -> Self {
                loop {
                    let bytes: [u8; $bytes] = rand::random();
                    if bytes != [0; $bytes] {
                        return Self(bytes);
                    }
                }
            }

            /// Reads digits in lower case, and nothing else (W3C Trace Context, section 3.2.2).
            pub fn parse(text: &[u8]) -> Option<Self> {
                let text: &[u8; 2 * $bytes] = text.try_into().ok()?;
                let mut bytes = [0; $bytes];
                for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
                    let [high, low] = pair else { return None };
                    *byte = digit(*high)? << 4 | digit(*low)?;
                }
                (bytes != [0; $bytes]).then_some(Self(bytes))
            }

            /// Its bytes, the first digit's first.
            pub const fn bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

identifier! {
    /// The name of a trace: all that came of one request, at whoever had to do with it.
    TraceId, 16
}

identifier! {
    /// The name of a span in its trace.
    SpanId, 8
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let id = TraceId::random();
        assert_eq!(TraceId::parse(id.to_string().as_bytes()), Some(id));
        assert_ne!(id, TraceId::random());
        assert_eq!(
            SpanId::parse(b"00f067aa0ba902b7").map(|id| id.to_string()),
            Some("00f067aa0ba902b7".into())
        );
    }

    #[test]
    fn nothing_else_is_a_name() {
        for text in [
            "",
            "0000000000000000",
            "00F067AA0BA902B7",
            "00f067aa0ba902b",
            "00f067aa0ba902b7a",
            "00f067aa0ba902b\u{e9}",
        ] {
            assert_eq!(SpanId::parse(text.as_bytes()), None, "{text}");
        }
    }
}
