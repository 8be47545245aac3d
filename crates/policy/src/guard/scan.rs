//! What the guard found in a message, what it may still look at, and the buffers it works in.

use std::ops::Range;

use super::automaton::States;
use super::catalog::{Candidates, Compiled};
use super::class::Class;
use super::rule_set::RuleSet;

/// Work that is free for every message, in bytes looked at.
const FREE: u64 = 64 << 10;
/// More findings than this are counted, not kept.
const KEPT: usize = 16;
/// An excerpt has so many bytes before and behind the end of what was found.
const BEFORE: usize = 48;
const BEHIND: usize = 8;

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The rule's id, such as `sqli-union-select`.
    pub rule: &'static str,
    /// What kind of attack it is.
    pub class: Class,
    /// What it counts.
    pub score: u32,
    /// Where the excerpt stands in the text as it was when it was found: decoded, and in the form that the rule reads.
    pub at: Range<usize>,
    /// How many layers of encoding were undone.
    pub depth: u32,
    excerpt: Vec<u8>,
}

impl Hit {
    /// The text around the finding, made fit for logs: what is not printable is escaped, what may be a secret (runs of five
    /// and more digits, words of nine and more letters and digits that have a digit) is masked.
    pub fn excerpt(&self) -> String {
        let mut masked = String::with_capacity(self.excerpt.len() + 8);
        for word in self.excerpt.chunk_by(|a, b| a.is_ascii_alphanumeric() == b.is_ascii_alphanumeric()) {
            let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
            let is_secret = digits >= 5 || digits > 0 && word.len() >= 9;
            match (is_secret, word) {
                (true, [first, ..]) => {
                    masked.push(char::from(*first));
                    masked.push_str("***");
                }
                _ => masked.extend(word.escape_ascii().map(char::from)),
            }
        }
        masked
    }
}

/// The state of the guard for one message. It is made once and reused: it keeps what the rules' automata learn, up to some
/// megabytes, so a thread has one rather than a session.
#[derive(Default)]
pub struct Scan {
    hits: Vec<Hit>,
    score: u32,
    pub(super) leaf: Leaf,
    /// Bytes that were looked at, and that may be.
    spent: u64,
    allowed: u64,
    pub(super) candidates: Candidates,
    pub(super) states: States,
    pub(super) layers: [Vec<u8>; 2],
    pub(super) forms: [Vec<u8>; 3],
}

/// What was found in one text.
#[derive(Clone, Copy, Default)]
pub(super) struct Leaf {
    pub(super) score: u32,
    pub(super) depth: u32,
    /// Rules that need not look again: they found something, or are not asked.
    pub(super) seen: RuleSet,
    /// Nothing more is looked at: found enough, or out of budget.
    pub(super) done: bool,
}

impl Scan {
    /// Forgets the last message.
    pub fn reset(&mut self) {
        self.hits.clear();
        (self.score, self.spent, self.allowed) = (0, 0, 0);
    }

    /// What was found, in the order in which it was found; the first few where there is much.
    pub fn hits(&self) -> &[Hit] {
        &self.hits
    }

    /// The score of the message: that of its worst text.
    pub const fn score(&self) -> u32 {
        self.score
    }

    /// Whether the message is an attack by this threshold.
    pub const fn is_over(&self, threshold: u32) -> bool {
        self.score >= threshold
    }

    /// Bytes that were looked at, each look at each form counted.
    pub const fn spent(&self) -> u64 {
        self.spent
    }

    /// Starts with a text of `length`.
    pub(super) fn begin(&mut self, length: usize, budget: u32, seen: RuleSet) {
        self.leaf = Leaf { seen, ..Leaf::default() };
        self.allowed = self.allowed.max(FREE).saturating_add(length as u64 * u64::from(budget));
    }

    /// Notes that so many bytes are looked at; whether they may be.
    pub(super) fn spend(&mut self, bytes: usize) -> bool {
        self.spent = self.spent.saturating_add(bytes as u64);
        self.spent <= self.allowed
    }

    /// Notes what a rule found, and where it ended.
    pub(super) fn found(&mut self, index: usize, rule: &'static Compiled, text: &[u8], end: usize) {
        self.leaf.seen.insert(index);
        self.note(&rule.id, rule.class, rule.score, text, end);
    }

    /// Notes a finding.
    pub(super) fn note(&mut self, rule: &'static str, class: Class, score: u32, text: &[u8], end: usize) {
        self.leaf.score = self.leaf.score.saturating_add(score);
        self.score = self.score.max(self.leaf.score);
        if self.hits.len() < KEPT {
            let at = end.saturating_sub(BEFORE)..end.saturating_add(BEHIND).min(text.len());
            let excerpt = text.get(at.clone()).unwrap_or_default().to_vec();
            self.hits.push(Hit { rule, class, score, at, depth: self.leaf.depth, excerpt });
        }
    }
}
