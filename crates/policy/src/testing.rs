//! For tests of steps: a policy as it is written, and what becomes of a message.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use wicketgate_config::{Problems, Severity, Sources, parse, read};

use crate::finding::Finding;
use crate::message::{Direction, Message};
use crate::policy::{Policy, Session};
use crate::verdict::Verdict;
use crate::{Facts, RawPolicy};

/// What became of a message.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    pub(crate) findings: Vec<Finding>,
}

/// The policy that is written so; what is dangerous is only warned of.
pub(crate) fn policy(text: &str) -> Policy {
    let (policy, problems) = checked(text);
    assert!(!problems.has_errors(), "{problems:?}");
    policy.unwrap()
}

/// What is wrong with a policy, each as `LINE:COLUMN what`.
pub(crate) fn problems(text: &str) -> Vec<String> {
    check(text).1
}

/// What becomes of the first message of a session.
pub(crate) fn judge(text: &str, direction: Direction, payload: &[u8]) -> Judged {
    let mut session = Session::new(Arc::new(Facts::default()));
    judge_in(&policy(text), &mut session, direction, payload)
}

/// What becomes of a message of a session; of the type that it looks like.
pub(crate) fn judge_in(
    policy: &Policy,
    session: &mut Session,
    direction: Direction,
    payload: &[u8],
) -> Judged {
    let kind = match std::str::from_utf8(payload) {
        Ok(text) if !text.contains('\0') => crate::DataKind::Text,
        _ => crate::DataKind::Binary,
    };
    let outcome = policy.judge(session, direction, Message { kind, payload });
    Judged { verdict: outcome.verdict, findings: outcome.findings }
}

/// What is told of a policy without being wrong with it.
pub(crate) fn notes(text: &str) -> Vec<String> {
    let problems = checked(text).1;
    let notes = problems.iter().filter(|problem| problem.severity == Severity::Note);
    notes.map(|problem| format!("{}\n{}", problem.what, problem.help)).collect()
}

fn checked(text: &str) -> (Option<Policy>, Problems) {
    let (mut sources, mut problems) = (Sources::default(), Problems::default());
    let number = sources.add(std::path::Path::new("policy.yaml"), text.to_owned());
    let root = parse(number, &mut sources, &|_| None, &mut problems);
    let raw: Option<RawPolicy> = root.and_then(|mut root| read(&mut root, &mut problems));
    let policy = raw.and_then(|raw| raw.check(&mut problems));
    (policy, problems)
}

fn check(text: &str) -> (Option<Policy>, Vec<String>) {
    let (policy, problems) = checked(text);
    let told = problems.iter().filter(|problem| problem.severity != Severity::Note).map(|problem| {
        assert!(!problem.help.is_empty());
        format!("{}:{} {}", problem.place.line(), problem.place.column(), problem.what)
    });
    (policy, told.collect())
}
