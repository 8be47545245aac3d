//! What somebody could make of a message.

use serde_json::{Value, json};

/// Messages that were made of this one, which is a map, each with what was done; `kind` is the field that says what kind it is.
pub(super) fn mutations(value: &Value, kind: Option<&str>) -> Vec<(String, Value)> {
    let mut made = Vec::new();
    let mut change = |what: &str, change: &dyn Fn(&mut Value)| {
        let mut changed = value.clone();
        change(&mut changed);
        made.push((what.to_owned(), changed));
    };
    let fields: Vec<(String, Value)> =
        value.as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    change("another field", &|v| v["admin"] = json!(true));
    change("many other fields", &|v| {
        for n in 0..2_000 {
            v[format!("f{n}")] = json!(n);
        }
    });
    change("the name of a prototype", &|v| v["__proto__"] = json!({"admin": true}));
    if let Some(kind) = kind {
        change("an unknown kind", &|v| v[kind] = json!("drop"));
        change("a longer kind", &|v| v[kind] = json!(format!("{}2", value[kind].as_str().unwrap())));
        change("a kind in other letters", &|v| v[kind] = json!(value[kind].as_str().unwrap().to_uppercase()));
    }
    for (name, old) in &fields {
        change(&format!("{name} is missing"), &|v| drop(v.as_object_mut().unwrap().remove(name)));
        change(&format!("{name} is null"), &|v| v[name] = Value::Null);
        change(&format!("{name} is of another type"), &|v| {
            v[name] = if old.is_string() { json!([7]) } else { json!("seven") };
        });
        change(&format!("{name} is a map of operators"), &|v| v[name] = json!({"$gt": ""}));
        change(&format!("{name} is nested deep"), &|v| {
            for _ in 0..40 {
                v[name] = json!([v[name]]);
            }
        });
        match old {
            Value::String(_) => {
                change(&format!("{name} is long"), &|v| v[name] = json!("a".repeat(5_000)));
                change(&format!("{name} injects"), &|v| v[name] = json!("' OR 1=1; DROP TABLE users--"));
            }
            Value::Number(_) => {
                change(&format!("{name} is huge"), &|v| v[name] = json!(9_007_199_254_740_993_i64));
                change(&format!("{name} is negative"), &|v| v[name] = json!(-1));
                change(&format!("{name} is broken"), &|v| v[name] = json!(1e300));
            }
            Value::Array(_) => {
                change(&format!("{name} has many"), &|v| v[name] = vec!["t1"; 500].into());
                change(&format!("{name} has others"), &|v| v[name] = json!([{"a": 1}]));
            }
            Value::Object(_) => {
                change(&format!("{name} has another field"), &|v| v[name]["admin"] = json!(1))
            }
            _ => {}
        }
    }
    made
}

/// The same message in spellings that no JSON of this policy has, each with its close code.
pub(super) fn spellings(text: &str) -> Vec<(String, u16)> {
    vec![
        (text.replacen('{', "{\"type\":\"join\",", 1), 1007),
        (format!("{text}{text}"), 1007),
        (text[..text.len() - 1].into(), 1007),
        (format!("[{text}]"), 1008),
        (format!("{text}{}", " ".repeat(100_000)), 1008),
        ("null".into(), 1008),
        ("".into(), 1007),
    ]
}
