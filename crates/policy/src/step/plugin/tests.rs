//! Components asked by a policy: what follows of their answers, and of what they do wrong.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wicketgate_plugin::testing;
use wicketgate_wire::CloseCode;

use crate::Facts;
use crate::finding::Action;
use crate::message::Direction;
use crate::policy::Session;
use crate::testing::{judge_in, policy, problems};
use crate::verdict::Verdict;

fn written(component: &Path, more: &str) -> String {
    format!(
        "name: p\nformat: json\nkind: type\nto_upstream:\n  - {{name: own, plugin: {{component: '{}', deadline: 200ms{more}}}}}\n",
        component.display()
    )
}

fn file(folder: &Path, bytes: &[u8]) -> PathBuf {
    let path = folder.join("component.wasm");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// What becomes of the messages of one session, each with the classes of what was found.
fn session(component: &[u8], more: &str, messages: &[&str]) -> Vec<(Verdict, Vec<&'static str>)> {
    let folder = tempfile::tempdir().unwrap();
    let policy = policy(&written(&file(folder.path(), component), more));
    let mut session = Session::new(Arc::new(Facts::default()));
    let judged = messages.iter().map(|message| {
        let judged = judge_in(&policy, &mut session, Direction::ToUpstream, message.as_bytes());
        (judged.verdict, judged.findings.iter().map(|finding| finding.class).collect())
    });
    judged.collect()
}

#[test]
fn answers_become_verdicts() {
    let (verdict, classes) = session(&testing::passing(), "", &["{}"]).remove(0);
    assert!(matches!(verdict, Verdict::Forward(_)) && classes.is_empty());
    let (verdict, classes) = session(&testing::refusing(), "", &["{}"]).remove(0);
    assert!(matches!(verdict, Verdict::Close(CloseCode(4000))), "{verdict:?}");
    assert_eq!(classes, ["refused"]);
    let then = session(&testing::counting(), "}, then: {close: 4400", &["{}", "{}"]);
    assert!(matches!(then[0].0, Verdict::Forward(_)));
    assert!(matches!(then[1].0, Verdict::Close(CloseCode(4400))), "{:?}", then[1].0);
}

#[test]
fn a_message_is_rewritten_only_where_it_may_be() {
    let (verdict, classes) = session(&testing::rewriting(), "", &["{}"]).remove(0);
    assert!(matches!(verdict, Verdict::Close(CloseCode::INTERNAL)), "{verdict:?}");
    assert_eq!(classes, ["plugin_answer"]);
    // Many `x` are no JSON: that is the component's fault.
    let (verdict, classes) = session(&testing::rewriting(), ", may_rewrite: true", &["{}"]).remove(0);
    assert!(matches!(verdict, Verdict::Close(CloseCode::INTERNAL)), "{verdict:?}");
    assert_eq!(classes, ["rewritten", "malformed"]);
    let folder = tempfile::tempdir().unwrap();
    let text = written(&file(folder.path(), &testing::rewriting()), ", may_rewrite: true")
        .replace("format: json\nkind: type", "format: text");
    let mut session = Session::new(Arc::new(Facts::default()));
    let judged = judge_in(&policy(&text), &mut session, Direction::ToUpstream, b"hello");
    assert!(matches!(&judged.verdict, Verdict::Rewrite(new, _) if *new == [b'x'; 64]), "{judged:?}");
    assert_eq!(judged.findings[0].action, Action::Rewritten);
}

#[test]
fn fields_change_and_all_other_bytes_stay() {
    let edited = |edits: &[(&str, Option<&str>)], message: &str| {
        session(&testing::editing(edits), ", may_rewrite: true", &[message]).remove(0)
    };
    let message = r#"{"type" : "a", "n":1.50, "user":{"name":"x","age":3}}"#;
    for (edits, expected) in [
        (&[("user.name", Some("y"))][..], r#"{"type" : "a", "n":1.50, "user":{"name":"y","age":3}}"#),
        (&[("user.mark", Some("y"))], r#"{"type" : "a", "n":1.50, "user":{"name":"x","age":3,"mark":"y"}}"#),
        (&[("user.age", None), ("gone", None)], r#"{"type" : "a", "n":1.50, "user":{"name":"x"}}"#),
        (&[("user", Some("none")), ("type", Some("b"))], r#"{"type" : "b", "n":1.50, "user":"none"}"#),
    ] {
        let (verdict, classes) = edited(edits, message);
        assert!(
            matches!(&verdict, Verdict::Rewrite(new, _) if new == expected.as_bytes()),
            "{edits:?}: {verdict:?}"
        );
        assert_eq!(classes, ["rewritten"]);
    }
    let (verdict, classes) = edited(&[("gone", None)], message);
    assert!(matches!(verdict, Verdict::Forward(_)) && classes.is_empty(), "{verdict:?}");
    for edits in [
        &[("user..name", Some("y"))][..],
        &[("**.name", Some("y"))],
        &[("user.*", None)],
        &[("user.name.first", Some("y"))],
        &[("nobody.name", Some("y"))],
        &[("user[2]", Some("y"))],
        &[("", Some("y"))],
        &[("$", None)],
        &[(&"n".repeat(257), Some("y"))],
    ] {
        let (verdict, classes) = edited(edits, message);
        assert!(matches!(verdict, Verdict::Close(CloseCode::INTERNAL)), "{edits:?}: {verdict:?}");
        assert_eq!(classes, ["plugin_answer"], "{edits:?}");
    }
    // What is no message of the format any more.
    let (verdict, classes) = edited(&[("mark", Some("y")), ("mark", Some("z"))], message);
    assert!(matches!(verdict, Verdict::Close(CloseCode::INTERNAL)), "{verdict:?}");
    assert_eq!(classes, ["rewritten", "duplicate_key"]);
    let (verdict, classes) = session(&testing::editing(&[("n", None)]), "", &[message]).remove(0);
    assert!(matches!(verdict, Verdict::Close(CloseCode::INTERNAL)), "without `may_rewrite`");
    assert_eq!(classes, ["plugin_answer"]);
}

#[test]
fn what_a_component_does_wrong_closes_with_1011_whatever_then_says() {
    // A message has to be JSON, and JSON that begins with a blank passes.
    let marked = |bytes: Vec<u8>| {
        let folder = tempfile::tempdir().unwrap();
        let text = written(&file(folder.path(), &bytes), "}, then: {close: 4400")
            .replace("format: json\nkind: type", "format: text");
        let policy = policy(&text);
        let mut session = Session::new(Arc::new(Facts::default()));
        [b"good".as_slice(), b"!", b"good"]
            .map(|message| judge_in(&policy, &mut session, Direction::ToUpstream, message).verdict)
    };
    for (name, bytes) in testing::misdeeds() {
        let verdicts = marked(bytes);
        assert!(
            matches!(
                verdicts,
                [Verdict::Forward(_), Verdict::Close(CloseCode::INTERNAL), Verdict::Forward(_)]
            ),
            "{name}: {verdicts:?}"
        );
    }
}

#[test]
fn a_session_may_have_an_instance_of_its_own() {
    let shared = session(&testing::counting(), "", &["{}", "{}"]);
    assert!(matches!(shared[1].0, Verdict::Close(_)));
    let folder = tempfile::tempdir().unwrap();
    let policy =
        policy(&written(&file(folder.path(), &testing::counting()), ", state: session, instances: 3"));
    for _ in 0..5 {
        let mut session = Session::new(Arc::new(Facts::default()));
        let mut judge = || judge_in(&policy, &mut session, Direction::ToUpstream, b"{}").verdict;
        assert!(matches!(judge(), Verdict::Forward(_)));
        assert!(matches!(judge(), Verdict::Close(CloseCode::POLICY)));
    }
}

#[test]
fn a_reload_keeps_instances_of_the_same_component_and_takes_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), &testing::counting());
    let text = written(&path, ", state: session");
    let first = policy(&text);
    let mut session = Session::new(Arc::new(Facts::default()));
    let mut judge =
        |policy: &crate::Policy| judge_in(policy, &mut session, Direction::ToUpstream, b"{}").verdict;
    assert!(matches!(judge(&first), Verdict::Forward(_)));
    let second = policy(&text);
    second.follow(&first);
    assert!(matches!(judge(&second), Verdict::Close(_)), "the session's instance is the same");
    file(folder.path(), &testing::passing());
    let third = policy(&text);
    third.follow(&second);
    assert!(matches!(judge(&third), Verdict::Forward(_)), "messages are judged by the new component");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let good = file(folder.path(), &testing::passing());
    for (more, expected) in [
        (", instances: 3", "instances are shared"),
        (", state: session, instances: 0", "outside its bounds"),
        (", memory: 64KiB", "outside its bounds"),
        (", longest: 0B", "outside its bounds"),
    ] {
        let wrong = problems(&written(&good, more)).concat();
        assert!(wrong.contains(expected), "{more}: {wrong}");
        assert!(wrong.starts_with("5:"), "{more}: {wrong}");
    }
    for (bytes, expected) in [
        (testing::wanting_files(), "wasi:filesystem"),
        (b"nothing of that kind".to_vec(), "it is no component"),
        (Vec::new(), "it is no component"),
    ] {
        let bad = file(folder.path(), &bytes);
        let wrong = problems(&written(&bad, "")).concat();
        assert!(wrong.contains(expected) && wrong.starts_with("5:"), "{wrong}");
    }
    let gone = problems(&written(&folder.path().join("nowhere"), "")).concat();
    assert!(gone.contains("cannot be read"), "{gone}");
    let mqtt = written(&file(folder.path(), &testing::passing()), ", may_rewrite: true")
        .replace("format: json\nkind: type", "format: {mqtt: {}}");
    let wrong = problems(&format!("{mqtt}to_client: []\n")).concat();
    assert!(wrong.contains("cannot be rewritten"), "{wrong}");
}
