//! Expressions over messages, claims and requests, in a vocabulary as rules have one.

mod budget;
mod language;
mod load;
mod property;

use serde_json::json;

use crate::*;

static VOCABULARY: Vocabulary = Vocabulary {
    variables: &[
        Variable { name: "identity", shape: Shape::Record(&["subject", "team"]) },
        Variable { name: "message", shape: Shape::Open },
        Variable { name: "request", shape: Shape::Record(&["path", "headers"]) },
        Variable { name: "kind", shape: Shape::Plain },
    ],
    functions: &[Function {
        described: Described { name: "vowels", what: "how many vowels", example: "vowels(kind) > 1" },
        arguments: 1,
        gives: Gives::Other,
        call: |arguments| {
            let text = arguments.first()?.text()?;
            let vowels = text.chars().filter(|c| "aeiou".contains(*c)).count();
            Some(i64::try_from(vowels).ok()?.into())
        },
    }],
    example: "message.amount > 1000",
};

fn message() -> serde_json::Value {
    json!({
        "amount": 1500, "owner": "bob", "share": 0.5, "large": 18_446_744_073_709_551_615_u64, "urgent": true, "none": null,
        "tags": ["red", "blue"], "rows": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}], "list": [1, 2, [3, {"x": null}]],
        "nested": {"a": {"b": {"c": "deep"}}}, "address": "10.1.2.3", "text": "Grüße, WELT", "empty": [],
    })
}

fn parse(text: &str) -> Expression {
    Expression::parse(text, &VOCABULARY, Wanted::Any).unwrap_or_else(|invalid| panic!("{text}: {invalid:?}"))
}

fn bind<'v>(scope: &mut Scope<'v>, message: &'v Json<'v>) {
    scope.bind("message", message.bound());
    scope.bind("identity", Record::new().with("subject", "alice").with_known("team", None::<&str>));
    scope.bind(
        "request",
        Record::new().with("path", "/rooms/blue").with("headers", Record::new().with("x-team", "blue")),
    );
    scope.bind("kind", "order");
}

/// Asks of any message.
fn over(message: &serde_json::Value, text: &str) -> Result<bool, Fault> {
    let tree = Json::value(message);
    let mut scope = Scope::new();
    bind(&mut scope, &tree);
    parse(text).holds(&scope)
}

fn holds(text: &str) -> Result<bool, Fault> {
    over(&message(), text)
}
