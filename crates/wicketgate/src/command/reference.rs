//! `wicketgate reference`: the reference of a configuration, out of its JSON Schema, and of reasons, out of their table.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use wicketgate_gateway::observe::reasons;

use super::schema::Of;

/// Print a reference in Markdown.
#[derive(Args)]
pub(crate) struct Reference {
    /// Of what.
    #[arg(value_enum, default_value = "gateway")]
    of: What,
}

/// What there is a reference of.
#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// The configuration of a gateway.
    Gateway,
    /// That of an agent of the relay.
    Agent,
    /// That of a client of the relay.
    Client,
    /// Why something is refused.
    Refusals,
}

/// How deep keys stand in keys.
const MAX_DEPTH: usize = 8;

impl Reference {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let text = match self.of {
            What::Gateway => markdown("Configuration reference", &Of::Gateway.schema()),
            What::Agent => markdown("Configuration of an agent: reference", &Of::Agent.schema()),
            What::Client => markdown("Configuration of a client: reference", &Of::Client.schema()),
            What::Refusals => reasons::markdown(),
        };
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// One section for each key of the file, with a table of all keys below it.
fn markdown(title: &str, schema: &Value) -> String {
    let reference = Pointers { root: schema };
    let mut out =
        format!("# {title}\n\nGenerated from the types by `wicketgate reference`; do not edit.\n\n");
    let _ = writeln!(out, "{}", text(schema));
    for (key, value) in properties(schema) {
        let _ = writeln!(out, "\n## `{key}`\n\n{}\n", reference.description(value));
        let mut rows = Vec::new();
        reference.rows(value, key, &mut Vec::new(), &mut rows);
        if rows.is_empty() {
            let _ = writeln!(out, "Type: {}", reference.type_of(value));
            continue;
        }
        out.push_str("| key | type | default | meaning |\n|---|---|---|---|\n");
        for row in rows {
            out.push_str(&row);
        }
    }
    out
}

struct Pointers<'a> {
    root: &'a Value,
}

impl<'a> Pointers<'a> {
    /// The rows for all keys below `value`, each named by its path. What stands in itself is shown once: `around` are the
    /// objects that `value` is in.
    fn rows(&self, value: &'a Value, path: &str, around: &mut Vec<&'a Value>, rows: &mut Vec<String>) {
        if around.len() >= MAX_DEPTH {
            return;
        }
        for object in self.forms(value) {
            let path = if object.get("items").is_some() { format!("{path}[]") } else { path.to_owned() };
            let object = object.get("items").map_or(object, |items| self.resolved(items));
            if around.iter().any(|outer| std::ptr::eq(*outer, object)) {
                continue;
            }
            around.push(object);
            let required = |key: &str| {
                object["required"].as_array().is_some_and(|keys| keys.iter().any(|required| required == key))
            };
            for (key, value) in properties(object) {
                let path = format!("{path}.{key}");
                let default = match value.get("default") {
                    _ if required(key) => "required".to_owned(),
                    None | Some(Value::Null) => String::new(),
                    Some(Value::Object(_)) => String::new(),
                    Some(Value::Array(items)) if items.is_empty() => String::new(),
                    Some(Value::String(text)) if text.is_empty() => String::new(),
                    Some(Value::String(text)) => format!("`{text}`"),
                    Some(other) => format!("`{other}`"),
                };
                // A form with one key, such as a variant of an enum, is described as a whole.
                let meaning = Some(self.description(value)).filter(|own| !own.is_empty());
                let meaning = meaning.unwrap_or_else(|| text(object).to_owned());
                let meaning = meaning.replace('\n', " ").replace('|', "\\|");
                rows.push(format!("| `{path}` | {} | {default} | {meaning} |\n", self.type_of(value)));
                self.rows(value, &path, around, rows);
            }
            if let Some(values) = object.get("additionalProperties").filter(|values| values.is_object()) {
                self.rows(values, &format!("{path}.NAME"), around, rows);
            }
            around.pop();
        }
    }

    /// The schema behind a reference.
    fn resolved(&self, value: &'a Value) -> &'a Value {
        let pointer = value.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
        pointer.and_then(|pointer| self.root.pointer(pointer)).unwrap_or(value)
    }

    /// The forms that a value may have: a word, a mapping, a list.
    fn forms(&self, value: &'a Value) -> Vec<&'a Value> {
        let value = self.resolved(value);
        let forms = ["anyOf", "oneOf", "allOf"].iter().find_map(|word| value.get(word)?.as_array());
        match forms {
            Some(forms) => forms.iter().flat_map(|form| self.forms(form)).collect(),
            None => vec![value],
        }
    }

    /// The key's own words, else those of its type.
    fn description(&self, value: &'a Value) -> String {
        match text(value) {
            "" => text(self.resolved(value)).to_owned(),
            own => own.to_owned(),
        }
    }

    fn type_of(&self, value: &'a Value) -> String {
        let mut names: Vec<String> = Vec::new();
        for form in self.forms(value) {
            let name = self.form_name(value, form);
            if !name.is_empty() && !names.contains(&name) {
                names.push(name);
            }
        }
        names.join(" or ")
    }

    fn form_name(&self, value: &'a Value, form: &'a Value) -> String {
        let words = |words: &[Value]| {
            let words = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`"));
            words.collect::<Vec<_>>().join(", ")
        };
        if let Some(names) = form.get("enum").and_then(Value::as_array) {
            return words(names);
        }
        if let Some(word) = form.get("const").and_then(Value::as_str) {
            return format!("`{word}`");
        }
        if let Some(unit) = ["Time", "Size"].iter().find(|unit| {
            [value, form].iter().any(|v| v["$ref"] == format!("#/$defs/{unit}"))
                || self.root["$defs"].get(**unit) == Some(form)
        }) {
            return unit.to_lowercase();
        }
        let name = match form.get("type") {
            Some(Value::String(name)) => name.as_str(),
            Some(Value::Array(names)) => {
                names.iter().filter_map(Value::as_str).find(|n| *n != "null").unwrap_or("")
            }
            _ => "",
        };
        match name {
            "null" => String::new(),
            "object" => "mapping".into(),
            "array" => match form.get("items").map(|items| self.type_of(items)) {
                Some(items) if !items.is_empty() => format!("list of {items}"),
                _ => "list".into(),
            },
            "string" => "text".into(),
            "boolean" => "`true`, `false`".into(),
            "integer" => "number".into(),
            other => other.into(),
        }
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn text(value: &Value) -> &str {
    value.get("description").and_then(Value::as_str).unwrap_or_default()
}
