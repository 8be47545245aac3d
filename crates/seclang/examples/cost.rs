//! What the OWASP Core Rule Set costs a message, or the head of a request, here and in libmodsecurity: CPU time, on generated ones
//! and ordinary ones.
//!
//! `cargo run --release -p wicketgate-seclang --example cost`, with Debian's `modsecurity-crs` and `libmodsecurity3`.
#![allow(clippy::unwrap_used)]

#[path = "../tests/seclang/generator.rs"]
mod generator;
#[path = "../tests/seclang/requests.rs"]
mod requests;

use std::io::Write;
use std::process::{Command, Stdio};

use generator::{Chance, message};
use wicketgate_seclang::{Argument, Budget, Exclusions, Head, Request, RuleSet, Scratch};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
            let theirs = theirs(level, &messages, None);
            println!("| {what} | {bytes} | {level} | {ours:.1} | {theirs:.0} | {:.0} |", theirs / ours);
        }
    }
    let mixed: Vec<String> = (0..500).map(|_| requests::request(&mut chance)).collect();
    for (what, heads) in
        [("requests, half of them attacks", mixed), ("a browser's handshake", vec![handshake()])]
    {
        let bytes = heads.iter().map(String::len).sum::<usize>() / heads.len();
        for level in ["1", "4"] {
            let (ours, theirs) = (ours_of_heads(level, &heads), theirs(level, &heads, Some("requests")));
            println!("| {what} | {bytes} | {level} | {ours:.1} | {theirs:.0} | {:.0} |", theirs / ours);
        }
    }
}

/// What Chromium sends, as one line of JSON.
fn handshake() -> String {
    serde_json::json!({
        "method": "GET",
        "uri": "/chat?room=general&lang=en-GB",
        "version": "1.1",
        "headers": [
            ["Host", "chat.example.com"],
            ["Connection", "Upgrade"],
            ["Pragma", "no-cache"],
            ["Cache-Control", "no-cache"],
            ["User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"],
            ["Upgrade", "websocket"],
            ["Origin", "https://chat.example.com"],
            ["Sec-WebSocket-Version", "13"],
            ["Accept-Encoding", "gzip, deflate, br, zstd"],
            ["Accept-Language", "en-GB,en-US;q=0.9,en;q=0.8"],
            ["Cookie", "sid=3f9a1c77b20d4e5f; theme=dark"],
            ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="],
            ["Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"],
        ],
    })
    .to_string()
}

/// Microseconds of CPU time for a head.
fn ours_of_heads(level: &str, heads: &[String]) -> f64 {
    let set = load(level);
    let parsed: Vec<serde_json::Value> =
        heads.iter().map(|head| serde_json::from_str(head).unwrap()).collect();
    let mut scratch = Scratch::default();
    let mut round = || {
        for head in &parsed {
            let text = |name: &str| head[name].as_str().unwrap().as_bytes();
            let part =
                |line: &'_ serde_json::Value, at: usize| line[at].as_str().unwrap().as_bytes().to_vec();
            let lines: Vec<(Vec<u8>, Vec<u8>)> = head["headers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|line| (part(line, 0), part(line, 1)))
                .collect();
            let headers: Vec<(&[u8], &[u8])> =
                lines.iter().map(|(name, value)| (&name[..], &value[..])).collect();
            let head = Head {
                method: text("method"),
                uri: text("uri"),
                protocol: b"HTTP/1.1",
                headers: &headers,
                address: None,
            };
            std::hint::black_box(set.ask(
                &head,
                &Exclusions::default(),
                (500, Budget::default()),
                &mut scratch,
            ));
        }
    };
    round();
    let rounds = ROUNDS * 500 / heads.len().min(500);
    let start = cpu();
    for _ in 0..rounds {
        round();
    }
    (cpu() - start) / rounds as f64 / heads.len() as f64
}

fn load(level: &str) -> RuleSet {
    let given = [("paranoia_level", level), ("executing_paranoia_level", level)];
    let files = ["/etc/modsecurity/crs/crs-setup.conf".into(), "/usr/share/modsecurity-crs/rules".into()];
    RuleSet::load(&files, &given).unwrap()
}

/// Microseconds of CPU time for a message.
fn ours(level: &str, messages: &[String]) -> f64 {
    let set = load(level);
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

fn theirs(level: &str, messages: &[String], kind: Option<&str>) -> f64 {
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
        .args(kind)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    peer.stdin.take().unwrap().write_all(messages.join("\n").as_bytes()).unwrap();
    String::from_utf8(peer.wait_with_output().unwrap().stdout).unwrap().trim().parse().unwrap()
}
