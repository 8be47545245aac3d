//! Where messages say of what kind they are: the field, of those that usually do, that most of them have with few values.

use std::collections::HashSet;

use wicketgate_policy::fields::{Fields, Path, Shown};
use wicketgate_policy::reveals_secret;

/// Fields that usually say it, the likeliest first.
const USUAL: &[&str] = &[
    "type",
    "kind",
    "event",
    "op",
    "action",
    "method",
    "cmd",
    "command",
    "msgType",
    "messageType",
    "message_type",
    "msg_type",
    "eventType",
    "event_type",
    "t",
    "e",
    "channel",
    "topic",
    "request",
    "verb",
    "header.type",
    "meta.type",
    "[0]",
    "[3]",
];
/// Kinds that a field may tell apart.
const MAX_VALUES: usize = 100;
/// The longest kind, in bytes.
const MAX_LENGTH: usize = 64;

/// Fields that may say it, and what was seen in each.
pub(crate) struct Candidates {
    list: Vec<Candidate>,
    messages: usize,
}

struct Candidate {
    path: Path,
    told: usize,
    values: HashSet<Box<str>>,
    is_out: bool,
}

impl Candidates {
    pub(crate) fn new() -> Self {
        let list = USUAL.iter().filter_map(|path| path.parse().ok());
        let list = list.map(|path| Candidate { path, told: 0, values: HashSet::new(), is_out: false });
        Self { list: list.collect(), messages: 0 }
    }

    pub(crate) fn look(&mut self, fields: &Fields<'_>) {
        self.messages += 1;
        self.list
            .iter_mut()
            .filter(|candidate| !candidate.is_out)
            .for_each(|candidate| candidate.look(fields));
    }

    /// The path of the field that says it best; none where none does.
    pub(crate) fn best(&self) -> Option<String> {
        let mut best: Option<&Candidate> = None;
        for candidate in self.list.iter().filter(|candidate| self.may_be(candidate)) {
            // Equals stand in the order of the list.
            if best.is_none_or(|best| best.told < candidate.told) {
                best = Some(candidate);
            }
        }
        best.map(|candidate| candidate.path.to_string())
    }

    fn may_be(&self, candidate: &Candidate) -> bool {
        let is_common = candidate.told * 5 >= self.messages * 4;
        let are_few = candidate.values.len() <= 20 || candidate.values.len() * 3 <= candidate.told;
        !candidate.is_out && candidate.told > 0 && is_common && are_few
    }
}

impl Candidate {
    fn look(&mut self, fields: &Fields<'_>) {
        let value = match self.path.first(fields).map(|field| field.show()) {
            Some(Shown::Text(text)) if text.len() <= MAX_LENGTH && is_word(text) => text.to_owned(),
            Some(Shown::Int(number)) => number.to_string(),
            None => return,
            Some(_) => return self.is_out = true,
        };
        self.told += 1;
        if !self.values.contains(&*value) {
            self.values.insert(value.into());
        }
        self.is_out |= self.values.len() > MAX_VALUES;
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && !text.contains(|c: char| c.is_control() || c.is_whitespace() || "*{}<>\"'".contains(c))
        && !reveals_secret(text)
}
