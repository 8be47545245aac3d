//! A shape as JSON Schema. What stands under `$comment` becomes a comment of the YAML.

use serde_json::{Map, Number, Value, json};

use crate::settings::Settings;
use crate::shape::{Items, List, Map as Maps, Range, Shape};
use crate::text::Texts;
use crate::yaml::COMMENT;

type Keywords = Map<String, Value>;

/// The schema that all values of a shape fit, with headroom; `of` is how often it could have been there.
pub(crate) fn schema(shape: &Shape, of: u64, settings: &Settings) -> Value {
    let mut out = Keywords::new();
    let types = types(shape);
    let mut comment = match shape.seen == of {
        true => String::new(),
        false => format!("in {} of {of}", shape.seen),
    };
    match types.as_slice() {
        // Nothing was seen here: a list that was always empty.
        [] => return json!({ COMMENT: "none was seen" }),
        [one] => out.insert("type".into(), (*one).into()),
        several => out.insert("type".into(), several.into()),
    };
    if shape.is_secret {
        note(&mut comment, "looks secret: type and length alone");
    } else {
        numbers(shape, settings, &mut out);
        if shape.is_counter() {
            note(&mut comment, "rises: a counter or a time");
        }
        if let (Some(texts), None) = (&shape.text, &shape.bytes) {
            values(texts, shape, settings, &mut out, &mut comment);
        }
    }
    lengths(shape, settings, &mut out);
    if let Some(list) = &shape.list {
        self::list(list, shape.is_secret, settings, &mut out);
    }
    if let Some(map) = &shape.map {
        self::map(map, shape.is_secret, settings, &mut out, &mut comment);
    }
    if !comment.is_empty() {
        out.insert(COMMENT.into(), comment.into());
    }
    Value::Object(out)
}

fn note(comment: &mut String, more: &str) {
    if !comment.is_empty() {
        comment.push_str("; ");
    }
    comment.push_str(more);
}

fn types(shape: &Shape) -> Vec<&'static str> {
    let number = if shape.broken.is_some() { "number" } else { "integer" };
    let all = [
        (shape.map.is_some(), "object"),
        (shape.list.is_some(), "array"),
        (shape.text.is_some() || shape.bytes.is_some(), "string"),
        (shape.whole.is_some() || shape.broken.is_some(), number),
        (shape.truth, "boolean"),
        (shape.null, "null"),
    ];
    all.into_iter().filter_map(|(is_there, name)| is_there.then_some(name)).collect()
}

/// The most that a counter may come to: whole numbers up to here are exact in every language.
const MAX_COUNTER: i64 = (1 << 53) - 1;

/// The least and most numbers. Zero stays a border of numbers that never crossed it.
fn numbers(shape: &Shape, settings: &Settings, out: &mut Keywords) {
    if let Some(broken) = shape.broken {
        let whole = shape.whole.map(|whole| Range { least: whole.least as f64, most: whole.most as f64 });
        let (least, most) = match whole {
            Some(whole) => (broken.least.min(whole.least), broken.most.max(whole.most)),
            None => (broken.least, broken.most),
        };
        let wide = |border: f64| border * settings.headroom;
        let most = if shape.is_counter() { most.max(MAX_COUNTER as f64) } else { wide(most.max(0.0)) };
        let borders = [("minimum", wide(least.min(0.0))), ("maximum", most)];
        for (keyword, border) in borders.map(|(keyword, border)| (keyword, Number::from_f64(border))) {
            if let Some(border) = border {
                out.insert(keyword.into(), Value::Number(border));
            }
        }
    } else if let Some(whole) = shape.whole {
        let wide = |border: i128| {
            let size = u64::try_from(border.unsigned_abs()).unwrap_or(u64::MAX);
            i64::try_from(settings.above(size)).map(|size| if border < 0 { -size } else { size })
        };
        let most = match wide(whole.most.max(0)) {
            Ok(most) if shape.is_counter() => Ok(most.max(MAX_COUNTER)),
            most => most,
        };
        for (keyword, border) in [("minimum", wide(whole.least.min(0))), ("maximum", most)] {
            // Beyond what can be written there is no border.
            if let Ok(border) = border {
                out.insert(keyword.into(), border.into());
            }
        }
    }
}

/// The values that texts may have, or the pattern that they fit.
fn values(texts: &Texts, shape: &Shape, settings: &Settings, out: &mut Keywords, comment: &mut String) {
    match texts.few(settings.min_count) {
        // An enumeration is about all types of a value.
        Some(few) if shape.types().count_ones() == 1 => {
            out.insert("enum".into(), few.iter().map(|value| Value::from(&**value)).collect());
        }
        _ => {
            if let Some((pattern, name)) = texts.pattern() {
                out.insert("pattern".into(), pattern.into());
                note(comment, name);
            }
        }
    }
}

fn lengths(shape: &Shape, settings: &Settings, out: &mut Keywords) {
    if out.contains_key("enum") {
        return;
    }
    // Bytes are compared as text in base64url.
    let encoded = |bytes: u64| (bytes * 4).div_ceil(3);
    let bytes = shape.bytes.map(|bytes| (encoded(bytes.least), encoded(bytes.most)));
    let text = shape.text.as_ref().map(|texts| (texts.shortest, texts.longest));
    let (least, most) = match (bytes, text) {
        (Some(bytes), Some(text)) => (bytes.0.min(text.0), bytes.1.max(text.1)),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => return,
    };
    let least = settings.below(least);
    if least > 0 {
        out.insert("minLength".into(), least.into());
    }
    out.insert("maxLength".into(), settings.above(most).into());
}

fn list(list: &List, is_secret: bool, settings: &Settings, out: &mut Keywords) {
    let lengths = list.lengths;
    let is_tuple = |places: &[Shape]| {
        let mut types = places.iter().map(Shape::types);
        let first = types.next();
        list.seen >= settings.min_count && types.any(|types| Some(types) != first)
    };
    match &list.items {
        Items::Places(places) if !is_secret && is_tuple(places) => {
            out.insert("minItems".into(), lengths.least.into());
            out.insert("items".into(), false.into());
            let places = places.iter().map(|place| schema(place, list.seen, settings));
            out.insert("prefixItems".into(), places.collect());
            return;
        }
        _ => {}
    }
    out.insert("maxItems".into(), settings.above(lengths.most).into());
    if lengths.least > 0 && list.seen >= settings.min_count {
        out.insert("minItems".into(), settings.below(lengths.least).max(1).into());
    }
    let all = match &list.items {
        _ if is_secret => return,
        Items::Unknown => return,
        Items::All(shape) => (**shape).clone(),
        Items::Places(places) => {
            let mut all = Shape::default();
            places.iter().cloned().for_each(|place| all.merge(place));
            all
        }
    };
    if all.seen > 0 {
        out.insert("items".into(), schema(&all, all.seen, settings));
    }
}

fn map(map: &Maps, is_secret: bool, settings: &Settings, out: &mut Keywords, comment: &mut String) {
    if is_secret || map.is_unknown || map.others.is_some() {
        out.insert("maxProperties".into(), settings.above(map.most).into());
    }
    if is_secret {
        return;
    }
    let saw_enough = map.seen >= settings.min_count;
    let others = match &map.others {
        _ if map.is_unknown => {
            note(comment, "more names than could be told apart: others pass");
            Value::Bool(true)
        }
        Some(others) => {
            note(comment, "names that look like ids are not listed");
            schema(others, others.seen, settings)
        }
        None if !saw_enough => {
            note(comment, "other names pass");
            Value::Bool(true)
        }
        None => Value::Bool(false),
    };
    out.insert("additionalProperties".into(), others);
    let required: Vec<Value> = map
        .fields
        .iter()
        .filter(|(_, shape)| saw_enough && shape.seen == map.seen)
        .map(|(name, _)| Value::from(&**name))
        .collect();
    if !required.is_empty() {
        out.insert("required".into(), required.into());
    }
    let fields = map.fields.iter().map(|(name, shape)| (name.to_string(), schema(shape, map.seen, settings)));
    let fields: Keywords = fields.collect();
    if !fields.is_empty() {
        out.insert("properties".into(), Value::Object(fields));
    }
}
