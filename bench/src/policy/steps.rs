//! One policy a step: what it costs to judge a message that passes.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::Map;
use wicketgate_config::Problems;
use wicketgate_policy::{DataKind, Direction, Facts, Identity, Message, Policy, RawPolicy, Session, Verdict};
use wicketgate_testkit::dir::Dir;

use super::messages::chat;
use crate::admission::{cost, read};

/// Entries of the blocklist.
const ENTRIES: usize = 100_000;
const SCHEMA: &str = "{type: object, additionalProperties: false, required: [type, id, channel, user, sent, text], properties: {
  type: {const: message}, id: {type: integer, minimum: 0}, channel: {type: string, maxLength: 64},
  user: {type: object, required: [name], additionalProperties: false, properties: {
    name: {type: string, maxLength: 64}, locale: {type: string, pattern: '^[a-z]{2}(-[A-Z]{2})?$'}}},
  sent: {type: string, maxLength: 40}, tags: {type: array, maxItems: 8, items: {type: string}}, text: {type: string, maxLength: 4000}}}";

/// A step, and what it may cost a message of 256 bytes and one of 1 KiB, in nanoseconds.
struct Step {
    what: &'static str,
    text: String,
    goals: [Option<f64>; 2],
}

fn steps(words: &Path) -> Vec<Step> {
    let step = |what, text: &str, goals| Step { what, text: text.to_owned(), goals };
    let schema = format!("{{schema: {{inline: {SCHEMA}}}}}");
    let list = format!("{{blocklist: {{file: '{}'}}}}", words.display());
    vec![
        step("decoding alone", "", [None; 2]),
        step("kinds allowed", "{allow: [{kinds: [message, typing]}]}", [None; 2]),
        step(
            "a rule in CEL",
            "{when: 'message.id < 0 && claims.tier == \"free\"', then: {close: 4400}}",
            [Some(2_000.0), None],
        ),
        step("schema", &schema, [Some(2_000.0), None]),
        step("guard", "{guard: {}}", [Some(3_000.0), Some(8_000.0)]),
        step("blocklist of 100,000 words", &list, [None, Some(1_000.0)]),
        step(
            "redact card, iban, token, key",
            "{redact: {patterns: [card, iban, token, key], with: mask}}",
            [None; 2],
        ),
        step("enrich with the subject", "{enrich: {set: {from: identity.subject}}}", [None; 2]),
        step("schema and guard", &format!("{schema}, {{guard: {{}}}}"), [None; 2]),
    ]
}

/// Measures all steps, and gives the table.
pub(super) fn run() -> Result<String> {
    let folder = Dir::new()?;
    let words = (0..ENTRIES).fold(String::new(), |mut words, number| {
        // Words as people make them, none of which the messages have.
        let _ = writeln!(words, "{}{}", ["zorg", "quax", "blim", "vrek"][number % 4], number / 4);
        words
    });
    let words = folder.write("words.txt", words)?;
    let mut text = String::from(
        "| step | 256 bytes, ns | more | goal | 1 KiB, ns | more | goal |\n|---|---:|---:|---:|---:|---:|---:|\n",
    );
    let mut alone = [0.0; 2];
    for step in steps(&words) {
        let policy = policy(&step.text).with_context(|| step.what)?;
        write!(text, "| {} ", step.what)?;
        for (place, size) in [256, 1024].into_iter().enumerate() {
            let nanos = judge(&policy, chat(size).to_string().as_bytes())?;
            if step.text.is_empty() {
                alone[place] = nanos;
            }
            let goal = step.goals[place].map_or_else(String::new, |goal| format!("{goal:.0}"));
            write!(text, "| {nanos:.0} | {:.0} | {goal} ", nanos - alone[place])?;
        }
        text.push_str("|\n");
    }
    Ok(text)
}

/// The policy of messages to the upstream with these steps.
pub(super) fn policy(steps: &str) -> Result<Policy> {
    let text = format!("name: chat\nformat: json\nkind: type\nto_upstream: [{steps}]\n");
    let raw: RawPolicy = read(&text)?;
    let mut problems = Problems::default();
    let policy = raw.check(&mut problems).filter(|_| !problems.has_errors());
    policy.with_context(|| format!("{:?}", problems.iter().map(|problem| &problem.what).collect::<Vec<_>>()))
}

/// CPU time of judging a message that passes, in nanoseconds.
fn judge(policy: &Policy, payload: &[u8]) -> Result<f64> {
    let mut session = session();
    let message = Message { kind: DataKind::Text, payload };
    let verdict = policy.judge(&mut session, Direction::ToUpstream, message).verdict;
    ensure!(
        matches!(verdict, Verdict::Forward(_) | Verdict::Rewrite(..)),
        "an ordinary message does not pass: {verdict:?}"
    );
    cost(|_| _ = black_box(policy.judge(&mut session, Direction::ToUpstream, message)))
}

/// CPU time of judging any message, in nanoseconds.
pub(super) fn judge_any(policy: &Policy, payload: &[u8]) -> Result<f64> {
    let mut session = session();
    let message = Message { kind: DataKind::Text, payload };
    cost(|_| _ = black_box(policy.judge(&mut session, Direction::ToUpstream, message)))
}

fn session() -> Session {
    let claims = Map::from_iter([("tier".to_owned(), "gold".into())]);
    let (subject, method, claims) = ("ann".into(), "people".into(), Arc::new(claims));
    let identity = Identity { subject, method, claims, ..Identity::default() };
    Session::new(Arc::new(Facts { identity: Some(identity), ..Facts::default() }))
}
