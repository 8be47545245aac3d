//! Whatever stands in a message, an evaluation ends without a panic, and says what CEL says of the same values as its own.

use std::sync::LazyLock;

use cel::{Context, Program};
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use serde_json::Value as Json_;

use super::*;

/// Messages whose fields are those that the expressions ask for.
fn messages() -> impl Strategy<Value = Json_> {
    let leaf = prop_oneof![
        Just(Json_::Null),
        any::<bool>().prop_map(Json_::from),
        any::<i64>().prop_map(Json_::from),
        any::<u64>().prop_map(Json_::from),
        (-3..3_i64).prop_map(Json_::from),
        any::<f64>().prop_map(Json_::from),
        Just(json!(1e300)),
        "[abc]{0,2}".prop_map(Json_::from),
        any::<String>().prop_map(Json_::from),
        prop_oneof![
            "2026-01-0[1-9]T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "[0-9]{1,20}(h|s|ms)",
            "Europe/Berlin"
        ]
        .prop_map(Json_::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Json_::from),
            hash_map("[abc]", inner, 0..4).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

const EXPRESSIONS: &[&str] = &[
    "message.a == message.b",
    "message.a != message.b && message.b == message.a",
    "message.a < message.b || message.a >= message.c",
    "message.a in message.b",
    "message.a[message.b] == message.c",
    "message[message.a] == message[message.b]",
    "message.a.exists(x, x == message.b)",
    "message.a.all(x, x in message.b)",
    "message.a.map(x, x) == message.a",
    "message.a.filter(x, x != message.b) == message.c",
    "message.a.exists(x, message.b.exists(y, x == y))",
    "message.a.map(x, [x, message.b]) == message.c",
    "has(message.a) && has(message.b.c)",
    "size(message.a) == size(message.b)",
    "message.a + message.b == message.c",
    "message.a - message.b == message.c",
    "message.a * message.b == message.c",
    "message.a / message.b == message.c",
    "message.a % message.b == message.c",
    "-message.a == message.b",
    "message.a ? message.b : message.c",
    "message.a && message.b || !message.c",
    "int(message.a) == uint(message.b)",
    "double(message.a) == double(message.b)",
    "string(message.a) == string(message.b)",
    "bytes(message.a) == bytes(message.b)",
    "bool(message.a)",
    "type(message.a) == type(message.b)",
    "timestamp(message.a) < timestamp(message.b)",
    "timestamp(message.a) + duration(message.b) > timestamp(message.c)",
    "timestamp(message.a) - timestamp(message.b) > duration(message.c)",
    "timestamp(message.a).getFullYear(message.b) > timestamp(message.a).getHours()",
    "duration(message.a) + duration(message.b) > duration(message.c)",
    "duration(message.a).getSeconds() > 1",
    "message.a.startsWith(message.b) || message.a.contains(message.c)",
    "[message.a, message.b] == message.c || message.c == [message.b, message.a]",
    "[[message.a]] == [[message.b]] || message.a in [message.b, [message.c]]",
    "{'a': message.a, 'b': message.b} == message",
    "message == {'a': message.b} || {message.a: 1} == message.c",
    "[message.a, message.b].exists(x, x == message.c)",
    "message.a.all(x, message.b == [x])",
    "message.all(k, k in message)",
];

/// Each expression, as ours and as CEL's.
static COMPILED: LazyLock<Vec<(Expression, Program)>> =
    LazyLock::new(|| EXPRESSIONS.iter().map(|text| (parse(text), Program::compile(text).unwrap())).collect());

/// Where CEL finds the same values as its own.
fn reference(message: &Json_) -> Context<'static, 'static> {
    fn own(value: &Json_) -> cel::Value {
        match value {
            Json_::Null => cel::Value::Null,
            Json_::Bool(value) => (*value).into(),
            Json_::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(int), ..) => int.into(),
                (_, Some(uint), _) => uint.into(),
                (.., float) => float.unwrap().into(),
            },
            Json_::String(text) => text.as_str().into(),
            Json_::Array(values) => values.iter().map(own).collect::<Vec<_>>().into(),
            Json_::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| (name.clone(), own(value)));
                fields.collect::<std::collections::HashMap<_, _>>().into()
            }
        }
    }
    let mut context = Context::default();
    context.add_variable_from_value("message", own(message));
    context
}

fn same(answer: &Answer<'_>, value: &cel::Value) -> bool {
    match (answer, value) {
        (Answer::Bool(left), cel::Value::Bool(right)) => left == right,
        (Answer::Null, cel::Value::Null) => true,
        (Answer::Int(left), cel::Value::Int(right)) => left == right,
        (Answer::Uint(left), cel::Value::UInt(right)) => left == right,
        (Answer::Float(left), cel::Value::Float(right)) => left == right || left.is_nan() && right.is_nan(),
        (Answer::Text(left), cel::Value::String(right)) => **left == **right,
        (Answer::List(left), cel::Value::List(right)) => {
            left.len() == right.len() && left.iter().zip(right.iter()).all(|(left, right)| same(left, right))
        }
        (Answer::Map(left), cel::Value::Map(right)) => {
            left.len() == right.map.len()
                && left.iter().all(|(name, left)| {
                    right
                        .map
                        .get(&cel::objects::Key::from(name.as_str()))
                        .is_some_and(|right| same(left, right))
                })
        }
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_message_panics_and_cel_agrees(a in messages(), b in messages(), c in messages(), whole in messages()) {
        for message in [json!({"a": a, "b": b, "c": c}), whole] {
            let tree = Json::value(&message);
            let mut scope = Scope::new();
            bind(&mut scope, &tree);
            let context = reference(&message);
            for (expression, program) in COMPILED.iter() {
                let ours = expression.evaluate(&scope);
                let cels = program.execute(&context);
                let agree = match (&ours, &cels) {
                    (Ok(ours), Ok(cels)) => same(ours, cels),
                    (Err(fault), Err(_)) => *fault != Fault::Budget,
                    _ => false,
                };
                prop_assert!(agree, "{expression:?} of {message}: {ours:?}, {cels:?}");
            }
        }
    }
}
