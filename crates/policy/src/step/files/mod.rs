//! `files`: what messages carry in bytes or in base64 is of a listed type, not too large, and no archive that bursts.

mod archive;
mod config;
mod kind;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
pub use config::RawFiles;
pub(crate) use config::check;

use self::archive::{Limits, Packed};
use self::kind::Kind;
use super::{Effect, View};
use crate::fields::{Field, Path, Shown};
use crate::finding::Hit;

/// What files pass.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    /// Where they are; where there is none, every value of bytes is one.
    paths: Box<[Path]>,
    /// The types that pass; any where there is none.
    types: Box<[&'static Kind]>,
    max_size: usize,
    archives: Limits,
}

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
pub(super) const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
pub(super) const URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Why a file does not pass: a stable word, and more about it.
type Refused = (&'static str, Cow<'static, str>);

impl Files {
    pub(super) fn judge(&self, view: &View<'_>) -> Effect {
        let mut hit = None;
        match &*self.paths {
            [] => {
                let mut bytes = view.fields.all().filter(|field| matches!(field.show(), Shown::Bytes(_)));
                hit = bytes.find_map(|field| self.look(&field));
            }
            paths => paths.iter().for_each(|path| {
                path.each(&view.fields, |field| {
                    if hit.is_none() {
                        hit = field.with_inner().find_map(|field| self.look(&field));
                    }
                });
            }),
        }
        hit.map_or(Effect::Pass, |hit| Effect::Violation(vec![hit]))
    }

    fn look(&self, field: &Field<'_>) -> Option<Hit> {
        let refused = match field.show() {
            Shown::Bytes(bytes) => self.file(bytes),
            Shown::Text(text) => self.text(text),
            Shown::List(_) | Shown::Map(_) | Shown::Null => Ok(()),
            _ => Err(("not_a_file", "it is neither bytes nor text".into())),
        };
        let (class, detail) = refused.err()?;
        Some(Hit { path: field.path().into(), ..Hit::whole(class, &*detail) })
    }

    /// A file in base64, with or without the beginning of a `data:` URL.
    fn text(&self, text: &str) -> Result<(), Refused> {
        let encoded = match text.strip_prefix("data:") {
            Some(url) => {
                url.split_once(";base64,").ok_or(("not_base64", "a `data:` URL has no base64".into()))?.1
            }
            None => text,
        };
        if encoded.len() / 4 * 3 > self.max_size.saturating_add(2) {
            return Err(self.too_large());
        }
        let is_url = encoded.bytes().any(|byte| byte == b'-' || byte == b'_');
        let engine = if is_url { &URL } else { &STANDARD };
        let file = engine.decode(encoded).map_err(|_| ("not_base64", "the text is no base64".into()))?;
        self.file(&file)
    }

    fn file(&self, file: &[u8]) -> Result<(), Refused> {
        if file.len() > self.max_size {
            return Err(self.too_large());
        }
        let kind = Kind::of(file);
        if !self.types.is_empty() && !kind.is_some_and(|kind| self.types.contains(&kind)) {
            let detail = match kind {
                Some(kind) => format!("the type {} is not listed", kind.name).into(),
                None => "its type is not known".into(),
            };
            return Err(("file_type", detail));
        }
        match kind.map(|kind| kind.packed) {
            None | Some(Packed::Nothing) => Ok(()),
            Some(packed) => archive::check(packed, file, &self.archives),
        }
    }

    fn too_large(&self) -> Refused {
        ("file_too_large", format!("it is larger than {} bytes", self.max_size).into())
    }
}
