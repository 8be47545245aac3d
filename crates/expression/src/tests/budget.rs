//! Whatever a message holds, an evaluation ends.

use std::time::{Duration, Instant};

use super::*;

#[test]
fn long_lists_end_in_bounded_steps() {
    let long: Vec<_> = (0..100_000).collect();
    let message = json!({"a": long, "b": long, "fields": {"x": 1}});
    for text in [
        "message.a.all(x, x >= 0)",
        "!message.a.exists(x, x < 0)",
        "message.a.all(x, message.b.all(y, x + y >= 0))",
        "message.a.map(x, x).size() > 0",
        "message.a.filter(x, x > 5).size() > 0 || true",
        "message.a.map(x, message.b.map(y, x * y)).size() > 0",
        "message.a == message.b",
        "-1 in message.a",
        "[-1].exists(x, x in message.a)",
        "[1, 2, 3].all(x, message.a.all(y, y >= 0))",
        "true || message.a.all(x, x >= 0) || false",
        "message.a.exists(x, x == 100 || x == 99999 && message.b.exists(y, y == 99999))",
        "!message.a.all(x, x >= 0)",
        "message.a.all(x, message.nobody == 1) || true",
    ] {
        let start = Instant::now();
        let told = over(&message, text);
        let quick = text.starts_with("true ||") || text.contains("x == 100 ");
        let expected = if quick { Ok(true) } else { Err(Fault::Budget) };
        assert_eq!(told, expected, "{text}");
        assert!(start.elapsed() < Duration::from_secs(5), "{text}: {:?}", start.elapsed());
    }
}

/// What no tree hands out is charged as well: lists that an expression makes, and what its loops do with long texts.
#[test]
fn what_an_expression_makes_is_charged() {
    let long: Vec<_> = (0..4_000).collect();
    let message = json!({"a": long, "text": "x".repeat(1 << 20), "words": vec!["y"; 4_000]});
    for text in [
        "[message.a.map(x, x)].all(l, message.a.all(x, x in l))",
        "[message.a.map(x, x)].all(l, message.a.all(x, l == l))",
        "[message.a.map(x, x)].all(l, message.a.all(x, size(l.filter(y, y > 0)) > 0)) || true",
        "[message.text].all(t, message.words.all(w, !t.contains(w)))",
        "[message.text].all(t, message.words.all(w, !t.matches('y$')))",
        "[message.text].all(t, message.words.map(w, t + w).size() > 0)",
        "[message.text].all(t, message.words.map(w, t.upper()).size() > 0)",
        "message.words.all(w, message.text.size() > 0)",
        "message.words.map(w, message.text + w).size() > 0",
        "message.words.all(w, message.text != w)",
        "[message.words.map(w, w)].all(l, message.a.map(x, l + l).size() > 0)",
    ] {
        if Expression::parse(text, &VOCABULARY, Wanted::Bool).is_err() {
            // Three loops inside each other are refused anyway.
            assert!(text.contains("filter"), "{text}");
            continue;
        }
        let start = Instant::now();
        assert_eq!(over(&message, text), Err(Fault::Budget), "{text}");
        assert!(start.elapsed() < Duration::from_secs(5), "{text}: {:?}", start.elapsed());
    }
}

#[test]
fn long_conditions_cost_more() {
    let long: Vec<_> = (0..8_000).collect();
    let message = json!({ "a": long });
    let short = "message.a.all(x, x >= 0)";
    assert_eq!(over(&message, short), Ok(true));
    let condition = vec!["x >= 0"; 200].join(" && ");
    assert_eq!(over(&message, &format!("message.a.all(x, {condition})")), Err(Fault::Budget));
    let constants: Vec<_> = (0..700).map(|n| n.to_string()).collect();
    let among = format!("message.a.all(x, !(x in [{}]) || true)", constants.join(","));
    assert_eq!(over(&message, &among), Err(Fault::Budget));
}

#[test]
fn each_evaluation_has_a_budget_of_its_own() {
    let message = json!({"a": (0..10_000).collect::<Vec<_>>(), "text": "x".repeat(3 << 20)});
    let tree = Json::value(&message);
    let mut scope = Scope::new();
    scope.bind("message", tree.bound());
    let (walks, reads) = (parse("message.a.all(x, x >= 0)"), parse("message.text.size() > 5"));
    for _ in 0..5 {
        assert_eq!(walks.holds(&scope), Ok(true));
        assert_eq!(reads.holds(&scope), Ok(true));
    }
    let twice = parse("message.text == message.text");
    assert_eq!(twice.holds(&scope), Err(Fault::Budget));
}

#[test]
fn what_is_deep_is_not_gone_through() {
    let nested = |deep, _| serde_json::Value::Array(vec![deep]);
    let deep = (0..100_000).fold(json!(1), nested);
    let message = [("a".to_owned(), deep)].into_iter().collect();
    let tree = Json::value(&message);
    let mut scope = Scope::new();
    scope.bind("message", tree.bound());
    assert_eq!(parse("message.a == message.a").holds(&scope), Err(Fault::Budget));
    assert_eq!(parse("message.a in [message.a]").holds(&scope), Err(Fault::Budget));
    assert_eq!(parse("message.a").evaluate(&scope), Err(Fault::Budget));
    drop(scope);
    // serde_json's own drop would go as deep.
    std::mem::forget(message);
}
