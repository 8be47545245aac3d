//! Rules asked about requests: what is refused, told, observed, excluded and bounded.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use http::request::Parts;
use wicketgate_config::{At, Problems, part};

use super::*;

/// Rules of our own, in the manner of the Core Rule Set.
const RULES: &str = r#"
SecAction "id:1,phase:1,nolog,pass,setvar:tx.critical=5"
SecRule &TX:inbound_anomaly_score_threshold "@eq 0" "id:3,phase:1,nolog,pass,setvar:tx.inbound_anomaly_score_threshold=5"
SecRule ARGS|REQUEST_COOKIES|REQUEST_HEADERS:User-Agent "@rx (?i)union\s+select" "id:100,phase:2,block,t:none,t:urlDecodeUni,msg:'SQL',severity:CRITICAL,tag:'attack-sqli',setvar:'tx.score=+%{tx.critical}'"
SecRule REQUEST_METHOD "@streq CONNECT" "id:101,phase:1,deny,msg:'a method'"
SecRule &REQUEST_HEADERS:Host "@eq 0" "id:102,phase:1,deny,msg:'no host'"
SecRule REQUEST_PROTOCOL "@streq HTTP/2.0" "id:103,phase:2,block,msg:'newer',setvar:tx.score=+1"
SecRule TX:score "@ge %{tx.inbound_anomaly_score_threshold}" "id:200,phase:2,deny,msg:'over'"
"#;

fn checked(folder: &Path, more: &str) -> Result<RequestRules, String> {
    let rules = folder.join("rules.conf");
    std::fs::write(&rules, RULES).unwrap();
    let text = format!("{{rules: {}{more}}}", rules.display());
    let raw: At<RawRequestRules> = part("crs.yaml", &text).map_err(|report| format!("{report:?}"))?;
    let mut problems = Problems::default();
    let rules = RawRequestRules::check(raw, &mut problems);
    match problems.has_errors() {
        true => Err(told(&problems)),
        false => Ok(rules.unwrap()),
    }
}

fn told(problems: &Problems) -> String {
    problems.iter().map(|problem| format!("{}: {}\n", problem.what, problem.help)).collect()
}

fn request(uri: &str) -> Parts {
    http::Request::get(uri).header("host", "a.example").body(()).unwrap().into_parts().0
}

/// How it ended, and what was found, each as `RULE CLASS VARIABLE`.
fn judged(rules: &RequestRules, parts: &Parts) -> (Option<&'static str>, Vec<String>) {
    let mut findings = Vec::new();
    let request = Examined {
        method: &parts.method,
        uri: &parts.uri,
        version: parts.version,
        headers: &parts.headers,
        address: None,
    };
    let ended = rules.judge(request, &mut findings).err().map(|refusal| {
        assert_eq!(refusal.status(), 403);
        refusal.label()
    });
    let line = |hit: &RequestFinding| format!("{} {} {}", hit.rule.unwrap_or(0), hit.class, hit.variable);
    (ended, findings.iter().map(line).collect())
}

#[test]
fn a_request_is_refused_by_its_score_and_told_of_by_variable() {
    let folder = tempfile::tempdir().unwrap();
    let rules = checked(folder.path(), "").unwrap();
    assert_eq!(judged(&rules, &request("/?q=a+union+of+selected")), (None, vec![]));
    let refused = (Some("crs"), vec!["100 sqli ARGS:q".to_owned(), "200 crs TX:score".to_owned()]);
    assert_eq!(judged(&rules, &request("/?q=1+UNION%20SELECT+2")), refused);
    let mut parts = request("/");
    parts.headers.insert("cookie", "a=1; b=union%20select".parse().unwrap());
    assert_eq!(judged(&rules, &parts).1[0], "100 sqli REQUEST_COOKIES:b");
    let mut parts = request("/");
    parts.headers.insert("user-agent", "union select".parse().unwrap());
    assert_eq!(judged(&rules, &parts).1[0], "100 sqli REQUEST_HEADERS:user-agent");
    let rules = checked(folder.path(), ", threshold: 6").unwrap();
    let passed = judged(&rules, &request("/?q=1+UNION%20SELECT+2"));
    assert_eq!(passed, (None, vec!["100 sqli ARGS:q".to_owned()]));
}

#[test]
fn an_excerpt_shows_a_shape_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let rules = checked(folder.path(), "").unwrap();
    let parts = request("/?q=my+secret+hunter+is+union+select");
    let mut findings = Vec::new();
    let Parts { method, uri, version, headers, .. } = &parts;
    let request = Examined { method, uri, version: *version, headers, address: None };
    rules.judge(request, &mut findings).unwrap_err();
    assert!(!format!("{findings:?}").contains("secret"), "{findings:?}");
    assert_eq!(findings[0].excerpt.as_deref(), Some("my sxxxxx xxxxxx xx xxxxx xxlect"));
    assert_eq!(findings[1].excerpt, None);
}

#[test]
fn http_2_is_judged_as_a_websocket_of_its_authority() {
    let folder = tempfile::tempdir().unwrap();
    let rules = checked(folder.path(), "").unwrap();
    let mut parts = http::Request::builder().uri("https://a.example/?q=1").body(()).unwrap().into_parts().0;
    parts.method = Method::CONNECT;
    parts.version = Version::HTTP_2;
    assert_eq!(judged(&rules, &parts), (None, vec!["103 crs REQUEST_PROTOCOL".to_owned()]));
    parts.uri = "/".parse().unwrap();
    assert_eq!(judged(&rules, &parts), (Some("crs"), vec!["102 crs REQUEST_HEADERS".to_owned()]));
}

#[test]
fn who_observes_refuses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let rules = checked(folder.path(), ", mode: observe, max_arguments: 2").unwrap();
    let (ended, found) = judged(&rules, &request("/?q=union+select"));
    assert_eq!((ended, found.len()), (None, 2));
    assert_eq!(judged(&rules, &request("/?a&b&c")), (None, vec!["0 arguments REQUEST".to_owned()]));
}

#[test]
fn what_is_excluded_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    for (exclude, found) in [
        ("{rules: [100], targets: ['ARGS:q']}", false),
        ("{tags: [attack-sqli], targets: ['ARGS:/^Q/']}", false),
        ("{targets: [ARGS]}", false),
        ("{rules: 100}", false),
        ("{targets: ['ARGS:other', REQUEST_COOKIES]}", true),
    ] {
        let rules = checked(folder.path(), &format!(", exclude: [{exclude}]")).unwrap();
        assert_eq!(judged(&rules, &request("/?q=union+select")).0.is_some(), found, "{exclude}");
    }
}

#[test]
fn an_exclusion_made_of_a_finding_keeps_it_from_being_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let rules = checked(folder.path(), "").unwrap();
    let mut cookie = request("/");
    cookie.headers.insert("cookie", "a=1; b=union%20select".parse().unwrap());
    let mut agent = request("/");
    agent.headers.insert("user-agent", "union select".parse().unwrap());
    for parts in [request("/?item[0].name=union+select"), cookie, agent] {
        let found = judged(&rules, &parts).1.remove(0);
        let variable = found.rsplit(' ').next().unwrap();
        let exclusion = rules.exclusion("a \"b\"", Some("100"), variable).unwrap();
        assert!(
            exclusion.text.starts_with("routes:\n  - name: \"a \\\"b\\\"\"\n    admission:\n      crs:\n")
        );
        assert!(exclusion.text.contains(&exclusion.entry) && !exclusion.is_broad, "{exclusion:?}");
        let without = checked(folder.path(), &format!(", exclude: [{}]", exclusion.entry)).unwrap();
        assert_eq!(judged(&without, &parts), (None, vec![]), "{}", exclusion.entry);
    }
    assert!(rules.exclusion("r", Some("102"), "REQUEST_HEADERS").unwrap().is_broad);
    let why = |rule, variable| rules.exclusion("r", rule, variable).unwrap_err();
    assert_eq!(why(Some("7"), "ARGS:q"), Unexcluded::NoRule);
    assert_eq!(why(None, "REQUEST"), Unexcluded::NoRule);
    assert_eq!(why(Some("200"), "TX:score"), Unexcluded::Sum);
    for variable in
        ["ARGS:/q/", "ARGS:a|ARGS:b", "ARGS:a'b", "ARGS:long\u{2026}", "ARGS_NAMES:<script>", "NOTHING:q"]
    {
        assert_eq!(why(Some("100"), variable), Unexcluded::NoTarget, "{variable}");
    }
}

#[test]
fn what_nobody_knows_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let rules = checked(folder.path(), ", max_arguments: 2").unwrap();
    let many = (Some("crs_budget"), vec!["0 arguments REQUEST".to_owned()]);
    assert_eq!(judged(&rules, &request("/?a&b&c")), many);
    let RequestRules(inner) = rules;
    let outcome = Outcome { end: End::OverBudget, ..Outcome::default() };
    let mut findings = Vec::new();
    let refusal = inner.conclude(Some(&outcome), &mut findings).unwrap();
    assert_eq!((refusal.label(), findings[0].class), ("crs_budget", "budget"));
}

#[test]
fn mistakes_are_found_at_load() {
    let folder = tempfile::tempdir().unwrap();
    for (more, expected) in [
        (", paranoia: 5", "outside its bounds"),
        (", max_arguments: 0", "outside its bounds"),
        (", budget: 1", "outside its bounds"),
        (", exclude: [{rules: [7]}]", "no rule has the number 7"),
        (", exclude: [{}]", "neither rules nor values"),
        (", exclude: [{targets: ['ARGSS:x']}]", "the variable `ARGSS`"),
        (", setup: /nowhere.conf", "cannot be read"),
        (", mode: watch", "observe"),
    ] {
        let wrong = checked(folder.path(), more).unwrap_err();
        assert!(wrong.contains(expected), "{more}: {wrong}");
    }
}
