//! A request's head as it came: its query and cookies are taken apart, and rules of both phases are asked about it.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use crate::bits::Bits;
use crate::evaluation::{Evaluation, Scratch, State};
use crate::request::{Argument, Outcome, Part, Request, RuleMask};
use crate::rule::Phase;
use crate::set::{Budget, RuleSet};
use crate::target::Target;
use crate::transform::Transformation;

/// A request's head as it came. It has no body.
#[derive(Clone, Copy, Debug)]
pub struct Head<'m> {
    /// As in `GET`.
    pub method: &'m [u8],
    /// Path and query.
    pub uri: &'m [u8],
    /// As in `HTTP/1.1`.
    pub protocol: &'m [u8],
    /// Headers in their order.
    pub headers: &'m [(&'m [u8], &'m [u8])],
    /// Whom it is from.
    pub address: Option<IpAddr>,
}

/// Rules that are not asked, or not about some values.
#[derive(Clone, Debug, Default)]
pub struct Exclusions {
    nowhere: RuleMask,
    pub(crate) left_out: Vec<Arc<(Bits, Target)>>,
}

/// A name and a value.
type Pair<'m> = (Cow<'m, [u8]>, Cow<'m, [u8]>);

impl Exclusions {
    /// These rules are not asked at all.
    pub fn nowhere(&mut self, rules: &RuleMask) {
        self.nowhere = rules.or(&self.nowhere);
    }
}

impl RuleSet {
    /// These rules, or all, do not look at a value that is named as in the rule language: `ARGS:token`,
    /// `REQUEST_COOKIES:/^_ga/`.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn exclude(
        &self,
        rules: Option<&RuleMask>,
        target: &str,
        exclusions: &mut Exclusions,
    ) -> Result<(), String> {
        let target = Target::read(target).map_err(|unknown| format!("{} is not known", unknown.0))?;
        if target.counted {
            return Err("a number of values cannot be left out".to_owned());
        }
        let rules = match rules {
            Some(rules) => rules.0.clone(),
            None => {
                let mut all = Bits::new(self.rules.len());
                (0..self.rules.len()).for_each(|rule| all.insert(rule));
                all
            }
        };
        exclusions.left_out.push(Arc::new((rules, target)));
        Ok(())
    }

    /// Asks about a request of which there is no more than its head. One with more than `most` arguments and cookies is not
    /// asked about: there is no outcome.
    pub fn ask(
        &self,
        head: &Head<'_>,
        without: &Exclusions,
        (most, budget): (usize, Budget),
        scratch: &mut Scratch,
    ) -> Option<Outcome> {
        let (query, cookies) = (query(head.uri, most)?, cookies(head.headers, most)?);
        if query.len() + cookies.len() > most {
            return None;
        }
        let arguments: Vec<Argument<'_>> = query.iter().map(argument).collect();
        let request = Request {
            method: head.method,
            uri: head.uri,
            protocol: head.protocol,
            headers: head.headers,
            cookies: &cookies,
            address: head.address,
            arguments: &arguments,
            ..Request::default()
        };
        let state = State::new(self, Some(&without.nowhere)).leaving_out(&without.left_out);
        let mut evaluation = Evaluation::new(self, state, &request, budget, scratch);
        evaluation.phase(Phase::Head);
        evaluation.phase(Phase::Body);
        Some(evaluation.outcome())
    }
}

fn argument<'a>((name, value): &'a Pair<'_>) -> Argument<'a> {
    Argument { name, value: Some(value), key: Some(name), part: Part::Query, without: None }
}

/// The pairs of a query, their escapes undone; none where there are too many.
fn query(uri: &[u8], most: usize) -> Option<Vec<Pair<'_>>> {
    let Some(at) = uri.iter().position(|byte| *byte == b'?') else { return Some(Vec::new()) };
    let query = uri.get(at + 1..).unwrap_or_default();
    // As libmodsecurity has it, nothing between two ampersands is an argument, and nothing behind the last is none.
    let query = query.strip_suffix(b"&").unwrap_or(query);
    if query.is_empty() {
        return Some(Vec::new());
    }
    let mut pairs = Vec::new();
    for pair in query.split(|byte| *byte == b'&') {
        if pairs.len() == most {
            return None;
        }
        let (name, value) = cut(pair).unwrap_or((pair, b""));
        pairs.push((decoded(name), decoded(value)));
    }
    Some(pairs)
}

/// The cookies of all headers that bring some, as they are; none where there are too many.
fn cookies<'m>(headers: &[(&'m [u8], &'m [u8])], most: usize) -> Option<Vec<(&'m [u8], &'m [u8])>> {
    let mut all = Vec::new();
    for (_, header) in headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"cookie")) {
        for cookie in header.split(|byte| *byte == b';').map(<[u8]>::trim_ascii) {
            if cookie.is_empty() {
                continue;
            }
            if all.len() == most {
                return None;
            }
            all.push(cut(cookie).unwrap_or((cookie, b"")));
        }
    }
    Some(all)
}

fn cut(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = pair.iter().position(|byte| *byte == b'=')?;
    Some((pair.get(..at)?, pair.get(at + 1..)?))
}

fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return text.into();
    }
    let mut out = Vec::with_capacity(text.len());
    Transformation::UrlDecode.apply(text, &mut out);
    out.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const RULES: &str = r#"
SecRule REQUEST_METHOD "@streq TRACE" "id:1,phase:1,deny"
SecRule ARGS:q "@contains evil" "id:2,phase:2,block,setvar:tx.score=+5"
SecRule ARGS_NAMES "@contains evil" "id:3,phase:1,block,setvar:tx.score=+5"
SecRule REQUEST_COOKIES|REQUEST_COOKIES_NAMES "@contains evil" "id:4,phase:2,block,setvar:tx.score=+5"
SecRule REQUEST_HEADERS:User-Agent "@contains evil" "id:5,phase:1,block,setvar:tx.score=+5"
SecRule REQUEST_FILENAME "@contains /evil" "id:6,phase:2,block,setvar:tx.score=+5"
SecRule QUERY_STRING "@contains %65vil" "id:7,phase:2,block,setvar:tx.score=+5"
SecRule &ARGS "@gt 3" "id:8,phase:1,block"
SecRule REMOTE_ADDR "@ipMatch 192.0.2.0/24" "id:9,phase:1,block"
SecRule REQUEST_PROTOCOL "@streq HTTP/2.0" "id:10,phase:1,block"
SecRule TX:score "@ge 5" "id:20,phase:2,deny"
"#;

    fn set() -> RuleSet {
        RuleSet::parse(RULES, &[]).unwrap()
    }

    fn head<'m>(uri: &'m str, headers: &'m [(&'m [u8], &'m [u8])]) -> Head<'m> {
        Head { method: b"GET", uri: uri.as_bytes(), protocol: b"HTTP/1.1", headers, address: None }
    }

    fn asked(set: &RuleSet, head: &Head<'_>, without: &Exclusions) -> Vec<String> {
        let outcome = set.ask(head, without, (8, Budget::default()), &mut Scratch::default()).unwrap();
        let told = |found: &crate::request::Found| {
            format!("{} {}", set.rule(found.rule).unwrap().id, found.variable())
        };
        outcome.found.iter().map(told).collect()
    }

    #[test]
    fn every_part_of_a_head_is_looked_at_in_both_phases() {
        let set = set();
        let cookie = [(&b"cookie"[..], &b"a=1; b=an evil one; =evil; evil"[..])];
        let agent = [(&b"User-Agent"[..], &b"evil"[..])];
        for (uri, headers, found) in [
            ("/?q=an+%65vil+one", &[][..], &["2 ARGS:q", "7 QUERY_STRING", "20 TX:score"][..]),
            ("/?evil", &[], &["3 ARGS_NAMES:evil", "20 TX:score"]),
            ("/", &cookie, &["4 REQUEST_COOKIES:b", "20 TX:score"]),
            ("/", &agent, &["5 REQUEST_HEADERS:User-Agent", "20 TX:score"]),
            ("/x/%65vil?q=1", &[], &["6 REQUEST_FILENAME", "20 TX:score"]),
            ("/x?a&b&&c", &[], &["8 ARGS"]),
            ("/x?a&b&c&", &[], &[]),
            ("/x?", &[], &[]),
        ] {
            assert_eq!(asked(&set, &head(uri, headers), &Exclusions::default()), found, "{uri}");
        }
        let other = Head {
            method: b"TRACE",
            protocol: b"HTTP/2.0",
            address: Some([192, 0, 2, 9].into()),
            ..head("/?q=evil", &[])
        };
        assert_eq!(asked(&set, &other, &Exclusions::default()), ["1 REQUEST_METHOD"]);
        let other = Head { method: b"GET", ..other };
        let found = ["9 REMOTE_ADDR", "10 REQUEST_PROTOCOL", "2 ARGS:q", "20 TX:score"];
        assert_eq!(asked(&set, &other, &Exclusions::default()), found);
    }

    #[test]
    fn what_is_excluded_is_not_looked_at() {
        let set = set();
        let mut without = Exclusions::default();
        set.exclude(Some(&set.mask(&[2], &[]).unwrap()), "ARGS:q", &mut without).unwrap();
        assert_eq!(asked(&set, &head("/?q=evil&evil", &[]), &without), ["3 ARGS_NAMES:evil", "20 TX:score"]);
        set.exclude(None, "ARGS_NAMES:/^ev/", &mut without).unwrap();
        assert_eq!(asked(&set, &head("/?q=evil&evil", &[]), &without), [""; 0]);
        without.nowhere(&set.mask(&[6], &[]).unwrap());
        assert_eq!(asked(&set, &head("/evil", &[]), &without), [""; 0]);
        for (target, why) in [("&ARGS", "a number"), ("WHAT:x", "the variable `WHAT` is not known")] {
            let told = set.exclude(None, target, &mut without).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
    }

    #[test]
    fn arguments_and_work_are_bounded() {
        let set = set();
        let mut scratch = Scratch::default();
        let mut ask = |uri: &str, cookie: &str, most: usize, base: u64| {
            let headers = [(&b"cookie"[..], cookie.as_bytes())];
            let bounds = (most, Budget { base, per_byte: 0 });
            set.ask(&head(uri, &headers), &Exclusions::default(), bounds, &mut scratch)
        };
        assert!(ask("/?a&b&c", "d;e", 5, 1000).is_some());
        assert!(ask("/?a&b&c", "d;e", 4, 1000).is_none());
        assert!(ask("/?a&b&c", "", 2, 1000).is_none());
        assert!(ask("/", "a;b;c", 2, 1000).is_none());
        let end = ask("/?a&b&c", "d", 5, 8).unwrap().end;
        assert_eq!(end, crate::request::End::OverBudget);
    }
}
