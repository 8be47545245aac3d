//! The OWASP Core Rule Set as Debian packs it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use wicketgate_seclang::{Argument, Baseline, Budget, Effect, Outcome, Request, RuleSet, Scratch};

/// Debian's files of rules, unchanged.
pub(crate) fn files() -> Vec<PathBuf> {
    vec!["/etc/modsecurity/crs/crs-setup.conf".into(), "/usr/share/modsecurity-crs/rules".into()]
}

pub(crate) fn load(level: &str) -> RuleSet {
    let given = [("paranoia_level", level), ("executing_paranoia_level", level)];
    RuleSet::load(&files(), &given).unwrap()
}

/// A set of rules that is asked about JSON messages, as libmodsecurity reads them.
pub(crate) struct Asked {
    pub(crate) set: RuleSet,
    baseline: Baseline,
    scratch: Scratch,
}

const HEADERS: &[(&[u8], &[u8])] = &[
    (b"Host", b"localhost"),
    (b"User-Agent", b"Mozilla/5.0"),
    (b"Accept", b"*/*"),
    (b"Content-Type", b"application/json"),
    (b"Content-Length", b"100"),
];

impl Asked {
    pub(crate) fn new(set: RuleSet) -> Self {
        let mut scratch = Scratch::default();
        let baseline = set.baseline(&request(&[], b""), None, &mut scratch);
        Self { set, baseline, scratch }
    }

    /// What the rules find in a flat object.
    pub(crate) fn ask(&mut self, message: &str) -> Outcome {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(message).unwrap();
        let named: Vec<(String, String)> = object
            .iter()
            .map(|(name, value)| (format!("json.{name}"), value.as_str().unwrap().to_owned()))
            .collect();
        let arguments: Vec<Argument<'_>> =
            named.iter().map(|(name, value)| Argument::new(name.as_bytes(), value.as_bytes())).collect();
        let request = request(&arguments, message.as_bytes());
        self.set.judge(&self.baseline, &request, Budget::default(), &mut self.scratch)
    }

    /// The ids of the rules that tell.
    pub(crate) fn ids(&mut self, message: &str) -> Vec<u64> {
        let outcome = self.ask(message);
        ids(&self.set, &outcome)
    }
}

/// The ids of the rules that told, in their order.
pub(crate) fn ids(set: &RuleSet, outcome: &Outcome) -> Vec<u64> {
    let mut ids: Vec<u64> =
        outcome.found.iter().filter_map(|found| set.rule(found.rule)).map(|rule| rule.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn request<'m>(arguments: &'m [Argument<'m>], body: &'m [u8]) -> Request<'m> {
    Request {
        method: b"POST",
        uri: b"/",
        protocol: b"HTTP/1.1",
        headers: HEADERS,
        address: Some(std::net::Ipv4Addr::LOCALHOST.into()),
        arguments,
        body,
        processor: b"JSON",
        ..Request::default()
    }
}

#[test]
fn all_that_is_not_done_as_the_files_say_is_known() {
    let set = load("1");
    let mut left = BTreeMap::new();
    for note in set.notes().iter().filter(|note| note.effect == Effect::Left) {
        left.insert(note.rule.unwrap(), note.what.clone());
    }
    let ids: Vec<u64> = left.keys().copied().collect();
    // What is kept between requests (91...), a clock (901420), look-around and back-references, a pattern with a variable in
    // it, a possessive repetition that a pattern which must not match has.
    let known = [
        901_420, 910_000, 910_100, 910_120, 910_140, 912_120, 912_130, 920_120, 920_480, 920_600, 942_130,
        949_100,
    ];
    assert_eq!(ids, known, "{left:#?}");
    assert!(set.len() > 450, "{}", set.len());
}

#[test]
fn attacks_are_found_and_ordinary_messages_are_not() {
    let mut asked = Asked::new(load("1"));
    for (message, expected) in [
        (r#"{"q":"1 union select password from users--"}"#, 942100),
        (r#"{"q":"<script>alert(1)</script>"}"#, 941100),
        (r#"{"q":"../../../../etc/passwd"}"#, 930100),
        (r#"{"q":"; cat /etc/passwd"}"#, 932160),
    ] {
        let ids = asked.ids(message);
        assert!(ids.contains(&expected) && ids.contains(&949_110), "{message}: {ids:?}");
    }
    let ids = asked.ids(r#"{"text":"Hello, are you free for lunch at noon?"}"#);
    assert!(ids.is_empty(), "{ids:?}");
}
