//! Components that do what they should, and those that do not: each limit holds, and nobody else is harmed.

#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use wicketgate_plugin::fuzz::Nobody;
use wicketgate_plugin::{
    Data, Direction, Edit, Fault, Instance, Judge, Limits, Question, Unusable, Value, Verdict, Word, testing,
};

const fn question(payload: &[u8]) -> Question<'_> {
    Question { direction: Direction::ToUpstream, data: Data::Text, kind: "chat", payload, unix_millis: 7 }
}

fn judge(bytes: &[u8]) -> Judge {
    Judge::of(bytes, Vec::new(), Limits::default()).unwrap()
}

fn ask(judge: &Judge, payload: &[u8]) -> Result<Verdict, Fault> {
    judge.ask(&question(payload), Arc::new(Nobody))
}

#[test]
fn verdicts_come_as_they_are_given() {
    assert_eq!(ask(&judge(&testing::passing()), b"a"), Ok(Verdict::Pass));
    let x = Word::new("x").unwrap();
    assert_eq!(ask(&judge(&testing::refusing()), b"a"), Ok(Verdict::Refuse(x, Some(4000))));
    assert_eq!(ask(&judge(&testing::rewriting()), b"a"), Ok(Verdict::Rewrite(vec![b'x'; 64])));
    let mut dropped = [0; 12];
    dropped[0] = 3;
    dropped[4] = 64;
    dropped[8] = 2;
    assert_eq!(ask(&judge(&testing::mirroring()), &dropped), Ok(Verdict::Drop(Word::new("xx").unwrap())));
}

#[test]
fn every_misdeed_is_a_fault_and_the_next_message_is_judged() {
    for (name, bytes) in testing::misdeeds() {
        let judge = self::judge(&bytes);
        assert_eq!(ask(&judge, b"good"), Ok(Verdict::Pass), "{name}");
        let began = Instant::now();
        let fault = ask(&judge, b"!").unwrap_err();
        let label = match name {
            "loop" => "plugin_deadline",
            "memory" | "memory-at-once" => "plugin_memory",
            "huge-answer" | "aliased-answer" | "no-text" | "no-word" | "long-word" => "plugin_answer",
            "log-flood" => "plugin_log",
            _ => "plugin_trap",
        };
        assert_eq!(fault.label(), label, "{name}: {fault}");
        assert!(began.elapsed() < Duration::from_secs(2), "{name} took {:?}", began.elapsed());
        assert_eq!(ask(&judge, b"good"), Ok(Verdict::Pass), "{name}");
    }
}

#[test]
fn a_deadline_is_kept_and_longer_work_is_let_be() {
    let limits = Limits { deadline: Duration::from_millis(50), ..Limits::default() };
    let bytes = testing::on_mark("(loop $again (br $again)) (i32.const 16)");
    let judge = Judge::of(&bytes, Vec::new(), limits).unwrap();
    let began = Instant::now();
    assert_eq!(ask(&judge, b"!"), Err(Fault::Deadline(Duration::from_millis(50))));
    assert!(began.elapsed() >= Duration::from_millis(50));
}

#[test]
fn a_session_keeps_its_own_instance_and_no_other_sees_it() {
    let judge = self::judge(&testing::counting());
    let (mut one, mut other) = (None, None);
    let ask_own = |own: &mut Option<Instance>| judge.ask_own(own, &question(b"a"), Arc::new(Nobody)).unwrap();
    assert_eq!(ask_own(&mut one), Verdict::Pass);
    assert!(matches!(ask_own(&mut one), Verdict::Refuse(..)));
    assert_eq!(ask_own(&mut other), Verdict::Pass);
    // Another component takes its place, with a memory of its own.
    let next = self::judge(&testing::passing());
    assert_eq!(next.ask_own(&mut one, &question(b"a"), Arc::new(Nobody)), Ok(Verdict::Pass));
    assert_eq!(ask_own(&mut one), Verdict::Pass);
}

#[test]
fn there_are_so_many_instances_and_no_more() {
    let limits = Limits { instances: 2, ..Limits::default() };
    let judge = Judge::of(&testing::passing(), Vec::new(), limits).unwrap();
    // The first one was started at load.
    let (mut one, mut other) = (None, None);
    let ask_own = |own: &mut Option<Instance>| judge.ask_own(own, &question(b"a"), Arc::new(Nobody));
    assert_eq!(ask_own(&mut one), Ok(Verdict::Pass));
    assert_eq!(ask_own(&mut other), Err(Fault::Instances(2)));
    one = None;
    assert_eq!(ask_own(&mut other), Ok(Verdict::Pass));
    drop(one);
}

#[test]
fn what_cannot_be_used_says_why() {
    let load = |bytes: &[u8]| Judge::of(bytes, Vec::new(), Limits::default()).unwrap_err();
    let told = load(&testing::wanting_files());
    assert!(matches!(told, Unusable::World { .. }) && told.to_string().contains("wasi:filesystem"), "{told}");
    assert!(matches!(load(b"nothing of that kind"), Unusable::Malformed(_)));
    assert!(matches!(load(b"(component)"), Unusable::Malformed(_)));
    let mut cut = testing::passing();
    cut.truncate(cut.len() / 2);
    assert!(matches!(load(&cut), Unusable::Malformed(_)));
    let empty = load(b"\0asm\x0d\0\x01\0");
    assert!(matches!(empty, Unusable::World { .. }) && empty.to_string().contains("judge"), "{empty}");
    let starving = Limits { memory: 64 << 10, ..Limits::default() };
    let told = Judge::of(&testing::passing(), Vec::new(), starving).unwrap_err();
    assert!(matches!(told, Unusable::Start(Fault::Memory(_))), "{told}");
}

#[test]
fn the_same_bytes_are_compiled_once() {
    let first = judge(&testing::passing());
    assert!(first.is_same(&judge(&testing::passing())));
    assert!(!first.is_same(&judge(&testing::refusing())));
    let other = Judge::of(&testing::passing(), vec![("a".into(), "b".into())], Limits::default()).unwrap();
    assert!(!first.is_same(&other), "its settings are others");
}

#[test]
fn many_threads_ask_at_once() {
    let judge = self::judge(&testing::on_mark("(unreachable)"));
    std::thread::scope(|scope| {
        for number in 0..8 {
            let judge = &judge;
            scope.spawn(move || {
                for turn in 0..100 {
                    let bad = number % 2 == 0 && turn % 10 == 0;
                    let answer = ask(judge, if bad { b"!" } else { b"good" });
                    assert_eq!(answer.is_err(), bad);
                }
            });
        }
    });
}

#[test]
fn fields_change_as_a_component_says() {
    let judge = self::judge(&testing::editing(&[("a.b", Some("new")), ("c", None)]));
    let put = Edit { path: "a.b".into(), value: Some(Value::Text("new".into())) };
    let remove = Edit { path: "c".into(), value: None };
    assert_eq!(ask(&judge, b"a"), Ok(Verdict::Edit(vec![put, remove])));
    // So many changes and no more; those of this verdict stand in memory that is zero.
    let mut many = [5, 0, 0, 0, 0, 0, 1, 0, 64, 0, 0, 0];
    let judge = self::judge(&testing::mirroring());
    assert!(matches!(ask(&judge, &many), Ok(Verdict::Edit(edits)) if edits.len() == 64));
    many[8] = 65;
    assert_eq!(ask(&judge, &many), Err(Fault::Answer("more than 64 changes")));
    let long = self::judge(&testing::editing(&[(&"n".repeat(257), None)]));
    assert_eq!(ask(&long, b"a"), Err(Fault::Answer("a path of more than 256 bytes")));
}
