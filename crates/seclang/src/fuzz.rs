//! Entry functions of the fuzz targets.

use std::cell::RefCell;

use crate::evaluation::Scratch;
use crate::pattern::Pattern;
use crate::request::{Argument, Request};
use crate::set::{Budget, RuleSet};
use crate::transform::Transformation;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Reads rules, and asks those that can be read about a request.
pub fn rules(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(set) = RuleSet::parse(text, &[]) else { return };
    let arguments = [Argument::new(b"name", b"a value"), Argument::new(b"x", input)];
    let request =
        Request { method: b"POST", uri: b"/?a=b", arguments: &arguments, body: input, ..Request::default() };
    let mut scratch = Scratch::default();
    let baseline = set.baseline(&request, None, &mut scratch);
    set.judge(&baseline, &request, Budget { base: 1 << 20, per_byte: 64 }, &mut scratch);
}

/// Does every transformation to a text, and each to what another made.
pub fn transformations(input: &[u8]) {
    let Some((&first, text)) = input.split_first() else { return };
    let all = Transformation::EVERY;
    let mut before = Vec::new();
    all[usize::from(first) % all.len()].apply(text, &mut before);
    for transformation in all {
        let mut out = Vec::new();
        transformation.apply(&before, &mut out);
        assert!(out.len() <= before.len() * 6 + 40);
        let has = crate::byte_set::ByteSet::of(&before);
        if !before.is_empty() && !transformation.touches().meets(has) {
            assert_eq!(out, before);
        }
    }
}

/// A pattern behind the first line, and a text: both ways of matching agree, and what the pattern needs is there.
pub fn operators(input: &[u8]) {
    let Some(at) = input.iter().position(|byte| *byte == b'\n') else { return };
    let Ok(pattern) = std::str::from_utf8(&input[..at]) else { return };
    let Ok(pattern) = Pattern::new(pattern) else { return };
    let text = &input[at + 1..];
    let mut states = None;
    let found = pattern.find(text, &mut states);
    let slowly = pattern.find_slowly(text);
    if let Ok(found) = found {
        assert_eq!(found.is_some(), slowly.is_some());
    }
    if slowly.is_some() {
        assert!(pattern.needs().are_in(text));
    }
}
