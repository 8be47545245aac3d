//! YAML for people: maps and lists in blocks, those that are short on one line, and comments.

use std::fmt::Write;

use serde_json::{Map, Value};

/// What stands under this name is a comment.
pub(crate) const COMMENT: &str = "$comment";

/// The longest map or list that stands on one line, in bytes.
const MAX_LINE: usize = 110;
/// Words that mean something else without quotes, here or in older YAML.
const RESERVED: &[&str] = &["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

/// Writes a value as a block.
pub(crate) fn block(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) => members(map, indent, out),
        Value::Array(list) => {
            for item in list {
                if let Some(comment) = comment(item) {
                    let _ = writeln!(out, "{:indent$}# {comment}", "");
                }
                match fits(item, indent) {
                    Some(line) => {
                        let _ = writeln!(out, "{:indent$}- {line}", "");
                    }
                    None => {
                        let mut inner = String::new();
                        block(item, indent + 2, &mut inner);
                        let inner = inner.trim_start();
                        let _ = write!(out, "{:indent$}- {inner}", "");
                    }
                }
            }
        }
        value => {
            let _ = writeln!(out, "{:indent$}{}", "", flow(value));
        }
    }
}

fn members(map: &Map<String, Value>, indent: usize, out: &mut String) {
    for (name, value) in map.iter().filter(|(name, _)| *name != COMMENT) {
        let comment = comment(value).map(|comment| format!("  # {comment}")).unwrap_or_default();
        match fits(value, indent + name.len()) {
            Some(line) => {
                let _ = writeln!(out, "{:indent$}{}: {line}{comment}", "", scalar(name));
            }
            None => {
                let _ = writeln!(out, "{:indent$}{}:{comment}", "", scalar(name));
                block(value, indent + 2, out);
            }
        }
    }
}

/// The comment of a value, on one line.
fn comment(value: &Value) -> Option<String> {
    let comment = value.get(COMMENT)?.as_str()?;
    Some(comment.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
}

/// The value on one line, where it is short and nothing in it has a comment.
fn fits(value: &Value, indent: usize) -> Option<String> {
    if has_inner_comment(value) {
        return None;
    }
    let line = flow(value);
    let is_empty = matches!(value, Value::Object(map) if map.keys().all(|name| name == COMMENT));
    let is_leaf = !matches!(value, Value::Object(_) | Value::Array(_));
    (is_leaf || is_empty || indent + line.len() <= MAX_LINE).then_some(line)
}

fn has_inner_comment(value: &Value) -> bool {
    let has = |value: &Value| value.get(COMMENT).is_some() || has_inner_comment(value);
    match value {
        Value::Object(map) => map.values().any(has),
        Value::Array(list) => list.iter().any(has),
        _ => false,
    }
}

fn flow(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let members = map.iter().filter(|(name, _)| *name != COMMENT);
            let members: Vec<String> =
                members.map(|(name, value)| format!("{}: {}", scalar(name), flow(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::Array(list) => {
            let items: Vec<String> = list.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Value::String(text) => scalar(text),
        value => value.to_string(),
    }
}

/// A text, in quotes where it could be read as something else. What would be a variable of the environment stays what it is.
fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
        && !RESERVED.contains(&text.to_ascii_lowercase().as_str());
    if is_plain {
        return text.into();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            c if c.is_control() || "\u{feff}\u{2028}\u{2029}".contains(c) => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted.replace("${", "$${")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let nasty = [
            "",
            "true",
            "1",
            "1e5",
            "a: b",
            "# no",
            "a\nb",
            "é\u{85}\u{feff}",
            "'",
            "\"\\",
            "- x",
            "{",
            "*a",
        ];
        let value = json!({
            "": nasty, "plain": "word", "null": null, "deep": {"list": [[1, -2.5], [], {}], "on": true},
            "long": (0..60).map(|number| format!("value {number}")).collect::<Vec<_>>(),
            "items": [{"name": "a", "more": {"x": "y".repeat(120)}}, {"name": "b"}],
        });
        let mut text = String::new();
        block(&value, 0, &mut text);
        let read: Value = wicketgate_config::part("test.yaml", &text).unwrap();
        assert_eq!(read, value, "{text}");
    }

    #[test]
    fn comments_stand_beside_what_they_are_about() {
        let value =
            json!({"a": {"type": "string", COMMENT: "in 1 of 2\nx"}, "b": [{COMMENT: "each", "c": 1}]});
        let mut text = String::new();
        block(&value, 0, &mut text);
        assert_eq!(text, "a: {type: string}  # in 1 of 2 x\nb:\n  # each\n  - {c: 1}\n");
    }
}
