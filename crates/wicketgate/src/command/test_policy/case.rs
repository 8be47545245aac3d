//! A case: a message, and what is expected of the policy.

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use wicketgate_policy::{DataKind, Direction, Outcome, Verdict};

use super::show;

/// A message, and what is expected of the policy.
pub(super) struct Case {
    pub(super) name: Option<String>,
    pub(super) direction: Direction,
    pub(super) kind: DataKind,
    pub(super) payload: Vec<u8>,
    expect: Option<Expected>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase<'a> {
    name: Option<String>,
    direction: Option<RawDirection>,
    text: Option<String>,
    #[serde(borrow)]
    json: Option<&'a RawValue>,
    binary: Option<String>,
    expect: Option<Expected>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawDirection {
    ToUpstream,
    ToClient,
}

/// What is expected: each part that is given.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// `forward`, `rewrite`, `drop`, `reply` or `close`.
    verdict: Option<String>,
    /// The close code.
    code: Option<u16>,
    /// The steps that found something, in their order.
    steps: Option<Vec<String>>,
    /// The text of the message that goes on, or of the answer.
    text: Option<String>,
}

impl Case {
    /// A message of which nothing is expected.
    pub(super) const fn message(kind: DataKind, payload: Vec<u8>, direction: Direction) -> Self {
        Self { name: None, direction, kind, payload, expect: None }
    }

    /// Reads a line.
    pub(super) fn read(line: &str, direction: Direction) -> anyhow::Result<Self> {
        let RawCase { name, direction: towards, text, json, binary, expect } = serde_json::from_str(line)?;
        let (kind, payload) = match (text, json, binary) {
            (Some(text), None, None) => (DataKind::Text, text.into_bytes()),
            (None, Some(json), None) => (DataKind::Text, json.get().as_bytes().to_vec()),
            (None, None, Some(binary)) => {
                (DataKind::Binary, STANDARD.decode(binary).context("`binary` is no base64")?)
            }
            _ => bail!("it has one of `text`, `json` and `binary`"),
        };
        let direction = match towards {
            Some(RawDirection::ToUpstream) => Direction::ToUpstream,
            Some(RawDirection::ToClient) => Direction::ToClient,
            None => direction,
        };
        Ok(Self { name, direction, kind, payload, expect })
    }

    /// What came out otherwise than expected.
    pub(super) fn faults(&self, outcome: &Outcome) -> Vec<String> {
        let Some(expect) = &self.expect else { return Vec::new() };
        let mut faults = Vec::new();
        let mut compare = |what: &str, expected: Option<String>, got: String| match expected {
            Some(expected) if expected != got => faults.push(format!("{what}: {got}, not {expected}")),
            _ => {}
        };
        compare("verdict", expect.verdict.clone(), show::word(&outcome.verdict).into());
        let code = match outcome.verdict {
            Verdict::Close(code) => code.0.to_string(),
            _ => "none".into(),
        };
        compare("code", expect.code.map(|code| code.to_string()), code);
        let steps: Vec<&str> = outcome.findings.iter().map(|finding| &*finding.step).collect();
        compare("steps", expect.steps.as_ref().map(|steps| steps.join(", ")), steps.join(", "));
        let text = show::says(&outcome.verdict, &self.payload);
        compare("text", expect.text.clone(), text.map_or_else(|| "none".into(), |text| text.into_owned()));
        faults
    }
}
