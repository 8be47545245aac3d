//! Which rules may find something in a text: all literals of all rules, looked for at once.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use crate::bits::{Bits, words};
use crate::byte_set::ByteSet;
use crate::operator::Test;
use crate::pattern::Needs;

/// What every rule asks, by numbers, and what a text must have for an answer.
#[derive(Debug)]
pub(crate) struct Gate {
    literals: Option<AhoCorasick>,
    /// For each literal the tests that it is one of.
    owners: Vec<Box<[u32]>>,
    /// Tests that need no literal.
    open: Bits,
    tests: Vec<Asked>,
}

/// A test, and what a text must have besides literals.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) test: Test,
    /// Of each of these one byte, letters as small ones.
    bytes: Box<[ByteSet]>,
    /// A text must have one of its literals.
    pub(crate) by_literals: bool,
}

impl Gate {
    /// Makes the tests of all rules ready.
    pub(crate) fn new(tests: Vec<Test>) -> Result<Self, aho_corasick::BuildError> {
        let mut owners: BTreeMap<Vec<u8>, Vec<u32>> = BTreeMap::new();
        let mut open = Bits::new(tests.len());
        let mut asked = Vec::with_capacity(tests.len());
        for (number, test) in tests.into_iter().enumerate() {
            let needs = needs(&test);
            match &needs.literals {
                Some(literals) => {
                    for literal in literals {
                        owners.entry(literal.clone()).or_default().push(number as u32);
                    }
                }
                None => open.insert(number),
            }
            let by_literals = needs.literals.is_some();
            asked.push(Asked { test, bytes: needs.bytes.into(), by_literals });
        }
        let literals = match owners.is_empty() {
            true => None,
            false => Some(
                AhoCorasick::builder()
                    .ascii_case_insensitive(true)
                    .match_kind(MatchKind::Standard)
                    .kind(Some(AhoCorasickKind::DFA))
                    .build(owners.keys())?,
            ),
        };
        let owners = owners.into_values().map(Vec::into_boxed_slice).collect();
        Ok(Self { literals, owners, open, tests: asked })
    }

    pub(crate) fn asked(&self, test: usize) -> Option<&Asked> {
        self.tests.get(test)
    }

    /// How many tests there are.
    pub(crate) fn len(&self) -> usize {
        self.tests.len()
    }

    /// How many words the set of all tests takes.
    pub(crate) fn words(&self) -> usize {
        words(self.tests.len())
    }

    /// The tests that may find something in a text; gives the number of literals that were found.
    pub(crate) fn scan(&self, text: &[u8], likely: &mut [u64]) -> usize {
        likely.copy_from_slice(self.open.words());
        let mut found = 0;
        for literal in self.literals.iter().flat_map(|literals| literals.find_overlapping_iter(text)) {
            found += 1;
            for &test in self.owners.get(literal.pattern().as_usize()).into_iter().flatten() {
                if let Some(word) = likely.get_mut(test as usize / 64) {
                    *word |= 1 << (test % 64);
                }
            }
        }
        found
    }
}

impl Asked {
    /// Whether a text that has these bytes may have what is asked for.
    pub(crate) fn is_possible(&self, folded: ByteSet) -> bool {
        self.bytes.iter().all(|set| set.meets(folded))
    }
}

fn needs(test: &Test) -> Needs {
    match test {
        Test::Rx(pattern) => pattern.needs().clone(),
        Test::Phrases(phrases) if phrases.short == ByteSet::NONE => {
            Needs { literals: Some(phrases.long.to_vec()), bytes: Vec::new() }
        }
        // HTML is found by a tag or by an attribute.
        Test::Injection(crate::operator::Injection::Html) => {
            Needs { literals: None, bytes: vec![ByteSet::of(b"<=")] }
        }
        _ => Needs::default(),
    }
}
