//! Topics and topic filters of MQTT (version 5, section 4.7), and lists of those that a client may use.

use wicketgate_config::{At, OneOrMany, Problems};

use crate::facts::Facts;
use crate::format::pack::names::Pieces;

/// The topic filters that a client may use, some with placeholders such as `user/{sub}/#`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Topics(Box<[Filter]>);

/// A filter, level by level.
#[derive(Clone, Debug, PartialEq)]
struct Filter {
    levels: Box<[Pieces]>,
    /// It ends in `#`.
    rest: bool,
}

/// The most filters of one list.
const MAX_FILTERS: usize = 1_000;

impl Topics {
    /// Checks a list; what is wrong goes to `problems`.
    pub(super) fn check(raw: At<OneOrMany<At<String>>>, problems: &mut Problems) -> Self {
        if raw.value.len() > MAX_FILTERS {
            let what = format!("{} topic filters are listed", raw.value.len());
            problems.error(raw.place, what, format!("list at most {MAX_FILTERS}"));
        }
        Self(raw.value.0.iter().filter_map(|filter| Filter::check(filter, problems)).collect())
    }

    /// Every topic, but those that begin with `$`.
    pub(super) fn all() -> Self {
        Self([Filter { levels: [].into(), rest: true }].into())
    }

    /// Whether a topic, or all that a filter may bring, is listed for this client. A shared subscription is judged by its filter.
    pub(super) fn list(&self, asked: &str, facts: &Facts) -> bool {
        let filter = match asked.strip_prefix("$share/") {
            None => asked,
            Some(shared) => match shared.split_once('/') {
                Some((_, filter)) => filter,
                None => return false,
            },
        };
        self.0.iter().any(|listed| listed.covers(filter, facts))
    }
}

impl Filter {
    fn check(raw: &At<String>, problems: &mut Problems) -> Option<Self> {
        if !is_filter(&raw.value) || raw.value.starts_with("$share/") {
            let what = format!("`{}` is no topic filter", raw.value);
            problems.error(
                raw.place,
                what,
                "`+` stands for a whole level, `#` for all that are left: `user/{sub}/#`",
            );
            return None;
        }
        let (levels, rest) = match raw.value.strip_suffix('#') {
            Some(levels) => (levels.strip_suffix('/').unwrap_or(levels), true),
            None => (&*raw.value, false),
        };
        let none = rest && raw.value.len() == 1;
        let levels = levels.split('/').filter(|_| !none);
        let levels = levels.map(|level| Pieces::check(level, raw, problems)).collect::<Option<_>>()?;
        Some(Self { levels, rest })
    }

    /// Whether every topic that `asked` stands for is one of this filter's.
    fn covers(&self, asked: &str, facts: &Facts) -> bool {
        let first = self.levels.first().and_then(Pieces::literal);
        // What begins with `$` is the server's own: only a filter that says so covers it.
        if asked.starts_with('$') && !first.is_some_and(|first| first.starts_with('$')) {
            return false;
        }
        let mut asked = asked.split('/').peekable();
        for level in &self.levels {
            let Some(asked) = asked.next() else { return false };
            let fits = match level.literal() {
                Some("+") => asked != "#",
                _ => !matches!(asked, "+" | "#") && level.is(asked, facts),
            };
            if !fits {
                return false;
            }
        }
        self.rest || asked.peek().is_none()
    }
}

/// Whether a text is a topic filter.
pub(super) fn is_filter(text: &str) -> bool {
    let levels: Vec<&str> = text.split('/').collect();
    let is_level = |(number, level): (usize, &&str)| match *level {
        "+" => true,
        "#" => number + 1 == levels.len(),
        level => !level.contains(['+', '#']),
    };
    is_text(text) && levels.iter().enumerate().all(is_level)
}

/// Whether a text is a topic that something can be published on.
pub(super) fn is_topic(text: &str) -> bool {
    is_text(text) && !text.contains(['+', '#'])
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::format::pack::names::tests::facts;

    fn topics(list: &[&str]) -> Topics {
        let mut problems = Problems::default();
        let list = list.iter().map(|filter| At::nowhere((*filter).to_owned())).collect();
        let topics = Topics::check(At::nowhere(OneOrMany(list)), &mut problems);
        assert!(!problems.has_errors(), "{list:?}", list = topics);
        topics
    }

    #[test]
    fn a_filter_covers_what_can_come_by_it_alone() {
        let ann = facts("ann", &json!({}));
        for (listed, asked, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/+", false),
            ("a/b", "a/#", false),
            ("a/+", "a/b", true),
            ("a/+", "a/+", true),
            ("a/+", "a/#", false),
            ("a/+", "a", false),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("a/#", "a/+/#", true),
            ("a/#", "#", false),
            ("a/#", "ab", false),
            ("+/b", "#", false),
            ("+/b", "+/b", true),
            ("#", "a/#", true),
            ("#", "$SYS/#", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/broker/#", "$SYS/broker/uptime", true),
            ("$SYS/broker/#", "$SYS/#", false),
            ("a/#", "$share/g/a/b", true),
            ("a/#", "$share/g/b", false),
            ("#", "$share/g/$SYS/x", false),
            ("#", "$share/g", false),
            ("#", "$queue/a", false),
            ("user/{sub}/#", "user/ann/x", true),
            ("user/{sub}/#", "user/+/x", false),
            ("user/{sub}/#", "user/bob", false),
            ("a//b", "a//b", true),
            ("a/+/b", "a//b", true),
        ] {
            assert_eq!(topics(&[listed]).list(asked, &ann), expected, "{listed} {asked}");
        }
        for subject in ["+", "#", "", "a/b", "$SYS"] {
            let who = facts(subject, &json!({}));
            assert!(!topics(&["user/{sub}/#"]).list(&format!("user/{subject}/x"), &who), "{subject}");
            assert!(!topics(&["{sub}/#"]).list(&format!("{subject}/x"), &who), "{subject}");
        }
        assert!(!topics(&["user/{sub}/#"]).list("user//x", &Facts::default()));
    }

    #[test]
    fn filters_and_topics_are_told_apart() {
        for (text, filter, topic) in [
            ("a/b", true, true),
            ("a/+/b", true, false),
            ("#", true, false),
            ("a/#", true, false),
            ("a#", false, false),
            ("#/a", false, false),
            ("a+/b", false, false),
            ("", false, false),
            ("a\0", false, false),
            ("/", true, true),
        ] {
            assert_eq!((is_filter(text), is_topic(text)), (filter, topic), "{text}");
        }
    }
}
