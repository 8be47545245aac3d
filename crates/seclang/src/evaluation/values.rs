//! The values of a request, by their collections.

use std::borrow::Cow;
use std::ops::Range;

use super::texts::{TextId, Texts};
use crate::request::{Part, Request, Source};
use crate::target::{Collection, Single};
use crate::transform::unescape;

/// A value of a request.
#[derive(Clone, Debug)]
pub(super) struct Value<'m> {
    pub(super) name: Cow<'m, [u8]>,
    pub(super) text: TextId,
    pub(super) source: Source,
    /// Its argument, where it is of one.
    pub(super) argument: Option<usize>,
}

/// All values of a request.
pub(super) struct Values<'m> {
    all: Vec<Value<'m>>,
    groups: [Range<usize>; GROUPS.len()],
}

/// Collections whose values a request has from the start; the values of each stand together.
pub(super) const GROUPS: [Collection; 21] = [
    Collection::ArgsGet,
    Collection::ArgsPost,
    Collection::ArgsGetNames,
    Collection::ArgsPostNames,
    Collection::Headers,
    Collection::HeadersNames,
    Collection::Cookies,
    Collection::CookiesNames,
    Collection::One(Single::Body),
    Collection::One(Single::BodyLength),
    Collection::One(Single::BodyProcessor),
    Collection::One(Single::Uri),
    Collection::One(Single::UriRaw),
    Collection::One(Single::Filename),
    Collection::One(Single::Basename),
    Collection::One(Single::Line),
    Collection::One(Single::Method),
    Collection::One(Single::Protocol),
    Collection::One(Single::QueryString),
    Collection::One(Single::RemoteAddr),
    Collection::One(Single::ArgsCombinedSize),
];

/// So many of them have any number of values.
pub(super) const UNITED: usize = 8;

/// The groups of a collection.
pub(super) fn groups(collection: Collection) -> Range<usize> {
    match collection {
        Collection::Args => 0..2,
        Collection::ArgsNames => 2..4,
        _ => match GROUPS.iter().position(|group| *group == collection) {
            Some(group) => group..group + 1,
            None => 0..0,
        },
    }
}

/// Whether a group's values come with the body alone.
pub(super) fn is_of_body(group: usize) -> bool {
    matches!(
        GROUPS.get(group),
        Some(
            Collection::ArgsPost
                | Collection::ArgsPostNames
                | Collection::One(Single::Body | Single::BodyLength | Single::ArgsCombinedSize)
        )
    )
}

impl<'m> Values<'m> {
    pub(super) fn new(request: &Request<'m>, texts: &mut Texts<'m>) -> Self {
        let mut values = Self {
            all: Vec::with_capacity(request.arguments.len() * 2 + 32),
            groups: std::array::from_fn(|_| 0..0),
        };
        for (group, collection) in GROUPS.into_iter().enumerate() {
            let start = values.all.len();
            values.fill(collection, request, texts);
            values.groups[group] = start..values.all.len();
        }
        values
    }

    pub(super) fn group(&self, group: usize) -> Range<usize> {
        self.groups.get(group).cloned().unwrap_or_default()
    }

    pub(super) fn value(&self, index: usize) -> Option<&Value<'m>> {
        self.all.get(index)
    }

    /// Bytes of arguments, headers and body.
    pub(super) fn size(&self, request: &Request<'_>) -> u64 {
        let of = |text: Option<&[u8]>| text.map_or(0, <[u8]>::len);
        let arguments = request.arguments.iter().map(|one| of(one.value) + of(one.key));
        let headers = request.headers.iter().map(|(name, value)| name.len() + value.len());
        (arguments.sum::<usize>() + headers.sum::<usize>() + request.body.len() + request.uri.len()) as u64
    }

    fn fill(&mut self, collection: Collection, request: &Request<'m>, texts: &mut Texts<'m>) {
        let other = Source::Other(collection.label());
        match collection {
            Collection::ArgsGet => self.arguments(Part::Query, request, texts),
            Collection::ArgsPost => self.arguments(Part::Body, request, texts),
            Collection::ArgsGetNames => self.keys(Part::Query, request, texts),
            Collection::ArgsPostNames => self.keys(Part::Body, request, texts),
            Collection::Headers => self.pairs(request.headers, false, &other, texts),
            Collection::HeadersNames => self.pairs(request.headers, true, &other, texts),
            Collection::Cookies => self.pairs(request.cookies, false, &other, texts),
            Collection::CookiesNames => self.pairs(request.cookies, true, &other, texts),
            Collection::One(single) => {
                if let Some(bytes) = self.single(single, request) {
                    self.push(Cow::Borrowed(b""), bytes, other, None, texts);
                }
            }
            _ => {}
        }
    }

    fn push(
        &mut self,
        name: Cow<'m, [u8]>,
        bytes: Cow<'m, [u8]>,
        source: Source,
        argument: Option<usize>,
        texts: &mut Texts<'m>,
    ) {
        let text = texts.add(bytes);
        self.all.push(Value { name, text, source, argument });
    }

    fn arguments(&mut self, part: Part, request: &Request<'m>, texts: &mut Texts<'m>) {
        for (at, argument) in request.arguments.iter().enumerate().filter(|(_, one)| one.part == part) {
            if let Some(value) = argument.value {
                self.push(argument.name.into(), value.into(), Source::Value(at), Some(at), texts);
            }
        }
    }

    fn keys(&mut self, part: Part, request: &Request<'m>, texts: &mut Texts<'m>) {
        for (at, argument) in request.arguments.iter().enumerate().filter(|(_, one)| one.part == part) {
            if let Some(key) = argument.key {
                self.push(argument.name.into(), key.into(), Source::Key(at), Some(at), texts);
            }
        }
    }

    fn pairs(&mut self, pairs: &[(&'m [u8], &'m [u8])], names: bool, source: &Source, texts: &mut Texts<'m>) {
        for &(name, value) in pairs {
            let bytes = if names { name } else { value };
            self.push(name.into(), bytes.into(), source.clone(), None, texts);
        }
    }

    fn single(&self, single: Single, request: &Request<'m>) -> Option<Cow<'m, [u8]>> {
        let uri = request.uri;
        let query = uri.iter().position(|byte| *byte == b'?');
        let filename = &uri[..query.unwrap_or(uri.len())];
        Some(match single {
            Single::Body | Single::BodyLength if request.body.is_empty() => return None,
            Single::Body => request.body.into(),
            Single::BodyLength => request.body.len().to_string().into_bytes().into(),
            Single::BodyProcessor if request.processor.is_empty() => return None,
            Single::BodyProcessor => request.processor.into(),
            Single::Uri => unescaped(uri),
            Single::UriRaw => uri.into(),
            Single::Filename => unescaped(filename),
            Single::Basename => basename(unescaped(filename))?,
            Single::Line => [request.method, b" ", uri, b" ", request.protocol].concat().into(),
            Single::Method => request.method.into(),
            Single::Protocol => request.protocol.into(),
            Single::QueryString => uri.get(query? + 1..)?.into(),
            Single::RemoteAddr => request.address?.to_string().into_bytes().into(),
            Single::ArgsCombinedSize => {
                let of = |text: Option<&[u8]>| text.map_or(0, <[u8]>::len);
                let sizes = request.arguments.iter().map(|one| of(one.value) + of(one.key));
                sizes.sum::<usize>().to_string().into_bytes().into()
            }
            Single::MatchedVar | Single::MatchedVarName | Single::UniqueId | Single::Zero => return None,
        })
    }
}

/// An address without its escapes; what is no escape stays.
fn unescaped(uri: &[u8]) -> Cow<'_, [u8]> {
    if !uri.contains(&b'%') {
        return uri.into();
    }
    let mut out = Vec::with_capacity(uri.len());
    unescape(uri, &mut out);
    out.into()
}

/// What stands behind the last slash; none where that is nothing.
fn basename(filename: Cow<'_, [u8]>) -> Option<Cow<'_, [u8]>> {
    let start = filename.iter().rposition(|byte| matches!(byte, b'/' | b'\\')).map_or(0, |at| at + 1);
    let name = match filename {
        Cow::Borrowed(filename) => filename.get(start..)?.into(),
        Cow::Owned(filename) => Cow::Owned(filename.get(start..)?.to_vec()),
    };
    (!name.is_empty()).then_some(name)
}
