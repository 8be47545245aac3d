//! What the guard costs a message: ordinary and hostile JSON, each text and key of it inspected.

use std::fmt::Write as _;
use std::hint::black_box;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use wicketgate_policy::guard::{Guard, Part, Scan, Settings};

use super::messages::{CHAT, chat, filled};
use crate::admission::cost;

/// What the specification allows ordinary JSON of 256 bytes and of 1 KiB, in nanoseconds.
const GOALS: [(usize, f64); 2] = [(256, 3_000.0), (1024, 8_000.0)];
/// Hostile text may cost so many times an ordinary byte.
const HOSTILE_GOAL: f64 = 10.0;
const CODE: &str =
    "for (let i = 0; i < items.length; i += 1) { if (items[i].id === 'x') { total += price(items[i]); } } ";

/// Measures all, and gives the table.
pub(super) fn run() -> Result<String> {
    let guard = Guard::new(&Settings::default());
    let mut text = String::from("| message | bytes | ns | ns/byte | goal |\n|---|---:|---:|---:|---:|\n");
    let mut ordinary: f64 = 0.0;
    for (size, goal) in GOALS {
        let (bytes, nanos) = measure(&guard, &chat(size), false)?;
        ordinary = ordinary.max(nanos / bytes);
        row(&mut text, "JSON of a chat", bytes, nanos, &format!("{goal:.0} ns"))?;
    }
    for (what, line, size) in [("prose", CHAT, 16 << 10), ("code", CODE, 1 << 10), ("code", CODE, 16 << 10)] {
        let (bytes, nanos) = measure(&guard, &json!({ "text": filled(line, size) }), false)?;
        row(&mut text, what, bytes, nanos, "")?;
    }
    for (what, line) in HOSTILE {
        for size in [256, 16 << 10] {
            let (bytes, nanos) = measure(&guard, &json!({ "text": filled(line, size) }), true)?;
            let times = nanos / bytes / ordinary;
            row(
                &mut text,
                &format!("hostile: {what}"),
                bytes,
                nanos,
                &format!("{times:.1} of {HOSTILE_GOAL:.0} times"),
            )?;
        }
    }
    Ok(text)
}

/// Texts that make the guard work: found at the first look, or full of what looks like attacks and is none.
pub(super) const HOSTILE: [(&str, &str); 10] = [
    ("an attack", "x' union select password from users -- "),
    (
        "an attack, encoded four times",
        "%25252527%252520union%252520select%252520password%252520from%252520users ",
    ),
    (
        "words of SQL",
        "select or and union from where having order by group like sleep insert update delete drop ",
    ),
    ("quotes and comments", "' '' \" -- # /* ' or \" and ' -- "),
    ("brackets of tags", "<a <b <c = <d> on= <e style <f "),
    ("words of a shell", "; | & ` $( cat ls id && || > < /etc /bin $a ${b} "),
    ("encodings", "%41%42&#67;\\u0044\\x45&lt;%2525&amp;amp; "),
    ("base64", "cGxlYXNlIHdhaXQgZm9yIG1lIGF0IHRoZSBkb29y "),
    ("steps up", "../ ..\\ .../ ./ ..%2f "),
    ("some of each", "select or and union from where <a <b on= ; | & $( cat ../ %2525 &amp;amp; ' '' -- "),
];

fn row(text: &mut String, what: &str, bytes: f64, nanos: f64, goal: &str) -> Result<()> {
    Ok(writeln!(text, "| {what} | {bytes:.0} | {nanos:.0} | {:.2} | {goal} |", nanos / bytes)?)
}

/// Bytes of a message, and the CPU time of its inspection in nanoseconds.
fn measure(guard: &Guard, message: &Value, hostile: bool) -> Result<(f64, f64)> {
    let mut parts = Vec::new();
    collect(message, &mut parts);
    let mut scan = Scan::default();
    inspect(guard, &parts, &mut scan);
    ensure!(hostile || scan.hits().is_empty(), "{:?} in an ordinary message", scan.hits());
    let nanos = cost(|_| {
        inspect(guard, &parts, &mut scan);
        black_box(scan.score());
    })?;
    Ok((message.to_string().len() as f64, nanos))
}

fn inspect(guard: &Guard, parts: &[(Part, &str)], scan: &mut Scan) {
    scan.reset();
    for (part, text) in parts {
        guard.inspect(*part, text.as_bytes(), scan);
    }
}

/// The texts and keys of a message in their order.
fn collect<'a>(value: &'a Value, parts: &mut Vec<(Part, &'a str)>) {
    match value {
        Value::String(text) => parts.push((Part::Value, text)),
        Value::Array(values) => values.iter().for_each(|value| collect(value, parts)),
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            parts.push((Part::Key, key));
            collect(value, parts);
        }),
        _ => {}
    }
}
