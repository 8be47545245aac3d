//! The step on rules made here: what is asked, found, left out, and shared.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use wicketgate_seclang::{Argument, Budget, RuleMask, RuleSet, Scratch};

use super::Crs;
use crate::step::Effect;
use crate::testing::{judge, notes, problems};
use crate::{Direction, Verdict};

/// Rules of our own, in the manner of the Core Rule Set.
const RULES: &str = r#"
SecAction "id:1,phase:1,nolog,pass,setvar:tx.critical=5"
SecRule &TX:paranoia_level "@eq 0" "id:2,phase:1,nolog,pass,setvar:tx.paranoia_level=1"
SecRule &TX:inbound_anomaly_score_threshold "@eq 0" "id:3,phase:1,nolog,pass,setvar:tx.inbound_anomaly_score_threshold=5"
SecRule ARGS "@rx (?i)union\s+select" "id:100,phase:2,block,t:none,t:urlDecodeUni,msg:'SQL',severity:CRITICAL,tag:'attack-sqli',setvar:'tx.score=+%{tx.critical}'"
SecRule ARGS_NAMES "@contains __proto__" "id:101,phase:2,block,msg:'a name',severity:CRITICAL,setvar:'tx.score=+%{tx.critical}'"
SecRule REQUEST_BODY "@rx whole-body" "id:102,phase:2,deny,msg:'the body'"
SecRule TX:paranoia_level "@lt 2" "id:103,phase:2,nolog,pass,skipAfter:END-2"
SecRule ARGS "@pm suspicious" "id:104,phase:2,block,msg:'a word',setvar:'tx.score=+2'"
SecMarker END-2
SecRule TX:score "@ge %{tx.inbound_anomaly_score_threshold}" "id:200,phase:2,deny,msg:'over'"
SecRule ARGS "@rx a(?!b)" "id:300,phase:2,block"
"#;

fn written(folder: &Path, more: &str) -> String {
    let rules = folder.join("rules.conf");
    std::fs::write(&rules, RULES).unwrap();
    format!(
        "name: p\nformat: json\nto_upstream:\n  - name: rules\n    crs: {{rules: {}{more}}}\n",
        rules.display()
    )
}

/// The rules that were found in a message, each as `RULE CLASS PATH`.
fn found(more: &str, message: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let judged = judge(&written(folder.path(), more), Direction::ToUpstream, message.as_bytes());
    assert_eq!(matches!(judged.verdict, Verdict::Close(_)), !judged.findings.is_empty());
    let findings = judged.findings.iter();
    findings.map(|hit| format!("{} {} {}", hit.rule.as_deref().unwrap_or(""), hit.class, hit.path)).collect()
}

#[test]
fn a_message_is_refused_by_its_score_and_told_of_by_field() {
    let attack = r#"{"order": {"note": ["x", "1 UNION%20 SELECT 2"]}}"#;
    assert_eq!(found("", attack), ["100 sqli order.note[1]", "200 crs $"]);
    assert_eq!(found("", r#"{"a": {"__proto__": 1}}"#), ["101 crs a.__proto__", "200 crs $"]);
    assert_eq!(found("", r#"{"a": "union of selected works"}"#), [""; 0]);
    assert_eq!(found("", r#"{"a": "the whole-body"}"#), ["102 crs $"]);
    assert_eq!(found(", threshold: 6", attack), [""; 0]);
    assert_eq!(found(", threshold: 2, paranoia: 2", r#"{"a": "suspicious"}"#), ["104 crs a", "200 crs $"]);
    assert_eq!(found(", threshold: 2", r#"{"a": "suspicious"}"#), [""; 0]);
}

#[test]
fn what_is_excluded_is_not_found() {
    let attack = r#"{"sql": "union select", "q": {"sql": "union select"}}"#;
    assert_eq!(found(", exclude: [{rules: [100], paths: [sql]}]", attack), ["100 sqli q.sql", "200 crs $"]);
    assert_eq!(found(", exclude: [{tags: [attack-sqli], paths: ['**.sql']}]", attack), [""; 0]);
    assert_eq!(found(", exclude: [{paths: ['**.sql']}]", attack), [""; 0]);
    assert_eq!(found(", exclude: [{rules: 100}]", attack), [""; 0]);
}

#[test]
fn what_cannot_be_asked_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let told = notes(&written(folder.path(), "")).concat();
    assert!(
        told.contains("1 cannot be") && told.contains("rules.conf:12: rule 300: look-around `(?!`"),
        "{told}"
    );
    for (more, expected) in [
        (", paranoia: 5", "outside its bounds"),
        (", exclude: [{rules: [7]}]", "no rule has the number 7"),
        (", exclude: [{tags: [x]}]", "no rule has the tag `x`"),
        (", exclude: [{}]", "neither rules nor fields"),
        (", setup: /nowhere.conf", "cannot be read"),
    ] {
        let wrong = problems(&written(folder.path(), more)).concat();
        assert!(wrong.contains(expected), "{more}: {wrong}");
    }
}

#[test]
fn more_work_than_is_allowed_is_a_finding() {
    let set = std::sync::Arc::new(RuleSet::parse("SecRule ARGS \"@rx x[^y ]z\" \"id:1,deny\"", &[]).unwrap());
    let judge = |base| {
        let budget = Budget { base, per_byte: 0 };
        let crs = Crs::new(set.clone(), &RuleMask::default(), Vec::new(), budget);
        let arguments = [Argument::new(b"a", b"xx zz xx zz")];
        let request = super::request(&arguments, b"");
        let outcome = crs.0.set.judge(&crs.0.baseline, &request, budget, &mut Scratch::default());
        crs.0.effect(&outcome, &[])
    };
    assert!(matches!(judge(1000), Effect::Pass));
    let Effect::Violation(hits) = judge(4) else { panic!("it passed") };
    assert_eq!(hits.iter().map(|hit| hit.class).collect::<Vec<_>>(), ["budget"]);
}

#[test]
fn the_core_rule_set_judges_messages() {
    let text = "name: p\nformat: json\nto_upstream:\n  - crs: {setup: /etc/modsecurity/crs/crs-setup.conf, \
                rules: /usr/share/modsecurity-crs/rules, paranoia: 1, exclude: [{paths: [code]}]}\n";
    for (message, rule) in [
        (r#"{"type": "chat", "text": "Shall we meet at noon tomorrow?"}"#, None),
        (r#"{"type": "chat", "text": "1' UNION SELECT name, password FROM users --"}"#, Some("942100")),
        (r#"{"type": "chat", "text": "<script>alert(1)</script>"}"#, Some("941100")),
        (r#"{"type": "chat", "files": ["../../../../etc/passwd"]}"#, Some("930110")),
        (r#"{"type": "chat", "text": "; cat /etc/passwd"}"#, Some("932160")),
        (r#"{"type": "chat", "code": "<script>alert(1)</script>"}"#, None),
    ] {
        let judged = judge(text, Direction::ToUpstream, message.as_bytes());
        let rules: Vec<&str> = judged.findings.iter().filter_map(|finding| finding.rule.as_deref()).collect();
        match rule {
            Some(rule) => assert!(rules.contains(&rule) && rules.contains(&"949110"), "{message}: {rules:?}"),
            None => assert!(rules.is_empty(), "{message}: {rules:?}"),
        }
    }
}
