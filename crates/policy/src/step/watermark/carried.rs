//! How a message carries a picture: as bytes, or as text in base64.

use base64::Engine;
use wicketgate_watermark::{Header, Limits, Refusal, inspect};

use super::Refused;
use crate::rewrite::NewValue;
use crate::step::files::{STANDARD, URL};

/// A picture's file, and how it is carried.
#[derive(Debug)]
pub(crate) struct Carried {
    file: Vec<u8>,
    form: Form,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// As it is.
    Bytes,
    /// In base64, behind the beginning of a `data:` URL where there is one.
    Text { before: Box<str>, is_url: bool, is_padded: bool },
}

impl Carried {
    /// A value of bytes. What is too large is not copied whole: it will be refused.
    pub(super) fn bytes(bytes: &[u8], limits: &Limits) -> Self {
        let some = bytes.get(..limits.size.saturating_add(1)).unwrap_or(bytes);
        Self { file: some.to_vec(), form: Form::Bytes }
    }

    /// A text.
    pub(super) fn text(text: &str, limits: &Limits) -> Result<Self, Refused> {
        let not_base64 = |why: &str| (Refusal::Unknown.label(), why.to_owned());
        let encoded = match text.strip_prefix("data:") {
            Some(url) => {
                url.split_once(";base64,").ok_or_else(|| not_base64("a `data:` URL has no base64"))?.1
            }
            None => text,
        };
        if encoded.len() / 4 * 3 > limits.size.saturating_add(2) {
            return Err((Refusal::TooLarge.label(), Refusal::TooLarge.to_string()));
        }
        let is_url = encoded.bytes().any(|byte| byte == b'-' || byte == b'_');
        let engine = if is_url { &URL } else { &STANDARD };
        let file = engine.decode(encoded).map_err(|_| not_base64("the text is no base64"))?;
        let before = text.strip_suffix(encoded).unwrap_or_default().into();
        let is_padded = encoded.len().is_multiple_of(4);
        Ok(Self { file, form: Form::Text { before, is_url, is_padded } })
    }

    /// What the picture says of itself.
    pub(super) fn inspect(&self, limits: &Limits) -> Result<Header, Refusal> {
        inspect(&self.file, limits)
    }

    pub(super) fn file(&self) -> &[u8] {
        &self.file
    }

    pub(super) fn len(&self) -> usize {
        self.file.len()
    }

    /// Another file, carried in the same way.
    pub(crate) fn instead(&self, file: Vec<u8>) -> NewValue {
        match &self.form {
            Form::Bytes => NewValue::Bytes(file),
            Form::Text { before, is_url, is_padded } => {
                let mut text = before.to_string();
                let engine = if *is_url { &URL } else { &STANDARD };
                engine.encode_string(&file, &mut text);
                if !is_padded {
                    text.truncate(text.trim_end_matches('=').len());
                }
                NewValue::Text(text)
            }
        }
    }
}
