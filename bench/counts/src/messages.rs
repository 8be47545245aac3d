//! Messages of a chat in JSON, judged by a policy of one step.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::json;
use wicketgate_config::{Problems, part};
use wicketgate_policy::{DataKind, Direction, Facts, Message, Policy, RawPolicy, Session, Verdict};

pub(crate) const SCHEMA: &str = "{schema: {inline: {type: object, additionalProperties: false, required: [type, id, user, text], properties: {
  type: {const: message}, id: {type: integer, minimum: 0}, sent: {type: string, maxLength: 40},
  user: {type: object, required: [name], properties: {name: {type: string, maxLength: 64}}},
  tags: {type: array, maxItems: 8, items: {type: string}}, text: {type: string, maxLength: 4000}}}}}";
pub(crate) const RULE: &str = "{when: 'message.id < 0 && message.user.name == \"\"', then: {close: 4400}}";
pub(crate) const REDACT: &str = "{redact: {patterns: [card, iban, token, key], with: mask}}";
pub(crate) const BLOCKLIST: &str = "{blocklist: {words: [zorg, quax, blim, vrek, \"no such words\"]}}";
const LINE: &str = "Good morning! We're meeting at 10:30 in the small room (2nd floor), don't forget the slides; see you & Ann there. ";
const HOSTILE: &str = "select or and union from where <a <b on= ; | & $( cat ../ %2525 &amp;amp; ' '' -- ";

/// An ordinary message of so many bytes, so many times.
pub(crate) fn judge(step: &str, size: usize, times: u32) -> Result<()> {
    run(step, &message(LINE, size), times)
}

/// One of 1 KiB that looks like many attacks, and is none.
pub(crate) fn judge_hostile(times: u32) -> Result<()> {
    run("{guard: {}}", &message(HOSTILE, 1 << 10), times)
}

fn message(line: &str, size: usize) -> String {
    let with = |text: &str| {
        json!({"type": "message", "id": 48_213, "user": {"name": "Ann Miller"}, "sent": "2026-03-01T10:20:30Z", "tags": ["team"], "text": text})
            .to_string()
    };
    let spare = size - with("").len();
    with(&line.chars().cycle().take(spare).collect::<String>())
}

fn run(step: &str, message: &str, times: u32) -> Result<()> {
    let policy = policy(step)?;
    let mut session = Session::new(Arc::new(Facts::default()));
    for _ in 0..times {
        let message = Message { kind: DataKind::Text, payload: black_box(message).as_bytes() };
        let outcome = policy.judge(&mut session, Direction::ToUpstream, message);
        ensure!(matches!(outcome.verdict, Verdict::Forward(_)), "{:?}", outcome.verdict);
    }
    Ok(())
}

fn policy(step: &str) -> Result<Policy> {
    let text = format!("name: chat\nformat: json\nkind: type\nto_upstream: [{step}]\n");
    let raw: RawPolicy = part("policy.yaml", &text).map_err(|report| anyhow!("{report:?}"))?;
    let mut problems = Problems::default();
    let policy = raw.check(&mut problems).filter(|_| !problems.has_errors());
    policy.with_context(|| format!("{:?}", problems.iter().map(|problem| &problem.what).collect::<Vec<_>>()))
}
