//! A protocol's states: which kinds of message may come in each, and which state follows.

use std::collections::HashSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Item, Problems, Table, alternatives};

use crate::fields::Undecodable;
use crate::message::Direction;

/// A state of a protocol. The first one of a list is that of a new session.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawState {
    /// What transitions call it: letters, digits, `-`, `_` and `.`, at most 64.
    name: At<String>,
    /// The kinds of message that may come from clients in this state, each with the state that follows when one goes on. `*` at
    /// the end stands for any rest, `*` alone for all that are not listed. None may come without this key, unless no state
    /// has it: then messages from clients may come in any order.
    #[serde(default)]
    to_upstream: Option<At<Table<At<String>>>>,
    /// The same for messages from upstreams.
    #[serde(default)]
    to_client: Option<At<Table<At<String>>>>,
}

/// A protocol's states.
#[derive(Clone, Debug, PartialEq)]
pub struct States {
    list: Box<[Entry]>,
    /// The directions that some state says something about.
    directions: Vec<Direction>,
}

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    name: Arc<str>,
    to_upstream: Moves,
    to_client: Moves,
}

/// Kinds, and the number of the state that follows each.
#[derive(Clone, Debug, Default, PartialEq)]
struct Moves {
    exactly: Vec<(Box<str>, usize)>,
    beginning: Vec<(Box<str>, usize)>,
}

/// The state that a session is in.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// None at first.
    name: Option<Arc<str>>,
    number: usize,
}

/// The state that a message leads to, if it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next(usize);

impl State {
    /// The state of a new session.
    pub const fn new() -> Self {
        Self { name: None, number: 0 }
    }

    /// A message went on.
    pub fn follow(&mut self, states: &States, next: Next) {
        self.name = states.list.get(next.0).map(|entry| entry.name.clone());
        self.number = next.0;
    }
}

impl States {
    /// Which state follows a message of this kind.
    ///
    /// # Errors
    /// A kind that may not come now.
    pub fn next(&self, state: &State, direction: Direction, kind: &str) -> Result<Next, Undecodable> {
        if !self.directions.contains(&direction) {
            return Ok(Next(self.at(state).unwrap_or_default()));
        }
        let entry = self.at(state).and_then(|number| self.list.get(number));
        let moves = entry.map(|entry| match direction {
            Direction::ToUpstream => &entry.to_upstream,
            Direction::ToClient => &entry.to_client,
        });
        moves.and_then(|moves| moves.next(kind)).map(Next).ok_or(Undecodable::Order)
    }

    /// The directions whose messages have an order.
    pub fn directions(&self) -> &[Direction] {
        &self.directions
    }

    /// The number of a session's state. The session may have come to it by a policy that a reload replaced: then its name
    /// counts, and one that is not here any more allows nothing.
    fn at(&self, state: &State) -> Option<usize> {
        let Some(name) = &state.name else { return Some(0) };
        let is_it = |entry: &&Entry| Arc::ptr_eq(&entry.name, name);
        match self.list.get(state.number).filter(is_it) {
            Some(_) => Some(state.number),
            None => self.list.iter().position(|entry| entry.name == *name),
        }
    }

    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(raw: At<Vec<Item<RawState>>>, problems: &mut Problems) -> Option<Self> {
        const MAX_STATES: usize = 100;
        if raw.value.is_empty() || raw.value.len() > MAX_STATES {
            let what = format!("{} states are listed", raw.value.len());
            problems.error(raw.place, what, format!("list 1 to {MAX_STATES}, or leave the key out"));
            return None;
        }
        let is_whole = raw.value.iter().all(|state| state.whole);
        let names: Vec<At<String>> = raw.value.iter().map(|state| state.value.name.clone()).collect();
        check_names(&names, problems);
        let mut reached = HashSet::from([0]);
        let mut directions = Vec::new();
        let mut moves = |direction, raw: Option<At<Table<At<String>>>>, problems: &mut Problems| {
            let Some(raw) = raw else { return Moves::default() };
            if !directions.contains(&direction) {
                directions.push(direction);
            }
            Moves::check(raw, &names, &mut reached, problems)
        };
        let entries = raw.value.into_iter().map(|state| Entry {
            name: state.value.name.value.as_str().into(),
            to_upstream: moves(Direction::ToUpstream, state.value.to_upstream, problems),
            to_client: moves(Direction::ToClient, state.value.to_client, problems),
        });
        let list = entries.collect();
        for (number, name) in names.iter().enumerate() {
            if is_whole && !reached.contains(&number) {
                let what = format!("no message leads to the state `{}`", name.value);
                problems.warning(name.place, what, "remove it, or let some kind of message lead to it");
            }
        }
        Some(Self { list, directions })
    }
}

fn check_names(names: &[At<String>], problems: &mut Problems) {
    for (number, name) in names.iter().enumerate() {
        let is_good = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if !is_good || name.is_empty() || name.len() > 64 {
            let what = format!("`{}` is no name for a state", name.value);
            problems.error(name.place, what, "a name has 1 to 64 letters, digits, `-`, `_` and `.`");
        }
        if let Some(first) = names[..number].iter().find(|first| first.value == name.value) {
            let what = format!("`{}` is the name of a state already", name.value);
            problems.clash(name.place, what, "give it another one", (first.place, "this one"));
        }
    }
}

impl Moves {
    fn next(&self, kind: &str) -> Option<usize> {
        let exactly = self.exactly.iter().find(|(listed, _)| **listed == *kind);
        let found = exactly.or_else(|| self.beginning.iter().find(|(listed, _)| kind.starts_with(&**listed)));
        found.map(|(_, next)| *next)
    }

    fn check(
        raw: At<Table<At<String>>>,
        names: &[At<String>],
        reached: &mut HashSet<usize>,
        problems: &mut Problems,
    ) -> Self {
        const MAX_KINDS: usize = 1_000;
        let mut moves = Self::default();
        if raw.value.0.len() > MAX_KINDS {
            let what = format!("{} kinds of message are listed", raw.value.0.len());
            problems.error(raw.place, what, format!("list at most {MAX_KINDS}"));
        }
        for (kind, state) in raw.value.0.into_iter().take(MAX_KINDS) {
            let Some(next) = names.iter().position(|name| name.value == state.value) else {
                let known: Vec<&str> = names.iter().map(|name| &*name.value).collect();
                let what = format!("there is no state `{}`", state.value);
                problems.error(state.place, what, alternatives(&state.value, &known));
                continue;
            };
            reached.insert(next);
            let (listed, beginning) = match kind.value.strip_suffix('*') {
                Some(listed) => (listed, true),
                None => (&*kind.value, false),
            };
            if listed.contains('*') {
                let what = format!("`{}` has a `*` that is not at its end", kind.value);
                problems.error(kind.place, what, "`*` stands at the end, for any rest: `room.*`");
            }
            let list = if beginning { &mut moves.beginning } else { &mut moves.exactly };
            if list.iter().any(|(known, _)| **known == *listed) {
                let what = format!("`{}` is listed already", kind.value);
                problems.error(kind.place, what, "list each kind once");
            }
            list.push((listed.into(), next));
        }
        // The longest beginning says most.
        moves.beginning.sort_by_key(|(listed, _)| std::cmp::Reverse(listed.len()));
        moves
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use wicketgate_config::part;
    use wicketgate_wire::CloseCode;

    use super::*;
    use crate::message::{DataKind, Message};
    use crate::policy::{Policy, Session};
    use crate::verdict::Verdict;

    fn policy(yaml: &str) -> (Option<Policy>, Vec<String>) {
        let raw: crate::RawPolicy = part("test.yaml", yaml).unwrap();
        let mut problems = Problems::default();
        let policy = raw.check(&mut problems);
        (policy, problems.iter().map(|problem| problem.what.clone()).collect())
    }

    const LOGIN: &str = "
name: p
format: json
kind: t
states:
  - {name: new, to_upstream: {login: waiting}, to_client: {'note.*': new}}
  - {name: waiting, to_client: {ok: ready, no: new}}
  - {name: ready, to_upstream: {login: waiting, '*': ready}, to_client: {'*': ready}}
to_upstream: [{deny: [{kinds: [lost]}], then: drop}, {deny: [{kinds: [login]}], mode: observe}]
to_client: []
";

    /// Judges messages in their order: what passed, what was dropped, and the code of the end.
    fn judged(policy: &Policy, session: &mut Session, messages: &[(Direction, &str)]) -> Vec<&'static str> {
        let judge = |(direction, kind): &(Direction, &str)| {
            let payload = format!("{{\"t\":\"{kind}\"}}");
            let message = Message { kind: DataKind::Text, payload: payload.as_bytes() };
            match policy.judge(session, *direction, message).verdict {
                Verdict::Forward(_) => "passed",
                Verdict::Drop => "dropped",
                Verdict::Close(CloseCode::POLICY) => "closed",
                other => unreachable!("{other:?}"),
            }
        };
        messages.iter().map(judge).collect()
    }

    #[test]
    fn messages_come_in_their_order_or_end_the_session() {
        use Direction::{ToClient, ToUpstream};
        let (policy, problems) = policy(LOGIN);
        let policy = policy.unwrap();
        assert_eq!(problems, [""; 0]);
        for (messages, last) in [
            (
                &[(ToUpstream, "login"), (ToClient, "ok"), (ToUpstream, "say"), (ToClient, "say")][..],
                "passed",
            ),
            (
                &[(ToClient, "note.day"), (ToUpstream, "login"), (ToClient, "no"), (ToUpstream, "login")],
                "passed",
            ),
            (&[(ToUpstream, "say")], "closed"),
            (&[(ToUpstream, "login"), (ToUpstream, "say")], "closed"),
            (&[(ToUpstream, "login"), (ToClient, "no"), (ToUpstream, "say")], "closed"),
            (&[(ToClient, "ok")], "closed"),
            (&[(ToUpstream, "")], "closed"),
        ] {
            let verdicts = judged(&policy, &mut Session::default(), messages);
            assert_eq!(verdicts.last(), Some(&last), "{messages:?}");
            assert!(verdicts.iter().rev().skip(1).all(|verdict| *verdict == "passed"), "{messages:?}");
        }
    }

    #[test]
    fn a_message_that_does_not_go_on_changes_no_state() {
        use Direction::{ToClient, ToUpstream};
        let yaml = LOGIN.replace("kinds: [lost]", "kinds: [login]");
        let policy = policy(&yaml).0.unwrap();
        let verdicts = judged(&policy, &mut Session::default(), &[(ToUpstream, "login"), (ToClient, "ok")]);
        assert_eq!(verdicts, ["dropped", "closed"]);
    }

    #[test]
    fn a_message_that_steps_change_leads_where_the_new_one_does() {
        use Direction::{ToClient, ToUpstream};
        let yaml = LOGIN.replace("to_upstream: [", "to_upstream: [{enrich: {set: {t: '\"login\"'}}}, ");
        let yaml = yaml
            .replace("{login: waiting}, to_client: {'note", "{login: waiting, hi: new}, to_client: {'note");
        let policy = policy(&yaml).0.unwrap();
        let mut session = Session::default();
        let say = Message { kind: DataKind::Text, payload: br#"{"t":"hi"}"# };
        assert!(matches!(policy.judge(&mut session, ToUpstream, say).verdict, Verdict::Rewrite(..)));
        assert_eq!(judged(&policy, &mut session, &[(ToClient, "ok")]), ["passed"]);
        // One that may not come now does not go on either.
        let yaml = yaml.replace("'\"login\"'", "'\"say\"'");
        let outcome = self::policy(&yaml).0.unwrap().judge(&mut Session::default(), ToUpstream, say);
        assert!(matches!(outcome.verdict, Verdict::Close(CloseCode::POLICY)));
    }

    #[test]
    fn a_reload_keeps_the_state_by_its_name() {
        use Direction::{ToClient, ToUpstream};
        let mut session = Session::default();
        let old = policy(LOGIN).0.unwrap();
        assert_eq!(judged(&old, &mut session, &[(ToUpstream, "login"), (ToClient, "ok")]), ["passed"; 2]);
        let new = LOGIN.replace("- {name: new", "- {name: before, to_upstream: {x: new}}\n  - {name: new");
        assert_eq!(judged(&policy(&new).0.unwrap(), &mut session, &[(ToUpstream, "say")]), ["passed"]);
        let gone = policy(&LOGIN.replace("ready", "there")).0.unwrap();
        assert_eq!(judged(&gone, &mut session, &[(ToUpstream, "say")]), ["closed"]);
    }

    #[test]
    fn mistakes_are_found() {
        for (from, to, what) in [
            ("ok: ready", "ok: redy", "there is no state `redy`"),
            ("name: waiting", "name: new", "`new` is the name of a state already"),
            ("name: waiting", "name: wai ting", "`wai ting` is no name for a state"),
            ("'note.*'", "'n*te'", "`n*te` has a `*` that is not at its end"),
            ("kind: t\n", "", "states go by kinds of message, and none is told"),
            ("to_client: []", "", "states depend on messages `to_client`, which are not looked into"),
            ("- {name: ready", "- {name: lost}\n  - {name: ready", "no message leads to the state `lost`"),
        ] {
            let (_, problems) = policy(&LOGIN.replacen(from, to, 1));
            assert!(problems.iter().any(|problem| problem == what), "{to}: {problems:?}");
        }
        let one_way =
            "name: p\nformat: json\nkind: t\nstates: [{name: a, to_upstream: {x: a}}]\nto_upstream: []\n";
        assert_eq!(policy(one_way).1, [""; 0]);
    }
}
