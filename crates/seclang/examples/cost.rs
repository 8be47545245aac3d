//! What the OWASP Core Rule Set costs a message here and in libmodsecurity: CPU time, on generated messages and ordinary ones.
//!
//! `cargo run --release -p wicketgate-seclang --example cost`, with Debian's `modsecurity-crs` and `libmodsecurity3`.
#![allow(clippy::unwrap_used)]

#[path = "../tests/seclang/generator.rs"]
mod generator;

use std::io::Write;
use std::process::{Command, Stdio};

use generator::{Chance, message};
use wicketgate_seclang::{Argument, Budget, Request, RuleSet, Scratch};

const ROUNDS: usize = 20;
const HEADERS: &[(&[u8], &[u8])] = &[
    (b"Host", b"localhost"),
    (b"User-Agent", b"Mozilla/5.0"),
    (b"Accept", b"*/*"),
    (b"Content-Type", b"application/json"),
    (b"Content-Length", b"100"),
];

fn main() {
    println!("| messages | bytes | paranoia | here, us | libmodsecurity, us | times |");
    println!("|---|---:|---:|---:|---:|---:|");
    let mut chance = Chance::new(11);
    let mixed: Vec<String> = (0..500).map(|_| message(&mut chance)).collect();
    let talk = "Could you send me the agenda for tomorrow? I have a few questions about the order. ";
    let chat = |size: usize| {
        let text = talk.chars().cycle().take(size).collect::<String>();
        vec![serde_json::json!({ "type": "chat", "room": "general", "text": text }).to_string()]
    };
    for (what, messages) in [
        ("attacks and talk, mixed", mixed),
        ("chat", chat(200)),
        ("chat", chat(1000)),
        ("chat", chat(16_000)),
    ] {
        let bytes = messages.iter().map(String::len).sum::<usize>() / messages.len();
        for level in ["1", "4"] {
            let ours = ours(level, &messages);
            let theirs = theirs(level, &messages);
            println!("| {what} | {bytes} | {level} | {ours:.1} | {theirs:.0} | {:.0} |", theirs / ours);
        }
    }
}

/// Microseconds of CPU time for a message.
fn ours(level: &str, messages: &[String]) -> f64 {
    let given = [("paranoia_level", level), ("executing_paranoia_level", level)];
    let files = ["/etc/modsecurity/crs/crs-setup.conf".into(), "/usr/share/modsecurity-crs/rules".into()];
    let set = RuleSet::load(&files, &given).unwrap();
    let parsed: Vec<Vec<(String, String)>> = messages
        .iter()
        .map(|message| {
            let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(message).unwrap();
            let texts = object.iter();
            texts.map(|(name, value)| (format!("json.{name}"), value.as_str().unwrap().to_owned())).collect()
        })
        .collect();
    let mut scratch = Scratch::default();
    let baseline = set.baseline(&request(&[], b""), None, &mut scratch);
    let mut round = || {
        for (named, message) in parsed.iter().zip(messages) {
            let arguments: Vec<Argument<'_>> =
                named.iter().map(|(name, value)| Argument::new(name.as_bytes(), value.as_bytes())).collect();
            let request = request(&arguments, message.as_bytes());
            std::hint::black_box(set.judge(&baseline, &request, Budget::default(), &mut scratch));
        }
    };
    round();
    let rounds = ROUNDS * 500 / messages.len().min(500);
    let start = cpu();
    for _ in 0..rounds {
        round();
    }
    (cpu() - start) / rounds as f64 / messages.len() as f64
}

/// The CPU time of this thread, in microseconds.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap() / 1000.0
}

fn request<'m>(arguments: &'m [Argument<'m>], body: &'m [u8]) -> Request<'m> {
    Request {
        method: b"POST",
        uri: b"/",
        protocol: b"HTTP/1.1",
        headers: HEADERS,
        arguments,
        body,
        processor: b"JSON",
        ..Request::default()
    }
}

fn theirs(level: &str, messages: &[String]) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.conf");
    let text = format!(
        "SecRuleEngine DetectionOnly\nSecRequestBodyAccess On\n\
         SecAction \"id:200000,phase:1,nolog,pass,setvar:tx.paranoia_level={level}\"\n\
         SecRule REQUEST_HEADERS:Content-Type \"^application/json\" \
         \"id:200001,phase:1,t:none,pass,nolog,ctl:requestBodyProcessor=JSON\"\n\
         Include /etc/modsecurity/crs/crs-setup.conf\nInclude /usr/share/modsecurity-crs/rules/*.conf\n"
    );
    std::fs::write(&rules, text).unwrap();
    let rounds = (1000 / messages.len()).max(1).to_string();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/seclang/libmodsecurity.py");
    let mut peer = Command::new("python3")
        .args([script, &rules.display().to_string(), &rounds])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    peer.stdin.take().unwrap().write_all(messages.join("\n").as_bytes()).unwrap();
    String::from_utf8(peer.wait_with_output().unwrap().stdout).unwrap().trim().parse().unwrap()
}
