//! The same messages, requests and rules, asked of libmodsecurity 3.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use wicketgate_seclang::{Budget, Effect, Exclusions, Head, RuleSet, Scratch};

use crate::core_rule_set::{Asked, ids, load};
use crate::generator::{Chance, message};
use crate::requests::request;

/// The least part of messages in which both find the same.
const ALIKE: f64 = 0.97;

#[test]
fn libmodsecurity_finds_the_same() {
    let all = std::env::var_os("WICKETGATE_TEST_ALL").is_some();
    let count = if all { 40_000 } else { 500 };
    let levels: &[&str] = if all { &["1", "2", "3", "4"] } else { &["1", "4"] };
    for level in levels {
        let mut chance = Chance::new(7);
        let messages: Vec<String> = (0..count).map(|_| message(&mut chance)).collect();
        let theirs = theirs(level, &messages, None);
        let mut asked = Asked::new(load(level));
        let left = left(&asked.set);
        compare(level, &messages, &theirs, &left, |message| asked.ids(message));
    }
}

#[test]
fn libmodsecurity_finds_the_same_in_requests() {
    let all = std::env::var_os("WICKETGATE_TEST_ALL").is_some();
    let count = if all { 20_000 } else { 500 };
    let levels: &[&str] = if all { &["1", "2", "3", "4"] } else { &["1", "4"] };
    for level in levels {
        let mut chance = Chance::new(23);
        let requests: Vec<String> = (0..count).map(|_| request(&mut chance)).collect();
        let theirs = theirs(level, &requests, Some("requests"));
        let set = load(level);
        let mut scratch = Scratch::default();
        let left = left(&set);
        compare(level, &requests, &theirs, &left, |request| of_request(&set, request, &mut scratch));
    }
}

/// The ids of the rules that tell of a request.
fn of_request(set: &RuleSet, request: &str, scratch: &mut Scratch) -> Vec<u64> {
    let request: serde_json::Value = serde_json::from_str(request).unwrap();
    let text = |name: &str| request[name].as_str().unwrap();
    let protocol = format!("HTTP/{}", text("version"));
    let headers: Vec<(&[u8], &[u8])> = request["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line[0].as_str().unwrap().as_bytes(), line[1].as_str().unwrap().as_bytes()))
        .collect();
    let head = Head {
        method: text("method").as_bytes(),
        uri: text("uri").as_bytes(),
        protocol: protocol.as_bytes(),
        headers: &headers,
        address: Some(std::net::Ipv4Addr::LOCALHOST.into()),
    };
    let outcome = set.ask(&head, &Exclusions::default(), (500, Budget::default()), scratch).unwrap();
    ids(set, &outcome)
}

/// Rules that nobody can ask, as `notes` says. Another test has their list; here it is the others that are compared.
fn left(set: &RuleSet) -> Vec<u64> {
    let left = set.notes().iter().filter(|note| note.effect == Effect::Left);
    left.filter_map(|note| note.rule).collect()
}

fn compare(
    level: &str,
    asked: &[String],
    theirs: &[Vec<u64>],
    left: &[u64],
    mut ours: impl FnMut(&str) -> Vec<u64>,
) {
    let (count, mut alike, mut differences) = (asked.len(), 0, BTreeMap::<String, (usize, &str)>::new());
    for (asked, theirs) in asked.iter().zip(theirs) {
        let theirs: Vec<u64> = theirs.iter().copied().filter(|id| !left.contains(id)).collect();
        let ours = ours(asked);
        if ours == theirs {
            alike += 1;
            continue;
        }
        let missing = theirs.iter().filter(|id| !ours.contains(id)).map(|id| format!("not {id}"));
        let more = ours.iter().filter(|id| !theirs.contains(id)).map(|id| format!("also {id}"));
        for difference in missing.chain(more) {
            let entry = differences.entry(difference).or_insert((0, asked));
            entry.0 += 1;
        }
    }
    let told = theirs.iter().filter(|ids| !ids.is_empty()).count();
    println!("paranoia {level}: {alike} of {count} alike, {told} with findings; {differences:#?}");
    assert!(told > count / 4, "{told}");
    assert!(alike as f64 >= count as f64 * ALIKE, "paranoia {level}: {alike} of {count}; {differences:#?}");
}

/// What libmodsecurity finds in each message, or head of a request.
fn theirs(level: &str, messages: &[String], kind: Option<&str>) -> Vec<Vec<u64>> {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.conf");
    std::fs::write(
        &rules,
        format!(
            "SecRuleEngine DetectionOnly\n\
             SecRequestBodyAccess On\n\
             SecAction \"id:200000,phase:1,nolog,pass,setvar:tx.paranoia_level={level}\"\n\
             SecRule REQUEST_HEADERS:Content-Type \"^application/json\" \
             \"id:200001,phase:1,t:none,pass,nolog,ctl:requestBodyProcessor=JSON\"\n\
             Include /etc/modsecurity/crs/crs-setup.conf\n\
             Include /usr/share/modsecurity-crs/rules/*.conf\n"
        ),
    )
    .unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/seclang/libmodsecurity.py");
    let mut peer = Command::new("python3")
        .arg(script)
        .arg(&rules)
        .args(kind)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = peer.stdin.take().unwrap();
    let text = messages.join("\n");
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = peer.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap();
    let ids: Vec<Vec<u64>> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(ids.len(), messages.len());
    ids
}
