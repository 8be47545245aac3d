//! What a text must have for a pattern to find anything in it: literals, and bytes.

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::byte_set::ByteSet;

/// What a text must have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// One of these, in small letters, whatever the case; none where no useful ones are known.
    pub(crate) literals: Option<Vec<Vec<u8>>>,
    /// Of each of these one byte, letters as small ones.
    pub(crate) bytes: Vec<ByteSet>,
}

/// The most literals of one pattern, and the most bytes that one is long.
const MOST: usize = 512;
const LONGEST: usize = 24;
/// The most sets of bytes.
const MOST_SETS: usize = 4;

/// A part of a pattern: what it is, if it is just some literals, and what it needs.
#[derive(Clone, Default)]
struct Part {
    exact: Option<Vec<Vec<u8>>>,
    needs: Needs,
}

/// What a pattern needs.
pub(crate) fn needs(hir: &Hir) -> Needs {
    let mut part = part(hir);
    if let Some(exact) = part.exact.take() {
        part.needs.take(exact);
    }
    let mut needs = part.needs;
    needs.bytes.sort_by_key(|set| set.len());
    needs.bytes.dedup();
    needs.bytes.truncate(MOST_SETS);
    needs.literals = needs.literals.filter(|all| all.iter().all(|literal| literal.len() > 1));
    needs
}

impl Needs {
    /// Whether a text has all of it.
    pub(crate) fn are_in(&self, text: &[u8]) -> bool {
        let has = ByteSet::of(text).folded();
        let stands_in = |literal: &Vec<u8>| {
            text.windows(literal.len()).any(|window| window.eq_ignore_ascii_case(literal))
        };
        self.bytes.iter().all(|set| set.meets(has))
            && self.literals.as_ref().is_none_or(|all| all.iter().any(stands_in))
    }

    /// One of these literals is needed.
    fn take(&mut self, literals: Vec<Vec<u8>>) {
        if literals.iter().any(Vec::is_empty) || literals.is_empty() {
            return;
        }
        let rarest = |literal: &Vec<u8>| literal.iter().copied().min_by_key(|byte| commonness(*byte));
        let set = literals.iter().filter_map(rarest).fold(ByteSet::NONE, ByteSet::with);
        self.take_set(set);
        if self.literals.as_ref().is_none_or(|own| worth(&literals) > worth(own)) {
            self.literals = Some(literals);
        }
    }

    fn take_set(&mut self, set: ByteSet) {
        let common = set.has(b'e') || set.has(b' ') || set.len() > 64;
        if set != ByteSet::NONE && !common {
            self.bytes.push(set);
        }
    }

    /// What both need.
    fn and(&mut self, other: Self) {
        self.bytes.extend(other.bytes);
        if let Some(literals) = other.literals
            && self.literals.as_ref().is_none_or(|own| worth(&literals) > worth(own))
        {
            self.literals = Some(literals);
        }
    }
}

/// How seldom a text has one of these by chance: long ones first, then few.
fn worth(literals: &[Vec<u8>]) -> (usize, usize) {
    let shortest = literals.iter().map(Vec::len).min().unwrap_or(0);
    (shortest.min(6), MOST.saturating_sub(literals.len()))
}

const fn commonness(byte: u8) -> u8 {
    match byte {
        b'e' | b' ' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 3,
        b'a'..=b'z' => 2,
        b'0'..=b'9' | b'.' | b',' | b'"' | b':' | b'-' | b'_' => 1,
        _ => 0,
    }
}

fn part(hir: &Hir) -> Part {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Part { exact: Some(vec![Vec::new()]), needs: Needs::default() },
        HirKind::Literal(literal) => exactly(vec![literal.0.to_ascii_lowercase()]),
        HirKind::Class(class) => class_part(class),
        HirKind::Repetition(repetition) => {
            let inner = part(&repetition.sub);
            if repetition.min == 0 {
                return optional(inner, repetition.max == Some(1));
            }
            let mut needs = inner.needs;
            if let Some(exact) = inner.exact {
                if (repetition.min, repetition.max) == (1, Some(1)) {
                    return Part { exact: Some(exact), needs };
                }
                needs.take(exact);
            }
            Part { exact: None, needs }
        }
        HirKind::Capture(capture) => part(&capture.sub),
        HirKind::Concat(parts) => concat(parts),
        HirKind::Alternation(branches) => alternation(branches),
    }
}

fn exactly(literals: Vec<Vec<u8>>) -> Part {
    match literals.iter().all(|literal| literal.len() <= LONGEST) {
        true => Part { exact: Some(literals), needs: Needs::default() },
        false => {
            let mut needs = Needs::default();
            needs.take(
                literals.into_iter().map(|literal| literal.into_iter().take(LONGEST).collect()).collect(),
            );
            Part { exact: None, needs }
        }
    }
}

fn optional(inner: Part, once: bool) -> Part {
    match inner.exact {
        Some(mut exact) if once && exact.len() < 32 => {
            exact.push(Vec::new());
            exact.dedup();
            Part { exact: Some(exact), needs: Needs::default() }
        }
        _ => Part::default(),
    }
}

fn class_part(class: &Class) -> Part {
    let mut set = ByteSet::NONE;
    match class {
        Class::Bytes(class) => {
            for range in class.ranges() {
                set = set.or(ByteSet::range(range.start(), range.end()));
            }
        }
        // Of characters beyond ASCII nothing is said.
        Class::Unicode(class) => {
            for range in class.ranges() {
                if u32::from(range.end()) > 0x7f {
                    return Part::default();
                }
                set = set.or(ByteSet::range(range.start() as u8, range.end() as u8));
            }
        }
    }
    let set = set.folded();
    if set.len() <= 8 {
        return exactly((0..=255).filter(|byte| set.has(*byte)).map(|byte| vec![byte]).collect());
    }
    let mut needs = Needs::default();
    needs.take_set(set);
    Part { exact: None, needs }
}

fn concat(parts: &[Hir]) -> Part {
    let mut needs = Needs::default();
    let mut run: Vec<Vec<u8>> = vec![Vec::new()];
    let mut whole = true;
    for hir in parts {
        let inner = part(hir);
        needs.and(inner.needs);
        match inner.exact {
            Some(exact) if fits(&run, &exact) => {
                run = run
                    .iter()
                    .flat_map(|left| exact.iter().map(move |right| [&left[..], right].concat()))
                    .collect();
                run.sort_unstable();
                run.dedup();
            }
            exact => {
                whole = false;
                needs.take(std::mem::replace(&mut run, exact.unwrap_or_else(|| vec![Vec::new()])));
            }
        }
    }
    if whole {
        return Part { exact: Some(run), needs };
    }
    needs.take(run);
    Part { exact: None, needs }
}

fn fits(run: &[Vec<u8>], exact: &[Vec<u8>]) -> bool {
    let longest = |all: &[Vec<u8>]| all.iter().map(Vec::len).max().unwrap_or(0);
    run.len() * exact.len() <= 64 && longest(run) + longest(exact) <= LONGEST
}

fn alternation(branches: &[Hir]) -> Part {
    let parts: Vec<Part> = branches.iter().map(part).collect();
    let total: usize = parts.iter().filter_map(|part| part.exact.as_ref()).map(Vec::len).sum();
    if total <= MOST && parts.iter().all(|part| part.exact.is_some()) {
        let mut all: Vec<Vec<u8>> = parts.into_iter().filter_map(|part| part.exact).flatten().collect();
        all.sort_unstable();
        all.dedup();
        return Part { exact: Some(all), needs: Needs::default() };
    }
    let mut literals = Some(Vec::new());
    let mut bytes = Some(ByteSet::NONE);
    for mut part in parts {
        if let Some(exact) = part.exact.take() {
            part.needs.take(exact);
        }
        literals = literals.zip(part.needs.literals).map(|(mut all, own)| {
            all.extend(own);
            all
        });
        let best = part.needs.bytes.iter().min_by_key(|set| set.len()).copied();
        bytes = bytes.zip(best).map(|(all, own)| all.or(own));
    }
    let mut needs = Needs { literals: literals.filter(|all| all.len() <= MOST), bytes: Vec::new() };
    if let Some(set) = bytes {
        needs.take_set(set);
    }
    Part { exact: None, needs }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pattern: &str) -> Needs {
        let parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern);
        parser.map(|hir| needs(&hir)).unwrap_or_default()
    }

    fn literals(pattern: &str) -> Vec<String> {
        let found = of(pattern).literals.unwrap_or_default();
        found.into_iter().map(|literal| String::from_utf8_lossy(&literal).into_owned()).collect()
    }

    #[test]
    fn literals_are_found_inside_and_in_every_branch() {
        assert_eq!(literals(r"(?i)\bunion\s+select"), ["select"]);
        assert_eq!(literals(r"(?i)(?:sleep|benchmark)\s*\("), ["benchmark", "sleep"]);
        assert_eq!(literals(r"x?abc|[0-9]+defg"), ["abc", "xabc", "defg"]);
        assert_eq!(literals(r"abc|[0-9]+").len(), 0);
        assert_eq!(literals(r"a(?:b|c)d"), ["abd", "acd"]);
    }

    #[test]
    fn bytes_are_needed_where_no_literal_is() {
        assert_eq!(of(r"[<>]\w+").bytes, [ByteSet::of(b"<>")]);
        assert_eq!(of(r"a*").bytes, []);
        assert_eq!(of(r"(?:'|;)x*"), Needs { literals: None, bytes: vec![ByteSet::of(b"';")] });
    }
}
