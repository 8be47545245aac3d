//! The files of a configuration, to be shown: without comments and variables' values, secrets masked.

use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;

use wicketgate_config::{Content, Node, Problems, Report, Sources, without_passwords};

/// A file of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct ShownFile {
    /// Its path.
    pub path: String,
    /// What it says, in YAML; or why it cannot be shown.
    pub text: String,
}

/// Keys whose text is never shown: whatever holds a secret stands under one of them. A test compares them with the types. What is
/// set in requests may be what an upstream knows the gateway by.
const MASKED: [&str; 6] = ["headers", "request_headers", "response_headers", "value", "password", "secret"];

/// What names of keys hold whose text is not shown, where it is one.
const NAMED: [&str; 5] = ["password", "pepper", "secret", "token", "totp"];

/// All files of a configuration that was read.
pub fn view(report: &Report) -> Vec<ShownFile> {
    report.files().map(|path| shown(path, super::load::read_file(path).ok())).collect()
}

/// A file that says this, or that cannot be read.
pub(super) fn shown(path: &Path, text: Option<String>) -> ShownFile {
    let text = match text {
        Some(text) => masked(path, text).unwrap_or_else(|| "# this is no YAML\n".into()),
        None => "# this cannot be read any more\n".into(),
    };
    ShownFile { path: path.display().to_string(), text }
}

/// A part of what is shown, as text.
pub(super) fn text(node: &Node) -> String {
    let mut out = String::new();
    write(node, 0, false, &mut out);
    out
}

/// What a file says. Comments are left out: nobody can say whether they hold a secret.
fn masked(path: &Path, text: String) -> Option<String> {
    let mut sources = Sources::default();
    let number = sources.add(path, text);
    // A variable stands for itself.
    let lookup = |name: &str| Some(format!("${{{name}}}"));
    let root = wicketgate_config::parse(number, &mut sources, &lookup, &mut Problems::default())?;
    let mut out = String::new();
    write(&root, 0, false, &mut out);
    Some(out)
}

fn write(node: &Node, depth: usize, is_masked: bool, out: &mut String) {
    match &node.content {
        Content::Scalar(scalar) => {
            let text = scalar.text.as_str();
            let is_variable = text.starts_with("${") && text.ends_with('}') && !text[2..].contains('$');
            let text = if is_masked && !is_variable && !scalar.is_null() { "***" } else { text };
            let text = without_passwords(text);
            let text = &*without_query(&text);
            let is_plain = scalar.plain && text != "***" && !text.contains('\n');
            match is_plain {
                true => drop(writeln!(out, " {text}")),
                false => drop(writeln!(out, " {}", serde_json::Value::from(text))),
            }
        }
        Content::List(items) if items.is_empty() => out.push_str(" []\n"),
        Content::List(items) => {
            out.push_str(if depth == 0 { "" } else { "\n" });
            for item in items {
                let _ = write!(out, "{}-", "  ".repeat(depth));
                item_of_list(item, depth + 1, is_masked, out);
            }
        }
        Content::Map(entries) if entries.is_empty() => out.push_str(" {}\n"),
        Content::Map(_) => {
            out.push_str(if depth == 0 { "" } else { "\n" });
            map(node, depth, "", is_masked, out);
        }
    }
}

/// A URL's query may hold a token.
fn without_query(text: &str) -> Cow<'_, str> {
    let after = text.split_once("://").and_then(|(_, rest)| rest.split_once('?'));
    match after {
        Some((_, query)) if !query.is_empty() => {
            Cow::Owned(format!("{}***", &text[..text.len() - query.len()]))
        }
        _ => Cow::Borrowed(text),
    }
}

/// A mapping in a list begins on the line of its dash.
fn item_of_list(item: &Node, depth: usize, is_masked: bool, out: &mut String) {
    match &item.content {
        Content::Map(entries) if !entries.is_empty() => map(item, depth, " ", is_masked, out),
        _ => write(item, depth, is_masked, out),
    }
}

/// The entries of a mapping; `first` stands before the first in place of its indentation.
fn map(node: &Node, depth: usize, first: &str, is_masked: bool, out: &mut String) {
    let Content::Map(entries) = &node.content else { return };
    for (at, entry) in entries.iter().enumerate() {
        match (at, first) {
            (0, " ") => out.push(' '),
            _ => out.push_str(&"  ".repeat(depth)),
        }
        let is_plain = entry.key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./".contains(&b));
        match is_plain && !entry.key.is_empty() {
            true => out.push_str(&entry.key),
            false => drop(write!(out, "{}", serde_json::Value::from(entry.key.as_str()))),
        }
        out.push(':');
        // A secret that stands where none is read, as in a configuration that is wrong.
        let is_text = matches!(&entry.value, Some(Node { content: Content::Scalar(_), .. }));
        let is_named = |key: &str| NAMED.iter().any(|name| key.to_ascii_lowercase().contains(name));
        let is_masked = is_masked || MASKED.contains(&entry.key.as_str()) || is_text && is_named(&entry.key);
        match &entry.value {
            Some(value) => write(value, depth + 1, is_masked, out),
            None => out.push('\n'),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn secrets_and_comments_are_not_shown() {
        let text = "# old: hunter1\nconsole: {users: [{name: ann, password: {value: hunter2}}]}\n\
                    admin:\n  bind: 127.0.0.1:1 # hunter3\n  token: {value: \"${TOKEN:-hunter4}\"}\n\
                    routes:\n- name: a\n  respond: {status: 200, body: 'x: y'}\n- {}\n\
                    audit: {sinks: [{otlp: {headers: {api-key: hunter6}}}]}\n\
                    authentication: [{name: j, jwt: {secret: {value: \"hunter5${X}\"}}}]\n\
                    wrong: {token: hunter10, ticket_secret: hunter11}\n\
                    more: {request_headers: {set: {x-key: hunter9}}}\n\
                    gateway: {proxy: 'http://jo:hunter7@proxy:3128/?key=hunter8'}\n";
        let shown = masked(Path::new("a.yaml"), text.into()).unwrap();
        assert!(!shown.contains("hunter"), "{shown}");
        assert!(shown.contains("value: \"***\"") && shown.contains("${TOKEN}"), "{shown}");
        assert!(shown.contains("http://jo:*******@proxy:3128/?***"), "{shown}");
        assert!(shown.contains("routes:\n  - name: a\n    respond:\n      status: 200\n"), "{shown}");
        assert!(masked(Path::new("a.yaml"), "a: [".into()).is_none());
        // What is shown is YAML with the same keys.
        let again = masked(Path::new("a.yaml"), shown.clone()).unwrap();
        assert_eq!(again, shown);
    }

    /// Whatever a type calls a secret stands under a key that is masked.
    #[test]
    fn every_secret_has_a_masked_key() {
        fn walk(value: &serde_json::Value, key: &str, found: &mut Vec<String>) {
            match value {
                serde_json::Value::Object(map) => {
                    if map.get("writeOnly").is_some() {
                        found.push(key.to_owned());
                    }
                    for (name, value) in map {
                        let is_shape =
                            ["properties", "additionalProperties", "anyOf", "oneOf", "items", "$defs"]
                                .contains(&name.as_str());
                        walk(value, if is_shape { key } else { name }, found);
                    }
                }
                serde_json::Value::Array(all) => all.iter().for_each(|value| walk(value, key, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        walk(&crate::config::schema(), "", &mut found);
        assert!(found.len() > 1, "{found:?}");
        assert!(found.iter().all(|key| MASKED.contains(&key.as_str())), "{found:?}");
    }
}
