//! Another path for the upstream.

use std::borrow::Cow;

use http::uri::{InvalidUri, PathAndQuery};
use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems};

use super::path::normalise_path;
use super::pattern::PathPattern;

/// Another path for the upstream. The query stays as it is.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawRewrite {
    /// Taken from the front of the path, at a slash: `/ws` makes `/ws/chat` to `/chat`, and `/ws` to `/`. Every path
    /// of the route must begin with it.
    pub strip_prefix: Option<At<String>>,
    /// Put before the path, after `strip_prefix`: `/v2` makes `/chat` to `/v2/chat`.
    pub add_prefix: Option<At<String>>,
    /// This path in place of any other.
    pub path: Option<At<String>>,
}

/// Another path for the upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Rewrite {
    /// The path that was matched.
    #[default]
    Keep,
    /// One prefix in place of another; neither ends with a slash.
    Prefix {
        /// What is taken from the front.
        strip: Box<str>,
        /// What is put before.
        add: Box<str>,
    },
    /// This path in place of any other.
    Path(Box<str>),
}

impl Rewrite {
    /// The path for the upstream, from the normalised path that was matched.
    pub fn path<'a>(&'a self, path: &'a str) -> Cow<'a, str> {
        match self {
            Self::Keep => Cow::Borrowed(path),
            Self::Path(fixed) => Cow::Borrowed(fixed),
            Self::Prefix { strip, add } => {
                let rest =
                    path.strip_prefix(&**strip).filter(|rest| rest.is_empty() || rest.starts_with('/'));
                match (rest.unwrap_or(path), &**add) {
                    ("", "") => Cow::Borrowed("/"),
                    (rest, "") => Cow::Borrowed(rest),
                    (rest, add) => Cow::Owned(format!("{add}{rest}")),
                }
            }
        }
    }

    /// The path for the upstream with the request's query.
    pub fn target(&self, path: &str, query: Option<&str>) -> Result<PathAndQuery, InvalidUri> {
        match (self.path(path), query) {
            (path, None) => PathAndQuery::try_from(&*path),
            (path, Some(query)) => PathAndQuery::try_from(format!("{path}?{query}")),
        }
    }
}

impl RawRewrite {
    pub(super) fn check(self, paths: &[PathPattern], problems: &mut Problems) -> Rewrite {
        if let Some(path) = self.path {
            if let Some(other) = self.strip_prefix.or(self.add_prefix) {
                let what = "`path` leaves no prefix to change";
                problems.clash(other.place, what, "keep `path` or the prefixes", (path.place, "`path` here"));
            }
            check_path(&path, problems);
            return Rewrite::Path(path.value.into());
        }
        if let Some(strip) = &self.strip_prefix {
            let covers = |pattern: &PathPattern| {
                let literal = pattern.literal_prefix();
                let rest = literal.strip_prefix(trimmed(strip));
                rest.is_some_and(|rest| {
                    rest.starts_with('/') || rest.is_empty() && matches!(pattern, PathPattern::Exact(_))
                })
            };
            if let Some(pattern) = paths.iter().find(|pattern| !covers(pattern)) {
                problems.error(
                    strip.place,
                    format!("the route's path `{pattern}` need not begin with `{}/`", trimmed(strip)),
                    "strip a prefix that all paths of the route have",
                );
            }
        }
        let prefix = |prefix: Option<At<String>>, problems: &mut Problems| -> Box<str> {
            let Some(prefix) = prefix else { return Box::default() };
            check_path(&prefix, problems);
            trimmed(&prefix).into()
        };
        let strip = prefix(self.strip_prefix, problems);
        let add = prefix(self.add_prefix, problems);
        if strip.is_empty() && add.is_empty() { Rewrite::Keep } else { Rewrite::Prefix { strip, add } }
    }
}

fn trimmed(prefix: &str) -> &str {
    prefix.strip_suffix('/').unwrap_or(prefix)
}

fn check_path(path: &At<String>, problems: &mut Problems) {
    match normalise_path(path) {
        Ok(normal) if *normal != **path => {
            problems.error(
                path.place,
                format!("`{}` is not a normal path", path.value),
                format!("write `{normal}`"),
            );
        }
        Ok(_) if PathAndQuery::try_from(path.as_str()).is_ok() => {}
        Ok(_) => {
            problems.error(path.place, format!("`{}` is no path", path.value), "give one such as `/a/b`");
        }
        Err(error) => {
            problems.error(
                path.place,
                format!("`{}` is no path: {error}", path.value),
                "give one such as `/a/b`",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rewrite(strip: &str, add: &str, fixed: &str, paths: &[&str]) -> Result<Rewrite, String> {
        let at = |text: &str| (!text.is_empty()).then(|| At::nowhere(text.to_owned()));
        let raw = RawRewrite { strip_prefix: at(strip), add_prefix: at(add), path: at(fixed) };
        let paths: Vec<_> = paths.iter().map(|path| PathPattern::parse(path).unwrap()).collect();
        let mut problems = Problems::default();
        let rewrite = raw.check(&paths, &mut problems);
        match problems.iter().next() {
            Some(problem) => Err(problem.what.clone()),
            None => Ok(rewrite),
        }
    }

    #[test]
    fn paths_are_rewritten() {
        for (strip, add, fixed, path, want) in [
            ("", "", "", "/a", "/a"),
            ("/ws", "", "", "/ws", "/"),
            ("/ws", "", "", "/ws/", "/"),
            ("/ws/", "", "", "/ws/a", "/a"),
            ("/ws", "/v2", "", "/ws/a", "/v2/a"),
            ("/ws", "/v2", "", "/ws", "/v2"),
            ("", "/v2/", "", "/ws", "/v2/ws"),
            ("", "", "/x", "/ws/a", "/x"),
        ] {
            let rewrite = rewrite(strip, add, fixed, &["/ws", "/ws/*"]).unwrap();
            assert_eq!(rewrite.path(path), want, "{strip} {add} {fixed} {path}");
        }
        let target = rewrite("/ws", "", "", &["/ws/*"]).unwrap().target("/ws/a", Some("q=1")).unwrap();
        assert_eq!(target, "/a?q=1");
    }

    #[test]
    fn what_could_not_apply_is_refused() {
        for (strip, add, fixed) in [
            ("/other", "", ""),
            ("/w", "", ""),
            ("/ws/a", "", ""),
            ("", "v2", ""),
            ("", "", "/a/../b"),
            ("/ws", "", "/x"),
        ] {
            assert!(rewrite(strip, add, fixed, &["/ws", "/ws/*"]).is_err(), "{strip} {add} {fixed}");
        }
        assert!(rewrite("/ws", "", "", &["/*"]).is_err());
        assert!(rewrite("/ws", "", "", &["/ws*"]).is_err());
    }
}
