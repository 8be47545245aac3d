//! Which clients reach which services of which agents, and when.

mod times;

use std::time::SystemTime;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Item, OneOrMany, Problems};

use self::times::Times;
pub(crate) use self::times::until;

/// A rule: these clients reach these services of these agents. What no rule allows is refused.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAccess {
    /// Names of clients; `*` stands for any characters.
    pub clients: OneOrMany<At<String>>,
    /// Names of agents; `*` stands for any characters.
    pub agents: OneOrMany<At<String>>,
    /// Names of services; `*` stands for any characters.
    pub services: OneOrMany<At<String>>,
    /// When the rule applies, as in `mon-fri 08:00-18:00`, `sat,sun` or `22:00-06:00`: days of the week, and a time, which ends before
    /// its last moment and is of the day on which it begins; seconds may be written too. Default: always. At most 100.
    #[serde(default)]
    pub times: Option<OneOrMany<At<String>>>,
    /// By whose clock: an IANA time zone, as in `Europe/Berlin`, or `UTC`. To be given with `times`.
    #[serde(default)]
    pub timezone: Option<At<String>>,
}

/// Which clients reach which services of which agents, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    clients: Vec<Pattern>,
    agents: Vec<Pattern>,
    services: Vec<Pattern>,
    /// None: always.
    times: Option<Times>,
}

/// A name in which `*` stands for any characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Box<str>);

/// The most rules.
const MAX_RULES: usize = 1000;
/// The most names in one list of a rule.
const MAX_NAMES: usize = 1000;

impl Access {
    /// Checks the rules; what is wrong goes to `problems`.
    pub fn check(rules: Vec<Item<RawAccess>>, problems: &mut Problems) -> Self {
        if let Some(beyond) = rules.get(MAX_RULES) {
            problems.error(
                beyond.place,
                format!("more than {MAX_RULES} rules of access"),
                "name more by `*`",
            );
        }
        let rule = |raw: Item<RawAccess>, problems: &mut Problems| {
            let RawAccess { clients, agents, services, times, timezone } = raw.value;
            let mut patterns = |names: OneOrMany<At<String>>, what: &str| -> Vec<Pattern> {
                if names.0.is_empty() {
                    let help = "name them, or write `*` for all";
                    problems.error(raw.place, format!("this rule names no {what}"), help);
                }
                if let Some(beyond) = names.0.get(MAX_NAMES) {
                    problems.error(beyond.place, format!("more than {MAX_NAMES} {what}"), "name more by `*`");
                }
                names.0.into_iter().map(|name| Pattern::check(&name, problems)).collect()
            };
            Rule {
                clients: patterns(clients, "clients"),
                agents: patterns(agents, "agents"),
                services: patterns(services, "services"),
                times: Times::check(times, timezone, raw.place, problems),
            }
        };
        Self(rules.into_iter().map(|raw| rule(raw, problems)).collect())
    }

    /// Whether a client reaches a service of an agent at a moment.
    pub fn allows(&self, client: &str, agent: &str, service: &str, moment: SystemTime) -> bool {
        let any = |patterns: &[Pattern], name| patterns.iter().any(|pattern| pattern.matches(name));
        self.0.iter().any(|rule| {
            any(&rule.clients, client)
                && any(&rule.agents, agent)
                && any(&rule.services, service)
                && rule.times.as_ref().is_none_or(|times| times.cover(moment))
        })
    }

    /// A moment after this one until which every answer stays what it is; none where that is for ever.
    pub fn next_change(&self, moment: SystemTime) -> Option<SystemTime> {
        let times = self.0.iter().filter_map(|rule| rule.times.as_ref());
        times.filter_map(|times| times.next_change(moment)).min()
    }
}

impl Pattern {
    fn check(text: &At<String>, problems: &mut Problems) -> Self {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'*');
        if text.is_empty() || text.len() > 128 || !text.bytes().all(is_name) {
            problems.error(
                text.place,
                format!("`{}` matches no name", text.value),
                "a name has 1 to 128 letters, digits, `-`, `_` and `.`; `*` stands for any of them",
            );
        }
        Self(text.value.as_str().into())
    }

    /// Whether a name is one of these. Linear in the name for each `*`.
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        let mut last = None;
        for part in parts {
            if let Some(between) = last.replace(part) {
                match rest.find(between) {
                    Some(at) => rest = &rest[at + between.len()..],
                    None => return false,
                }
            }
        }
        match last {
            None => rest.is_empty(),
            Some(last) => rest.ends_with(last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        let matches = |pattern: &str, name: &str| Pattern(pattern.into()).matches(name);
        for (pattern, name, want) in [
            ("alice", "alice", true),
            ("alice", "alice2", false),
            ("*", "", true),
            ("*", "any", true),
            ("ops-*", "ops-1", true),
            ("ops-*", "dev-ops-1", false),
            ("*-pc", "office-pc", true),
            ("*-pc", "office-pc2", false),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("ab*bc", "abc", false),
            ("**", "x", true),
        ] {
            assert_eq!(matches(pattern, name), want, "{pattern} {name}");
        }
    }

    #[test]
    fn what_no_rule_allows_is_refused() {
        let rule = |client: &str, agent: &str, service: &str| Rule {
            clients: vec![Pattern(client.into())],
            agents: vec![Pattern(agent.into())],
            services: vec![Pattern(service.into())],
            times: None,
        };
        let now = SystemTime::now();
        let access = Access(vec![rule("alice", "office-*", "ssh"), rule("ops-*", "*", "*")]);
        assert!(access.allows("alice", "office-pc", "ssh", now));
        assert!(!access.allows("alice", "office-pc", "rdp", now));
        assert!(!access.allows("alice", "lab", "ssh", now));
        assert!(access.allows("ops-1", "lab", "rdp", now));
        assert!(!Access::default().allows("alice", "office-pc", "ssh", now));
        assert_eq!(access.next_change(now), None);
    }

    #[test]
    fn a_rule_counts_within_its_times_and_the_first_change_of_any_is_the_next() {
        let at = |hours: u64| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(hours * 3600);
        let rule = |client: &str, times: &str| {
            let all = || OneOrMany(vec![At::nowhere("*".to_owned())]);
            let text = |text: &str| At::nowhere(text.to_owned());
            let raw = RawAccess {
                clients: OneOrMany(vec![text(client)]),
                agents: all(),
                services: all(),
                times: Some(OneOrMany(vec![text(times)])),
                timezone: Some(text("UTC")),
            };
            Item { value: raw, place: wicketgate_config::Place::UNKNOWN, whole: true }
        };
        let mut problems = Problems::default();
        let rules = vec![rule("alice", "08:00-18:00"), rule("bob", "06:00-10:00")];
        let access = Access::check(rules, &mut problems);
        assert!(!problems.has_errors());
        let allowed =
            |hours| ["alice", "bob"].map(|client| access.allows(client, "office", "ssh", at(hours)));
        assert_eq!(allowed(5), [false, false]);
        assert_eq!(allowed(8), [true, true]);
        assert_eq!(allowed(10), [true, false]);
        assert_eq!(allowed(18), [false, false]);
        let next = |hours| access.next_change(at(hours));
        assert_eq!(
            [next(5), next(6), next(8), next(10), next(18)],
            [6, 8, 10, 18, 30].map(|hours| Some(at(hours)))
        );
    }
}
