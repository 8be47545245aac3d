//! The same messages and rules, asked of libmodsecurity 3.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::core_rule_set::{Asked, load};
use crate::generator::{Chance, message};

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
        let theirs = theirs(level, &messages);
        let mut asked = Asked::new(load(level));
        // Another test has the list of rules that are not asked; here it is the others that are compared.
        let left = asked.left();
        let (mut alike, mut differences) = (0, BTreeMap::<String, (usize, &str)>::new());
        for (message, theirs) in messages.iter().zip(&theirs) {
            let theirs: Vec<u64> = theirs.iter().copied().filter(|id| !left.contains(id)).collect();
            let ours = asked.ids(message);
            if ours == theirs {
                alike += 1;
                continue;
            }
            let missing = theirs.iter().filter(|id| !ours.contains(id)).map(|id| format!("not {id}"));
            let more = ours.iter().filter(|id| !theirs.contains(id)).map(|id| format!("also {id}"));
            for difference in missing.chain(more) {
                let entry = differences.entry(difference).or_insert((0, message));
                entry.0 += 1;
            }
        }
        let told = theirs.iter().filter(|ids| !ids.is_empty()).count();
        println!("paranoia {level}: {alike} of {count} alike, {told} with findings; {differences:#?}");
        assert!(told > count / 4, "{told}");
        assert!(
            alike as f64 >= count as f64 * ALIKE,
            "paranoia {level}: {alike} of {count}; {differences:#?}"
        );
    }
}

/// What libmodsecurity finds in each message.
fn theirs(level: &str, messages: &[String]) -> Vec<Vec<u64>> {
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
