//! What expressions say.

use super::*;

#[test]
fn what_is_true_of_a_message_holds() {
    for text in [
        "message.amount > 1000 && identity.subject != message.owner",
        "message['amount'] == 1500 && message.amount == 1500.0 && message.amount == 1500u",
        "message.share < 1.0 && message.large > 1 && message.urgent && message.none == null",
        "'red' in message.tags && !('green' in message.tags) && size(message.tags) == 2 && message.tags.size() == 2",
        "'owner' in message && !('nobody' in message) && !(1 in message)",
        "message.tags[0] == 'red' && message.tags[1u] == 'blue' && message.tags[1.0] == 'blue'",
        "has(message.owner) && !has(message.nobody) && has(message.none) && has(message.nested.a.b.c)",
        "message.nested.a.b.c == 'deep' && message['nested'].a['b'].c.startsWith('de')",
        "message.rows.exists(r, r.id == 2 && r.name == 'b') && message.rows.all(r, has(r.id))",
        "message.rows.exists_one(r, r.id == 1) && !message.rows.exists_one(r, r.id > 0)",
        "message.rows.map(r, r.name) == ['a', 'b'] && ['a', 'b'] == message.rows.map(r, r.name)",
        "message.rows.map(r, r.id > 1, r.name) == ['b'] && message.rows.filter(r, r.id > 1)[0].name == 'b'",
        "message.rows.all(r, message.tags.exists(t, t == 'red' && r.id > 0))",
        "message.nested.all(key, key == 'a') && message.nested.a.exists(key, key == 'b')",
        "message.tags.all(t, t in ['red', 'blue', 'green']) && kind in ['order', 'trade']",
        "type(message) == type({}) && type(message.tags) == type([]) && type(message.owner) == type('')",
        "message.address.matches('^10[.]') && matches(message.address, '3$') && !matches(message.owner, '^B')",
        "message.tags.all(t, t.matches('^[a-z]+$'))",
        "in_network(message.address, '10.0.0.0/8') && !in_network(message.address, '10.2.0.0/16')",
        "message.text.lower() == 'grüße, welt' && message.text.upper() == 'GRÜSSE, WELT' && kind.lower() == kind",
        "message.tags.map(t, t.upper()) == ['RED', 'BLUE'] && message.tags.exists(t, t.upper() == 'RED')",
        "message.text.contains('WELT') && message.text.endsWith('T') && size(message.text) == 11",
        "message.tags.exists(t, '/rooms/' + t == request.path)",
        "message.rows.map(r, r.id + 1) == [2, 3] && message.rows.map(r, [r.id]) == [[1], [2]]",
        "request.headers['x-team'] == 'blue' && request.path == '/rooms/' + request.headers['x-team']",
        "'x-team' in request.headers && !('x-none' in request.headers) && !has(request.headers.cookie)",
        "!has(identity.team) && identity.subject == 'alice'",
        "vowels(message.owner) == 1 && message.tags.exists(t, vowels(t) == 2) && kind.vowels() == 2",
        "message.nobody == 1 || message.urgent",
        "!(message.nobody == 1 && message.none == 2)",
        "message.urgent ? message.amount > 1 : message.nobody",
        "timestamp(message.amount) < timestamp('2026-01-01T00:00:00Z') && duration('90m') > duration('1h')",
        "int('12') == 12 && string(message.amount) == '1500' && double('0.5') == message.share",
        "[message, message].all(m, m.owner == 'bob') && {'a': message.tags}.a[0] == 'red'",
        "[[1, 2], [3]].exists(l, l == [3]) && [1, 2].all(n, n < 3)",
    ] {
        assert_eq!(holds(text), Ok(true), "{text}");
    }
}

#[test]
fn lists_and_maps_are_equal_by_content_whoever_made_them() {
    for text in [
        "message.tags == ['red', 'blue'] && ['red', 'blue'] == message.tags && message.tags == message.tags",
        "message.tags != ['blue', 'red'] && ['blue', 'red'] != message.tags && message.tags != ['red']",
        "message.list == [1, 2, [3, {'x': null}]] && [1, 2, [3, {'x': null}]] == message.list",
        "[1.0, 2u, [3, {'x': null}]] == message.list",
        "message.rows[0] == {'id': 1, 'name': 'a'} && {'name': 'a', 'id': 1} == message.rows[0]",
        "message.rows[0] != {'id': 1} && {'id': 1, 'name': 'a', 'x': 1} != message.rows[0] && {1: 2} != message.rows[0]",
        "{'id': 1, 'name': 'a'} in message.rows && message.rows[1] in message.rows && !([3] in message.rows)",
        "message.rows[0] in [{'id': 1, 'name': 'a'}] && message.tags in [['red', 'blue']]",
        "[3, {'x': null}] in message.list && message.list[2] in [1, [3, {'x': null}]]",
        "[message.tags] == [['red', 'blue']] && [['red', 'blue']] == [message.tags]",
        "{'t': message.tags} == {'t': ['red', 'blue']} && {'t': ['red', 'blue']} == {'t': message.tags}",
        "message.rows.filter(r, true) == message.rows && message.rows == message.rows.map(r, r)",
        "[[1], ['red', 'blue']].exists(l, l == message.tags) && [['red', 'blue']].all(l, message.tags == l)",
        "message.empty == [] && [] == message.empty && message.empty != {} && message.tags != 'red'",
        "message != message.rows && message == message && message.nested == {'a': {'b': {'c': 'deep'}}}",
        "message.rows.map(r, r.id) + [3] == [1, 2, 3] && [1] + message.rows.map(r, r.id) == [1, 1, 2]",
        "message.tags + message.tags == ['red', 'blue', 'red', 'blue'] && message.list + [0] != message.list",
        "[0] + message.list == [0, 1, 2, [3, {'x': null}]] && ['x'] + message.tags != message.tags",
    ] {
        assert_eq!(holds(text), Ok(true), "{text}");
    }
}

#[test]
fn any_value_can_be_an_answer() {
    let message = message();
    let tree = Json::value(&message);
    let mut scope = Scope::new();
    bind(&mut scope, &tree);
    let text = |text: &'static str| Answer::Text(text.into());
    for (expression, answer) in [
        ("message.owner", text("bob")),
        ("message.owner + '!'", text("bob!")),
        ("message.amount * 2", Answer::Int(3000)),
        ("message.large", Answer::Uint(u64::MAX)),
        ("message.share", Answer::Float(0.5)),
        ("message.none", Answer::Null),
        ("message.urgent && true", Answer::Bool(true)),
        ("b'abc'", Answer::Bytes(b"abc"[..].into())),
        ("message.tags", Answer::List(vec![text("red"), text("blue")])),
        ("message.rows.map(r, r.id)", Answer::List(vec![Answer::Int(1), Answer::Int(2)])),
        ("message.rows[0]", Answer::Map(vec![("id".into(), Answer::Int(1)), ("name".into(), text("a"))])),
        ("{'b': 1, 'a': kind}", Answer::Map(vec![("a".into(), text("order")), ("b".into(), Answer::Int(1))])),
        ("timestamp(0)", text("1970-01-01T00:00:00+00:00")),
        ("duration('1500ms')", text("1.5s")),
        ("identity.subject", text("alice")),
    ] {
        let expression = parse(expression);
        assert_eq!(expression.evaluate(&scope), Ok(answer), "{expression:?}");
    }
    let owner = parse("message.owner");
    let Ok(Answer::Text(std::borrow::Cow::Borrowed(owner))) = owner.evaluate(&scope) else {
        panic!("text of the message is borrowed")
    };
    assert!(std::ptr::eq(owner, message["owner"].as_str().unwrap()));
}

#[test]
fn a_message_may_be_a_plain_value() {
    assert_eq!(over(&json!("hello"), "message.startsWith('he') && size(message) == 5"), Ok(true));
    assert_eq!(over(&json!(7), "message > 6"), Ok(true));
    assert_eq!(over(&json!([1, 2]), "message[1] == 2 && message.exists(n, n == 1)"), Ok(true));
    assert!(over(&json!("hello"), "message.amount > 1").is_err());
}

#[test]
fn what_cannot_be_told_gives_no_value_away() {
    let message = json!({
        "key": "secret-value", "list": ["secret-value"], "map": {"secret-value": "secret-value"}, "number": 7, "flag": true,
    });
    for (text, why) in [
        ("message.nobody == 1", "there is no `nobody`"),
        ("message[message.key] == 1", "there is no such key"),
        ("message.map[message.list[0]] + 1 == 2", ""),
        ("message.map[1] == 1", "there is no such key"),
        ("message.key", "it gives no bool but string"),
        ("message.map", "it gives no bool but map"),
        ("message.list[7] == 1", "an index is out of bounds"),
        ("message.list[-1] == 1", "an index is out of bounds"),
        ("message.list.key == 1", ""),
        ("message.list['key'] == 1", ""),
        ("message.key.x == 1", ""),
        ("message.key > 1", ""),
        ("message.key + 1 == 2", ""),
        ("message.map < message.map", ""),
        ("-message.key == 1", ""),
        ("!message.key", ""),
        ("message.number / 0 == 1", "division by zero"),
        ("int(message.key) == 1", "`int` failed"),
        ("timestamp(message.key) == timestamp(0)", ""),
        ("message.number.contains('x')", ""),
        ("message.list.matches('x')", ""),
        ("message.number.lower() == ''", ""),
        ("message.number in message.key", ""),
        ("message.map in message.map", ""),
        ("message.number.exists(x, x == 1)", ""),
        ("message.list.all(x, x > 1)", ""),
        ("vowels(message.number) == 1", "`vowels` failed"),
        ("in_network(message.key, '10.0.0.0/8')", "`in_network` failed"),
        ("in_network(message.number, '10.0.0.0/8')", ""),
        ("message.key && true", ""),
    ] {
        let Err(fault) = over(&message, text) else { panic!("{text} is told") };
        let told = fault.to_string();
        assert!(told.contains(why) && !told.contains("secret"), "{text}: {told}");
        assert_ne!(fault, Fault::Budget, "{text}");
    }
    let shown = format!("{:?}", Json::value(&message).bound());
    assert!(shown.contains("LazyValue"), "{shown}");
}

#[test]
fn what_is_bound_once_serves_many_scopes() {
    let identity = Bound::from(Record::new().with("subject", "alice"));
    for (path, expected) in [("/rooms/blue", true), ("/rooms/red", false)] {
        let mut scope = Scope::new();
        scope.bind("identity", &identity);
        scope.bind("request", Record::new().with("path", path));
        let expression = parse("identity.subject == 'alice' && request.path.endsWith('blue')");
        assert_eq!(expression.holds(&scope), Ok(expected));
    }
}
