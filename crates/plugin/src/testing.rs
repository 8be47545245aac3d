//! For tests: components in text, and those that do what no component should.

#![allow(clippy::unwrap_used)]

/// What every component of the tests is made of, around the body of `judge`.
const COMPONENT: &str = include_str!("testing/component.wat");

/// What every decoder of the tests is made of, around the body of `decode`.
const DECODER: &str = include_str!("testing/decoder.wat");

/// No message is one.
const NO_MESSAGE: &str = "(i32.store8 (i32.const 16) (i32.const 1)) (i32.store (i32.const 20) (i32.const 64)) \
     (i32.store (i32.const 24) (i32.const 4)) (i32.const 16)";

/// A component whose `judge` does what `body` does and leaves where its verdict stands: a byte that says which, and at 4 what belongs to
/// it. A verdict of zeros, `pass`, stands at 16, and at 64 stand 64 `x`.
fn component(body: &str) -> Vec<u8> {
    wat::parse_str(COMPONENT.replace("BODY", body)).unwrap()
}

/// Writes a verdict to 16: which, and two numbers behind it; and leaves where it stands.
fn verdict(which: u8, first: &str, second: &str) -> String {
    format!(
        "(i32.store8 (i32.const 16) (i32.const {which})) (i32.store (i32.const 20) {first}) \
         (i32.store (i32.const 24) {second}) (i32.const 16)"
    )
}

/// The verdict that refuses for the reason `x`, with the code 4000.
pub fn refusal() -> String {
    let code = "(i32.store16 offset=28 (i32.const 0) (i32.const 1)) (i32.store16 offset=30 (i32.const 0) (i32.const 4000))";
    format!("{code} {}", verdict(2, "(i32.const 64)", "(i32.const 1)"))
}

/// Every message is refused for the reason `x`, with the code 4000.
pub fn refusing() -> Vec<u8> {
    component(&refusal())
}

/// A message goes on as 64 `x`.
pub fn rewriting() -> Vec<u8> {
    component(&verdict(4, "(i32.const 64)", "(i32.const 64)"))
}

/// A message goes on with these texts under these paths; without what has none.
pub fn editing(edits: &[(&str, Option<&str>)]) -> Vec<u8> {
    /// Where the changes stand, each in 32 bytes, and their texts behind them.
    const AT: usize = 256;
    let mut bytes = vec![0; edits.len() * 32];
    for (number, (path, text)) in edits.iter().enumerate() {
        let mut put = |at: usize, text: &str| {
            let place = [(AT + bytes.len()) as u32, text.len() as u32].map(u32::to_le_bytes).concat();
            bytes[number * 32 + at..][..8].copy_from_slice(&place);
            bytes.extend(text.bytes());
        };
        put(0, path);
        text.iter().for_each(|text| put(24, text));
        bytes[number * 32 + 8] = u8::from(text.is_none());
        bytes[number * 32 + 16] = if text.is_some() { 5 } else { 0 };
    }
    let mut body = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        body += &format!("(i32.store8 (i32.const {}) (i32.const {byte})) ", AT + at);
    }
    component(&(body + &verdict(5, &format!("(i32.const {AT})"), &format!("(i32.const {})", edits.len()))))
}

/// A message is refused once its instance was asked before.
pub fn counting() -> Vec<u8> {
    let body = format!(
        "(global.set $calls (i32.add (global.get $calls) (i32.const 1))) \
         (if (result i32) (i32.gt_u (global.get $calls) (i32.const 1)) (then {}) (else (i32.const 16)))",
        verdict(2, "(i32.const 64)", "(i32.const 1)")
    );
    component(&body)
}

/// A message's own bytes are taken for the verdict.
pub fn mirroring() -> Vec<u8> {
    component("(memory.copy (i32.const 16) (local.get $payload) (local.get $length)) (i32.const 16)")
}

/// A component that wants what none is given.
pub fn wanting_files() -> Vec<u8> {
    wat::parse_str(
        r#"(component (import "wasi:filesystem/preopens@0.2.0" (instance (export "get-directories" (func)))))"#,
    )
    .unwrap()
}

/// Every message is a map of one field, `kind`, which is all of its text; an empty one is none. Of one that begins with `!`, there are
/// fewer fields than it says, and of one that begins with `?` none, since the component goes wrong.
pub fn decoding() -> Vec<u8> {
    let first = |byte: u8| format!("(i32.eq (i32.load8_u (local.get $payload)) (i32.const {byte}))");
    let body = format!(
        "(i32.store8 (i32.const 144) (i32.const 8)) (i32.store (i32.const 152) (i32.const 1)) \
         (i32.store8 (i32.const 160) (i32.const 1)) (i32.store (i32.const 164) (i32.const 64)) \
         (i32.store (i32.const 168) (i32.const 4)) (i32.store8 (i32.const 176) (i32.const 5)) \
         (i32.store (i32.const 184) (local.get $payload)) (i32.store (i32.const 188) (local.get $length)) \
         (if (result i32) (i32.eqz (local.get $length)) (then {NO_MESSAGE}) (else \
         (if {} (then (unreachable))) \
         (i32.store8 (i32.const 16) (i32.const 0)) (i32.store (i32.const 20) (i32.const 128)) \
         (i32.store (i32.const 24) (i32.sub (i32.const 2) {})) (i32.const 16)))",
        first(b'?'),
        first(b'!'),
    );
    wat::parse_str(DECODER.replace("BODY", &body)).unwrap()
}

/// Nothing is a message.
pub fn decoding_nothing() -> Vec<u8> {
    wat::parse_str(DECODER.replace("BODY", NO_MESSAGE)).unwrap()
}

/// Every message passes.
pub fn passing() -> Vec<u8> {
    component("(i32.const 16)")
}

/// Messages whose first byte is `!` do what `body` does, all others pass, by zeros that no body writes to.
pub fn on_mark(body: &str) -> Vec<u8> {
    component(&format!(
        "(if (result i32) (i32.eq (i32.load8_u (local.get $payload)) (i32.const 33)) (then {body}) (else (i32.const 32)))"
    ))
}

/// What a component does that none should, by name.
pub fn misdeeds() -> Vec<(&'static str, Vec<u8>)> {
    let rewrite = |at: &str, length: &str| verdict(4, at, length);
    vec![
        ("loop", on_mark("(loop $again (br $again)) (i32.const 16)")),
        ("trap", on_mark("(unreachable)")),
        ("division", on_mark("(i32.div_u (i32.const 1) (i32.const 0))")),
        ("bounds", on_mark("(i32.load (i32.const -4))")),
        ("recursion", on_mark("(call $recurse (i32.const 0))")),
        ("memory", on_mark("(loop $again (drop (memory.grow (i32.const 1))) (br $again)) (i32.const 16)")),
        ("memory-at-once", on_mark("(drop (memory.grow (i32.const 65535))) (i32.const 16)")),
        (
            "huge-answer",
            on_mark(&format!(
                "(drop (memory.grow (i32.const 64))) {}",
                rewrite("(i32.const 0)", "(i32.const 4194304)")
            )),
        ),
        // One long text, again and again: what the host copies is more than the component has.
        (
            "aliased-answer",
            on_mark(&format!(
                "(drop (memory.grow (i32.const 64))) (local.set $at (i32.const 65536)) \
                 (loop $again (i32.store (local.get $at) (i32.const 0)) \
                 (i32.store offset=4 (local.get $at) (i32.const 60000)) \
                 (local.set $at (i32.add (local.get $at) (i32.const 8))) \
                 (br_if $again (i32.lt_u (local.get $at) (i32.const 2065536)))) {}",
                verdict(1, "(i32.const 65536)", "(i32.const 250000)")
            )),
        ),
        ("outside-answer", on_mark(&rewrite("(i32.const 65536)", "(i32.const 4194304)"))),
        ("no-such-verdict", on_mark(&verdict(77, "(i32.const 0)", "(i32.const 0)"))),
        (
            "no-text",
            on_mark(&format!(
                "(i32.store8 (i32.const 128) (i32.const 255)) {}",
                rewrite("(i32.const 128)", "(i32.const 1)")
            )),
        ),
        ("no-word", on_mark(&verdict(3, "(i32.const 0)", "(i32.const 8)"))),
        ("long-word", on_mark(&verdict(3, "(i32.const 64)", "(i32.const 65)"))),
        (
            "log-flood",
            on_mark(
                "(loop $again (call $log (i32.const 1) (i32.const 64) (i32.const 64)) (br $again)) (i32.const 16)",
            ),
        ),
    ]
}
