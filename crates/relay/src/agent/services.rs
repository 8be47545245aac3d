//! What an agent's services lead to: an address each, or one template for all names of a pattern.

mod template;

use std::borrow::Cow;
use std::collections::BTreeMap;

use wicketgate_config::{At, Problems, Table};

use self::template::Template;
use crate::endpoint::streams::Transport;
use crate::name::is_service;

/// The most services, patterns among them.
const MAX_SERVICES: usize = 1000;

/// What stands before the address of a service of datagrams.
const UDP: &str = "udp://";

/// Where the services are.
#[derive(Debug, Default)]
pub struct Services {
    exact: BTreeMap<String, (Transport, String)>,
    /// Those with more letters of their own come first.
    patterns: Vec<Pattern>,
}

/// Names in which `*` stands for something.
#[derive(Debug)]
struct Pattern {
    before: Box<str>,
    after: Box<str>,
    transport: Transport,
    template: Template,
}

impl Services {
    /// Checks names and addresses; what is wrong goes to `problems`.
    pub fn check(raw: Table<At<String>>, problems: &mut Problems) -> Self {
        if let Some((beyond, _)) = raw.0.get(MAX_SERVICES) {
            problems.error(beyond.place, format!("more than {MAX_SERVICES} services"), "name more by `*`");
        }
        let mut services = Self::default();
        let mut places = Vec::new();
        for (name, address) in raw.0.into_iter().take(MAX_SERVICES) {
            let stars = name.matches('*').count();
            if !is_service(&name.replace('*', "0")) || stars > 1 {
                let help = "a name has 1 to 128 letters, digits, `-`, `_` and `.`, and `*` once for what is put into the address";
                problems.error(name.place, format!("no service is named `{}`", name.value), help);
                continue;
            }
            let (transport, place) = match address.strip_prefix(UDP) {
                Some(place) => (Transport::Udp, place),
                None => (Transport::Tcp, address.as_str()),
            };
            let Some((host, port)) = place.rsplit_once(':').filter(|(host, port)| {
                !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok_and(|port| port > 0)
            }) else {
                let what = format!("`{}` is no address", address.value);
                problems.error(
                    address.place,
                    what,
                    "write `HOST:PORT`, as in `127.0.0.1:22`, or `udp://HOST:PORT`",
                );
                continue;
            };
            match name.split_once('*') {
                None if host.contains('*') => {
                    let help = "let `*` stand in the name too, as in `\"db-*\": \"*.db.internal:5432\"`";
                    problems.error(address.place, "`*` stands for nothing here", help);
                }
                None => drop(services.exact.insert(name.value, (transport, place.to_owned()))),
                Some((before, after)) => match Template::new(host, port) {
                    Ok(template) => {
                        let (before, after) = (before.into(), after.into());
                        let pattern = Pattern { before, after, transport, template };
                        let rival = services.patterns.iter().position(|other| other.rivals(&pattern));
                        if let Some(rival) = rival.and_then(|at| places.get(at)) {
                            let help = "make one of them longer: of two that match a name, the one with more letters counts";
                            let what = format!("`{}` and `{rival}` match the same names", name.value);
                            problems.error(name.place, what, help);
                        }
                        services.patterns.push(pattern);
                        places.push(name.value.clone());
                    }
                    Err(error) => problems.error(
                        address.place,
                        format!("`{}` is no template: {error}", address.value),
                        "write what stays the same: `*.db.internal:5432`, `pc-*:22`, `10.0.7.*:22`",
                    ),
                },
            }
        }
        services.patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.length()));
        services
    }

    /// Where a service is, and what is spoken there, if there is one of this name. A name of its own counts before every pattern, and of those that match
    /// the one with the most letters, whether its template takes the name or not.
    pub fn address(&self, name: &str) -> Option<(Transport, Cow<'_, str>)> {
        if let Some((transport, address)) = self.exact.get(name) {
            return Some((*transport, Cow::Borrowed(address)));
        }
        let pattern = |pattern| Some((Pattern::star(pattern, name)?, pattern));
        let (star, pattern) = self.patterns.iter().find_map(pattern)?;
        Some((pattern.transport, Cow::Owned(pattern.template.fill(star)?)))
    }
}

impl Pattern {
    /// What `*` stands for in a name; none where the name is no such.
    fn star<'a>(&self, name: &'a str) -> Option<&'a str> {
        let star = name.strip_prefix(&*self.before)?.strip_suffix(&*self.after)?;
        (is_service(name) && !star.is_empty()).then_some(star)
    }

    fn length(&self) -> usize {
        self.before.len() + self.after.len()
    }

    /// Whether nothing says which of two counts, for some name.
    fn rivals(&self, other: &Self) -> bool {
        let either = |one: bool, two: bool| one || two;
        self.length() == other.length()
            && either(self.before.starts_with(&*other.before), other.before.starts_with(&*self.before))
            && either(self.after.ends_with(&*other.after), other.after.ends_with(&*self.after))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn services(pairs: &[(&str, &str)]) -> (Services, Problems) {
        let mut problems = Problems::default();
        let pairs = pairs.iter().map(|(name, to)| (At::nowhere((*name).into()), At::nowhere((*to).into())));
        let services = Services::check(Table(pairs.collect()), &mut problems);
        (services, problems)
    }

    #[test]
    fn a_name_of_its_own_counts_before_patterns_and_the_longest_pattern_before_others() {
        let (services, problems) = services(&[
            ("db-*", "*.db.internal:5432"),
            ("db-eu-*", "*.eu.internal:5433"),
            ("db-main", "127.0.0.1:5432"),
            ("*-old", "*.old.internal:1"),
        ]);
        assert!(!problems.has_errors());
        for (name, address) in [
            ("db-main", Some("127.0.0.1:5432")),
            ("db-a", Some("a.db.internal:5432")),
            ("db-eu-a", Some("a.eu.internal:5433")),
            ("a-old", Some("a.old.internal:1")),
            ("db-a.b", Some("a.b.db.internal:5432")),
            ("db-", None),
            ("db-evil.com#", None),
            ("db-evil.com:80/", None),
            ("db-a@b", None),
            ("db-..", None),
            ("db-.a", None),
            ("db-a.", None),
            ("db-a..b", None),
            ("db-a\0", None),
            ("db-\u{ff0e}", None),
            ("other", None),
        ] {
            let found = services.address(name).map(|(transport, address)| (transport, address.into_owned()));
            assert_eq!(found, address.map(|address| (Transport::Tcp, address.into())), "{name:?}");
        }
        // The longest one counts even where it does not take the name.
        assert_eq!(services.address("db-eu-.."), None);
    }

    #[test]
    fn services_of_datagrams_are_told_apart_and_are_templates_as_others() {
        let (services, problems) =
            services(&[("dns", "udp://10.0.0.2:53"), ("ntp-*", "udp://*.ntp.internal:123")]);
        assert!(!problems.has_errors());
        let of =
            |name: &str| services.address(name).map(|(transport, address)| (transport, address.into_owned()));
        assert_eq!(of("dns"), Some((Transport::Udp, "10.0.0.2:53".into())));
        assert_eq!(of("ntp-a"), Some((Transport::Udp, "a.ntp.internal:123".into())));
        assert_eq!(of("udp:dns"), None);
    }

    #[test]
    fn what_would_open_more_than_it_says_is_refused() {
        for (name, address) in [
            ("db-*", "127.0.0.1:5432x"),
            ("db-*", "*:5432"),
            ("db-*", "db.internal:*"),
            ("db", "*.db.internal:1"),
            ("a*b*", "*.db.internal:1"),
            ("*/x", "*.db.internal:1"),
            ("", "127.0.0.1:1"),
            ("a", "127.0.0.1:0"),
            ("a", ":1"),
            ("a", "udp://:1"),
            ("a", "udp://10.0.0.1"),
            ("a", "udp://udp://a:1"),
            ("a", "tcp://a:1"),
            ("a-*", "udp://*:1"),
            ("udp:a", "127.0.0.1:1"),
        ] {
            assert!(services(&[(name, address)]).1.has_errors(), "{name} {address}");
        }
        let to = "*.db.internal:1";
        assert!(services(&[("a-*", to), ("*-b", to)]).1.has_errors(), "`a-b` would be both");
        assert!(!services(&[("a-*", to), ("b-*", to)]).1.has_errors());
        assert!(!services(&[("a-*", to), ("*-bc", to)]).1.has_errors());
    }
}
