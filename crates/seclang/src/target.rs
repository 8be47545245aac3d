//! What a rule looks at: collections of values, or some of their values.

use crate::pattern::Pattern;

/// Values of a request under names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Collection {
    Args,
    ArgsGet,
    ArgsPost,
    ArgsNames,
    ArgsGetNames,
    ArgsPostNames,
    Headers,
    HeadersNames,
    Cookies,
    CookiesNames,
    /// Variables that rules set.
    Tx,
    MatchedVars,
    MatchedVarsNames,
    One(Single),
    /// What a message or a request's head never has, as files.
    Nothing,
}

/// A value that has no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Single {
    ArgsCombinedSize,
    Body,
    BodyLength,
    BodyProcessor,
    Uri,
    UriRaw,
    Filename,
    Basename,
    Line,
    Method,
    Protocol,
    QueryString,
    MatchedVar,
    MatchedVarName,
    RemoteAddr,
    UniqueId,
    /// An error or a size that is never there.
    Zero,
}

/// Which values of a collection are meant.
#[derive(Clone, Debug)]
pub(crate) enum Selection {
    All,
    /// Those of one name, whatever its case.
    Name(Box<[u8]>),
    /// Those whose name begins so, whatever its case.
    Prefix(Box<[u8]>),
    /// Those whose name it finds something in.
    Regex(Pattern),
}

/// Values that a rule looks at, or that it does not look at.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) collection: Collection,
    pub(crate) selection: Selection,
    /// How many there are is looked at.
    pub(crate) counted: bool,
}

/// A target as it is written.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) target: Target,
    /// Its values are left out.
    pub(crate) left_out: bool,
}

/// Why a target is none that can be looked at.
#[derive(Debug)]
pub(crate) struct Unknown(pub(crate) String);

impl Collection {
    /// The collection of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        use Single as One;
        Some(match name.to_ascii_uppercase().as_str() {
            "ARGS" => Self::Args,
            "ARGS_GET" => Self::ArgsGet,
            "ARGS_POST" => Self::ArgsPost,
            "ARGS_NAMES" => Self::ArgsNames,
            "ARGS_GET_NAMES" => Self::ArgsGetNames,
            "ARGS_POST_NAMES" => Self::ArgsPostNames,
            "REQUEST_HEADERS" => Self::Headers,
            "REQUEST_HEADERS_NAMES" => Self::HeadersNames,
            "REQUEST_COOKIES" => Self::Cookies,
            "REQUEST_COOKIES_NAMES" => Self::CookiesNames,
            "TX" => Self::Tx,
            "MATCHED_VARS" => Self::MatchedVars,
            "MATCHED_VARS_NAMES" => Self::MatchedVarsNames,
            "ARGS_COMBINED_SIZE" => Self::One(One::ArgsCombinedSize),
            "REQUEST_BODY" | "FULL_REQUEST" => Self::One(One::Body),
            "REQUEST_BODY_LENGTH" => Self::One(One::BodyLength),
            "REQBODY_PROCESSOR" => Self::One(One::BodyProcessor),
            "REQUEST_URI" => Self::One(One::Uri),
            "REQUEST_URI_RAW" => Self::One(One::UriRaw),
            "REQUEST_FILENAME" => Self::One(One::Filename),
            "REQUEST_BASENAME" => Self::One(One::Basename),
            "REQUEST_LINE" => Self::One(One::Line),
            "REQUEST_METHOD" => Self::One(One::Method),
            "REQUEST_PROTOCOL" => Self::One(One::Protocol),
            "QUERY_STRING" => Self::One(One::QueryString),
            "MATCHED_VAR" => Self::One(One::MatchedVar),
            "MATCHED_VAR_NAME" => Self::One(One::MatchedVarName),
            "REMOTE_ADDR" => Self::One(One::RemoteAddr),
            "UNIQUE_ID" => Self::One(One::UniqueId),
            "FILES_COMBINED_SIZE"
            | "REQBODY_ERROR"
            | "REQBODY_PROCESSOR_ERROR"
            | "MULTIPART_STRICT_ERROR"
            | "MULTIPART_UNMATCHED_BOUNDARY"
            | "URLENCODED_ERROR" => Self::One(One::Zero),
            "XML"
            | "FILES"
            | "FILES_NAMES"
            | "FILES_SIZES"
            | "FILES_TMPNAMES"
            | "FILES_TMP_CONTENT"
            | "MULTIPART_FILENAME"
            | "MULTIPART_NAME"
            | "MULTIPART_PART_HEADERS"
            | "AUTH_TYPE"
            | "REMOTE_USER" => Self::Nothing,
            _ => return None,
        })
    }

    /// How the names of its values begin.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Args => "ARGS",
            Self::ArgsGet => "ARGS_GET",
            Self::ArgsPost => "ARGS_POST",
            Self::ArgsNames => "ARGS_NAMES",
            Self::ArgsGetNames => "ARGS_GET_NAMES",
            Self::ArgsPostNames => "ARGS_POST_NAMES",
            Self::Headers => "REQUEST_HEADERS",
            Self::HeadersNames => "REQUEST_HEADERS_NAMES",
            Self::Cookies => "REQUEST_COOKIES",
            Self::CookiesNames => "REQUEST_COOKIES_NAMES",
            Self::Tx => "TX",
            Self::MatchedVars => "MATCHED_VARS",
            Self::MatchedVarsNames => "MATCHED_VARS_NAMES",
            Self::One(single) => single.label(),
            Self::Nothing => "FILES",
        }
    }

    /// Whether values of this collection are looked at where `other` is named.
    pub(crate) fn is_in(self, other: Self) -> bool {
        self == other
            || match other {
                Self::Args => matches!(self, Self::ArgsGet | Self::ArgsPost),
                Self::ArgsNames => matches!(self, Self::ArgsGetNames | Self::ArgsPostNames),
                Self::ArgsGet | Self::ArgsPost => self == Self::Args,
                Self::ArgsGetNames | Self::ArgsPostNames => self == Self::ArgsNames,
                _ => false,
            }
    }
}

impl Single {
    const fn label(self) -> &'static str {
        match self {
            Self::ArgsCombinedSize => "ARGS_COMBINED_SIZE",
            Self::Body => "REQUEST_BODY",
            Self::BodyLength => "REQUEST_BODY_LENGTH",
            Self::BodyProcessor => "REQBODY_PROCESSOR",
            Self::Uri => "REQUEST_URI",
            Self::UriRaw => "REQUEST_URI_RAW",
            Self::Filename => "REQUEST_FILENAME",
            Self::Basename => "REQUEST_BASENAME",
            Self::Line => "REQUEST_LINE",
            Self::Method => "REQUEST_METHOD",
            Self::Protocol => "REQUEST_PROTOCOL",
            Self::QueryString => "QUERY_STRING",
            Self::MatchedVar => "MATCHED_VAR",
            Self::MatchedVarName => "MATCHED_VAR_NAME",
            Self::RemoteAddr => "REMOTE_ADDR",
            Self::UniqueId => "UNIQUE_ID",
            Self::Zero => "REQBODY_ERROR",
        }
    }
}

impl Selection {
    /// Whether a value of this name is meant; the work that this took is added to `work`.
    pub(crate) fn has(&self, name: &[u8], work: &mut usize) -> bool {
        match self {
            Self::All => true,
            Self::Name(own) => own.eq_ignore_ascii_case(name),
            Self::Prefix(own) => {
                *work += own.len();
                name.get(..own.len()).is_some_and(|start| start.eq_ignore_ascii_case(own))
            }
            Self::Regex(regex) => regex.is_in_name(name, work),
        }
    }
}

impl Target {
    /// Whether it means this value.
    pub(crate) fn means(&self, collection: Collection, name: &[u8], work: &mut usize) -> bool {
        collection.is_in(self.collection) && self.selection.has(name, work)
    }

    /// Reads one, as `ARGS`, `&ARGS`, `TX:score` or `REQUEST_COOKIES:/^_ga/`.
    pub(crate) fn read(text: &str) -> Result<Self, Unknown> {
        let (counted, text) = text.strip_prefix('&').map_or((false, text), |rest| (true, rest));
        let (name, selection) = match text.split_once(':') {
            Some((name, selection)) => (name, Some(selection)),
            None => (text, None),
        };
        let collection = Collection::named(name).ok_or_else(|| Unknown(format!("the variable `{name}`")))?;
        let selection = match selection {
            None => Selection::All,
            Some(_) if collection == Collection::Nothing => Selection::All,
            Some(written) => {
                let written = written.trim_matches('\'');
                match written.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
                    Some(regex) => match prefix(regex) {
                        Some(prefix) => Selection::Prefix(prefix.as_bytes().into()),
                        None => Selection::Regex(
                            Pattern::new(&format!("(?i){regex}"))
                                .map_err(|fault| Unknown(format!("the selection `{written}`: {fault}")))?,
                        ),
                    },
                    None => Selection::Name(written.as_bytes().to_ascii_lowercase().into()),
                }
            }
        };
        Ok(Self { collection, selection, counted })
    }
}

/// What names begin with for which a pattern asks no more than that, as `^_ga` does.
fn prefix(regex: &str) -> Option<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    regex.strip_prefix('^').filter(|rest| !rest.is_empty() && rest.bytes().all(is_plain))
}

/// The targets of a rule, parted by `|`; a selection between slashes may hold one.
pub(crate) fn targets(text: &str) -> Vec<Result<Written, Unknown>> {
    let mut all = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = end_of_target(rest);
        let (one, behind) = rest.split_at(end);
        rest = behind.trim_start_matches(['|', ',']).trim_start();
        let (left_out, one) = one.trim().strip_prefix('!').map_or((false, one.trim()), |one| (true, one));
        if !one.is_empty() {
            all.push(Target::read(one).map(|target| Written { target, left_out }));
        }
    }
    all
}

fn end_of_target(text: &str) -> usize {
    let plain = text.find(['|', ',']).unwrap_or(text.len());
    let Some(colon) = text[..plain].find(':') else { return plain };
    let selection = text[colon + 1..].trim_start_matches('\'');
    if !selection.starts_with('/') || text[..colon].ends_with("XML") {
        return plain;
    }
    let start = text.len() - selection.len() + 1;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(start) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'/' if matches!(text.as_bytes().get(at + 1), None | Some(b'|' | b'\'' | b',')) => {
                return text[at..].find(['|', ',']).map_or(text.len(), |behind| at + behind);
            }
            _ => {}
        }
    }
    plain
}
