//! A case: a line of a capture, and what is expected of the policy.

use wicketgate_learn::line::Line;
use wicketgate_policy::{DataKind, Direction, Outcome, Verdict};

use super::show;

/// A message of which nothing is expected.
pub(super) const fn plain(payload: Vec<u8>, direction: Direction) -> Line {
    Line {
        name: None,
        session: 0,
        time: None,
        subprotocol: None,
        direction,
        kind: DataKind::Text,
        payload,
        covered: Vec::new(),
        expect: None,
    }
}

/// What came out otherwise than expected.
pub(super) fn faults(line: &Line, outcome: &Outcome) -> Vec<String> {
    let Some(expect) = &line.expect else { return Vec::new() };
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
    let text = show::says(&outcome.verdict, &line.payload);
    compare("text", expect.text.clone(), text.map_or_else(|| "none".into(), |text| text.into_owned()));
    faults
}
