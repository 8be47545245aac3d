//! Messages as a capture may keep them: secrets are covered by values of their type and length before anything is written. What
//! cannot be read, and so cannot be covered, is left out where it could hold one.

use std::sync::Arc;

use wicketgate_policy::fields::{Field, Path};
use wicketgate_policy::{Covered, DataKind, Facts, Message, Policy, Session, Uncovered, reveals_secret};

use crate::format::{Ear, Sessions};
use crate::line::Line;
use crate::secret::{is_secret, says_secret};

/// Covers the messages of one route's sessions.
#[derive(Debug)]
pub struct Redactor {
    /// The route's own, where it has one.
    policy: Option<Policy>,
    /// Those that read messages of no known format.
    ears: Vec<Ear>,
    sessions: Sessions,
    marked: Vec<Path>,
}

impl Redactor {
    /// One for the sessions of a route with this policy, in whose messages these fields are secret beside those whose names
    /// tell and those that the policy redacts.
    pub fn new(policy: Policy, mut marked: Vec<Path>) -> Self {
        marked.extend(policy.redacted());
        let ears = ["json", "msgpack", "cbor"].iter().filter_map(|format| Ear::new(format, None).ok());
        let policy = Some(policy).filter(|policy| policy.name().is_some());
        Self { policy, ears: ears.collect(), sessions: Sessions::default(), marked }
    }

    /// Covers what a message must not tell; none where the message cannot be kept.
    pub fn redact(&mut self, mut line: Line) -> Option<Line> {
        let covered = self.covered(&line)?;
        (line.payload, line.covered) = (covered.payload, covered.paths);
        Some(line)
    }

    fn covered(&mut self, line: &Line) -> Option<Covered> {
        let message = Message { kind: line.kind, payload: &line.payload };
        let secret = |field: &Field<'_>| is_secret(field, &self.marked);
        if let Some(policy) = &self.policy {
            let session = self.sessions.of(line, None)?;
            return policy.cover(session, line.direction, message, &secret).ok();
        }
        for ear in &self.ears {
            // Each message stands for itself.
            let mut session = Session::new(Arc::new(Facts::default()));
            match ear.policy().cover(&mut session, line.direction, message, &secret) {
                Ok(covered) => return Some(covered),
                Err(Uncovered::Unread(_)) => {}
                Err(Uncovered::Unwritable) => return None,
            }
        }
        // Some other format: whether there is a secret in it is seen by its words alone.
        let text = String::from_utf8_lossy(&line.payload);
        let is_clean = !reveals_secret(&text) && !says_secret(&text);
        // Where fields are named, those of a format that is not known cannot be found.
        let may_be_kept = is_clean && (line.kind == DataKind::Text || self.marked.is_empty());
        may_be_kept.then(|| Covered { payload: line.payload.clone(), paths: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use wicketgate_policy::Direction;

    use super::*;

    fn kept(kind: DataKind, payload: &[u8]) -> Option<Vec<u8>> {
        let line = crate::tests::line(1, Direction::ToUpstream, kind, payload);
        let mut redactor = Redactor::new(Policy::trivial(), vec!["mine".parse().unwrap()]);
        redactor.redact(line).map(|line| line.payload)
    }

    #[test]
    fn what_a_policy_redacts_is_secret() {
        let yaml = "{name: p, format: json, to_upstream: [{redact: {paths: [note]}}]}";
        let mut problems = wicketgate_config::Problems::default();
        let raw: wicketgate_policy::RawPolicy = wicketgate_config::part("p.yaml", yaml).unwrap();
        let mut redactor = Redactor::new(raw.check(&mut problems).unwrap(), Vec::new());
        let text = br#"{"note":"shy","open":"yes"}"#;
        let line = crate::tests::line(1, Direction::ToUpstream, DataKind::Text, text);
        let kept = redactor.redact(line).unwrap();
        assert_eq!(kept.payload, br#"{"note":"***","open":"yes"}"#);
        assert_eq!(kept.covered, ["note"]);
    }

    #[test]
    fn secrets_are_covered_or_left_out() {
        for (text, expected) in [
            (r#"{"a":"b"}"#, Some(r#"{"a":"b"}"#)),
            (r#"{"Pass_Word":"hunter2","b":1}"#, Some(r#"{"Pass_Word":"*******","b":1}"#)),
            (r#"{"mine":{"x":"hunter2"}}"#, Some(r#"{"mine":{"x":"*******"}}"#)),
            (r#"["4111111111111111", 4111111111111111]"#, Some(r#"["****************", 0]"#)),
            ("hello there", Some("hello there")),
            (r#"42["login",{"password":"hunter2"}]"#, None),
            ("CONNECT\npasscode:hunter2\n\n\0", None),
            ("my card is 4111 1111 1111 1111", None),
        ] {
            let kept = kept(DataKind::Text, text.as_bytes()).map(|kept| String::from_utf8(kept).unwrap());
            assert_eq!(kept.as_deref(), expected, "{text}");
        }
        assert_eq!(kept(DataKind::Binary, b"\x81\xa3pin\x07").as_deref(), Some(&b"\x81\xa3pin\x00"[..]));
        assert_eq!(kept(DataKind::Binary, b"\x00\xc1\xffaccess-token=1"), None);
    }
}
