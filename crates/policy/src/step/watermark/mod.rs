//! `watermark`: pictures that messages carry are marked with who gets them, for everybody to see and for nobody.

mod carried;
mod config;
mod template;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use config::RawWatermark;
pub(crate) use config::check;
use wicketgate_watermark::{Key, Limits, Marks, Quality, Refusal, Strength, Tag, Visible, Watch};

pub(crate) use self::carried::Carried;
use self::template::Template;
use super::memory::Part;
use super::{Effect, View};
use crate::fields::{Field, NodeId, Path, Shown};
use crate::finding::{Enforcement, Hit};

/// Pictures that are marked.
#[derive(Clone, Debug)]
pub(crate) struct Watermark(Arc<Settings>);

#[derive(Debug)]
struct Settings {
    /// Where they are; where there is none, every value of bytes is one.
    paths: Box<[Path]>,
    /// Whether what does not begin as a picture does goes on as it came.
    passes_others: bool,
    visible: Option<(Visible, Template)>,
    invisible: Option<(Key, Strength)>,
    quality: Quality,
    limits: Limits,
    most: usize,
}

/// A message's pictures, and what they are to be marked with.
#[derive(Debug)]
pub(crate) struct Marking {
    how: Watermark,
    text: String,
    tag: Tag,
    /// Those in the message, and the fields in which they stand.
    pub(crate) pictures: Vec<Picture>,
}

/// A picture in a message.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) field: NodeId,
    pub(crate) path: Box<str>,
    pub(crate) carried: Carried,
    memory: u64,
}

/// Why a field does not pass: a stable word, and more about it.
type Refused = (&'static str, String);

impl Watermark {
    pub(super) fn judge(&self, view: &View<'_>, enforcement: Enforcement, part: &mut Part) -> Effect {
        let mut pictures = Vec::new();
        let mut refused = None;
        let mut look = |field: Field<'_>| {
            if refused.is_some() {
                return;
            }
            match self.picture(&field) {
                Ok(Some(picture)) => pictures.push(picture),
                Ok(None) => {}
                Err(why) => refused = Some((field.path(), why)),
            }
            if pictures.len() > self.0.most {
                refused =
                    Some((field.path(), ("picture_count", format!("there are more than {}", self.0.most))));
            }
        };
        match &*self.0.paths {
            [] => {
                let bytes = view.fields.all().filter(|field| matches!(field.show(), Shown::Bytes(_)));
                bytes.for_each(&mut look);
            }
            paths => paths.iter().for_each(|path| {
                path.each(&view.fields, |field| field.with_inner().for_each(&mut look));
            }),
        }
        if let Some((path, (class, why))) = refused {
            return Effect::Violation(vec![Hit { path: path.into(), ..Hit::whole(class, why) }]);
        }
        // Two paths may lead to one field.
        pictures.sort_by_key(|picture| picture.field);
        pictures.dedup_by_key(|picture| picture.field);
        if pictures.is_empty() {
            return Effect::Pass;
        }
        let is_first = part.tag.is_none();
        let tag = *part.tag.get_or_insert_with(|| self.tag(view));
        // What happens to every picture is no finding; by the first one the operator knows the session's mark.
        let told = (is_first || enforcement == Enforcement::Observe).then(|| match self.0.invisible {
            Some(_) => Hit::whole("watermarked", format!("mark {tag}")),
            None => Hit::whole("watermarked", "visible text"),
        });
        let text = self.0.visible.as_ref().map(|(_, template)| template.fill(view)).unwrap_or_default();
        let marking = Marking { how: self.clone(), text, tag, pictures };
        Effect::Mark(told.into_iter().collect(), marking)
    }

    /// Whether it looks at nothing but values of bytes.
    pub(super) fn wants_bytes(&self) -> bool {
        self.0.paths.is_empty()
    }

    fn picture(&self, field: &Field<'_>) -> Result<Option<Picture>, Refused> {
        let limits = &self.0.limits;
        let carried = match field.show() {
            Shown::Bytes(bytes) => Ok(Carried::bytes(bytes, limits)),
            Shown::Text(text) => Carried::text(text, limits),
            Shown::List(_) | Shown::Map(_) | Shown::Null => return Ok(None),
            _ => Err(("not_a_picture", "it is neither bytes nor text".into())),
        };
        let seen = carried.and_then(|carried| {
            let header = carried.inspect(limits).map_err(|why| (why.label(), why.to_string()))?;
            Ok((carried, header))
        });
        match seen {
            Ok((carried, header)) => {
                let (field, path) = (field.id(), field.path().into());
                Ok(Some(Picture { field, path, carried, memory: header.memory() }))
            }
            Err((class, _)) if self.0.passes_others && class == Refusal::Unknown.label() => Ok(None),
            Err(why) => Err(why),
        }
    }

    /// What stands for the session in the invisible mark: another one each time, also after a restart.
    fn tag(&self, view: &View<'_>) -> Tag {
        let subject = view.facts.identity.as_ref().map(|identity| identity.subject.as_bytes());
        let (session, now) = (view.facts.session.to_be_bytes(), view.unix.as_nanos().to_be_bytes());
        let key = self.0.invisible.as_ref().map(|(key, _)| key);
        key.map_or(Tag(0), |key| key.tag(&[&session, &now, subject.unwrap_or_default()]))
    }
}

impl Marking {
    /// Bytes that the work takes at once, at most: the files, one picture's pixels, and what comes of it.
    pub(crate) fn memory(&self) -> u64 {
        let files: u64 = self.pictures.iter().map(|picture| picture.carried.len() as u64).sum();
        let pixels = self.pictures.iter().map(|picture| picture.memory).max().unwrap_or_default();
        // Base64 takes a third more; it stands there once by itself and once in the message.
        files + pixels + 4 * self.how.0.limits.size as u64 * self.pictures.len() as u64
    }

    /// Marks a picture.
    pub(crate) fn mark(&self, picture: &Picture, watch: &Watch<'_>) -> Result<Vec<u8>, Refusal> {
        let Settings { visible, invisible, quality, limits, .. } = &*self.how.0;
        let marks = Marks {
            visible: visible.as_ref().map(|(visible, _)| (visible, self.text.as_str())),
            invisible: invisible.as_ref().map(|(key, strength)| (key, self.tag, *strength)),
            quality: *quality,
        };
        wicketgate_watermark::mark(picture.carried.file(), &marks, limits, watch)
    }
}
