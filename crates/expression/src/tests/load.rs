//! What is found when a configuration is loaded.

use super::*;

fn invalid(text: &str, wanted: Wanted) -> Invalid {
    Expression::parse(text, &VOCABULARY, wanted).err().unwrap_or_else(|| panic!("{text} passes"))
}

#[test]
fn mistakes_are_found() {
    for (text, expected) in [
        ("message.amount = 1", "no CEL"),
        ("", "no CEL"),
        ("massage.amount == 1", "there is no variable `massage`"),
        ("identity.subjekt == 'x'", "`identity` has no field `subjekt`"),
        ("identity == identity", "`identity` is no value by itself"),
        ("request.headers['X-Team'] == 'x'", "has capitals"),
        ("request.headers[kind] == 'x'", "written out"),
        ("kind in request.headers", "written out"),
        ("request.headers.size() > 0", "by their names alone"),
        ("message.text.matches(message.pattern)", "written out"),
        ("message.text.matches('(')", "written out"),
        ("message.text.matches('(a{1000}){1000}{1000}')", "too much memory"),
        ("'a.c'.matches('a', 'b')", "written out"),
        ("matches('a')", "written out"),
        ("in_network(message.address, '10.0.0.0/33')", "no network"),
        ("in_network(message.address, message.network)", "written out"),
        ("lookup(message.key) == 1", "there is no function `lookup`"),
        ("vowels(kind, kind) == 1", "takes another number of arguments: 1"),
        ("message.a.exists(message, true)", "cannot be another one"),
        ("message.a.all(a, message.b.all(b, message.c.all(c, a == b)))", "more than 2 deep"),
        ("message.?a == 1", "no CEL"),
        ("optional.none() == 1", "there is no function `none`"),
        ("message.all(x, true) && x", "there is no variable `x`"),
        ("Message{a: 1} == 1", "no types"),
    ] {
        let invalid = invalid(text, Wanted::Any);
        assert!(invalid.what.contains(expected) && !invalid.help.is_empty(), "{text}: {invalid:?}");
    }
    for text in
        ["1", "'true'", "[true]", "message", "size(message)", "message.a + 1", "vowels(kind)", "kind.lower()"]
    {
        assert!(invalid(text, Wanted::Bool).what.contains("gives no bool"), "{text}");
        assert!(Expression::parse(text, &VOCABULARY, Wanted::Any).is_ok(), "{text}");
    }
    for text in [
        format!("{} true", "true && ".repeat(600)),
        format!("{}true{}", "(".repeat(2000), ")".repeat(2000)),
        format!("{}true", "!(".repeat(2000)),
        format!("{}1{}", "[".repeat(2000), "]".repeat(2000)),
    ] {
        assert!(Expression::parse(&text, &VOCABULARY, Wanted::Any).is_err(), "{text}");
    }
}

#[test]
fn what_is_needed_is_noted() {
    let expression = parse(
        "message.a.exists(x, message.b.all(y, x == y)) && identity.subject == request.headers['x-team'] && request.headers['x-team'] != request.path",
    );
    let needs = expression.needs();
    assert_eq!(needs.variables, ["message", "identity", "request"]);
    assert_eq!(needs.fields, [("identity", "subject"), ("request", "path")]);
    assert_eq!(needs.headers, ["x-team"]);
    assert_eq!(needs.nesting, 2);
    assert!(needs.uses("message") && !needs.uses("kind") && needs.uses_field("request", "path"));
}

#[test]
fn expressions_of_the_same_text_are_the_same() {
    assert_eq!(parse("message.a == 1"), parse("message.a == 1"));
    assert_ne!(parse("message.a == 1"), parse("message.a  == 1"));
    assert_eq!(format!("{:?}", parse("kind")), "Expression(\"kind\")");
}

#[test]
fn the_documented_functions_are_there() {
    let vocabulary = Vocabulary {
        variables: &[
            Variable { name: "claims", shape: Shape::Open },
            Variable { name: "client", shape: Shape::Record(&["address"]) },
            Variable { name: "request", shape: Shape::Record(&["path", "query", "host"]) },
        ],
        functions: &[],
        example: "claims.team == 'blue'",
    };
    for Described { name, example, .. } in FUNCTIONS {
        assert!(example.contains(name), "{example}");
        let parsed = Expression::parse(example, &vocabulary, Wanted::Any);
        assert!(parsed.is_ok(), "{example}: {parsed:?}");
    }
}
