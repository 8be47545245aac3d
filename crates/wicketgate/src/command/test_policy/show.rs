//! How verdicts are written.

use std::borrow::Cow;

use serde_json::json;
use wicketgate_learn::line::Line;
use wicketgate_policy::{Enforcement, Finding, Outcome, Verdict};

/// The word for a verdict.
pub(super) const fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Forward(_) => "forward",
        Verdict::Rewrite(..) | Verdict::Mark(_) => "rewrite",
        Verdict::Drop => "drop",
        Verdict::Reply(_) => "reply",
        Verdict::Close(_) => "close",
    }
}

/// What goes on, or is answered.
pub(super) fn says<'a>(verdict: &'a Verdict, payload: &'a [u8]) -> Option<Cow<'a, str>> {
    match verdict {
        Verdict::Forward(_) => Some(String::from_utf8_lossy(payload)),
        Verdict::Rewrite(payload, _) => Some(String::from_utf8_lossy(payload)),
        Verdict::Reply(reply) => Some(String::from_utf8_lossy(&reply.payload)),
        Verdict::Drop | Verdict::Close(_) | Verdict::Mark(_) => None,
    }
}

/// For people.
pub(super) fn text(number: usize, case: &Line, outcome: &Outcome, faults: &[String]) -> String {
    let mut shown = format!("{number} {}", word(&outcome.verdict));
    match &outcome.verdict {
        Verdict::Close(code) => shown.push_str(&format!(" {}", code.0)),
        Verdict::Rewrite(..) | Verdict::Reply(_) => {
            let text = says(&outcome.verdict, &case.payload).unwrap_or_default();
            shown.push_str(&format!(" {text}"));
        }
        Verdict::Forward(_) | Verdict::Drop | Verdict::Mark(_) => {}
    }
    if let Some(name) = &case.name {
        shown.push_str(&format!("  ({name})"));
    }
    shown.push('\n');
    for finding in &outcome.findings {
        let observed = if finding.enforcement == Enforcement::Observe { ", observed" } else { "" };
        let Finding { step, class, path, detail, .. } = finding;
        shown.push_str(&format!("    {step}: {class} at {path}{observed}: {detail}"));
        if let Some(rule) = &finding.rule {
            shown.push_str(&format!(" [{rule}]"));
        }
        if let Some(excerpt) = &finding.excerpt {
            shown.push_str(&format!(" in `{excerpt}`"));
        }
        shown.push('\n');
    }
    for fault in faults {
        shown.push_str(&format!("    NOT AS EXPECTED: {fault}\n"));
    }
    shown
}

/// For machines.
pub(super) fn json(number: usize, case: &Line, outcome: &Outcome, faults: &[String]) -> serde_json::Value {
    let code = match outcome.verdict {
        Verdict::Close(code) => Some(code.0),
        _ => None,
    };
    let findings = outcome.findings.iter().map(|finding| {
        json!({
            "step": *finding.step,
            "class": finding.class,
            "rule": finding.rule.as_deref(),
            "path": *finding.path,
            "detail": *finding.detail,
            "excerpt": finding.excerpt.as_deref(),
            "action": finding.action.label(),
            "observed": finding.enforcement == Enforcement::Observe,
        })
    });
    json!({
        "line": number,
        "name": case.name,
        "direction": case.direction.label(),
        "verdict": word(&outcome.verdict),
        "code": code,
        "text": says(&outcome.verdict, &case.payload),
        "findings": findings.collect::<Vec<_>>(),
        "unexpected": faults,
    })
}
