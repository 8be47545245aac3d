//! Rules made ready.

use crate::bits::Bits;
use crate::forms::FormId;
use crate::macros::Macro;
use crate::names::TxName;
use crate::note::Place;
use crate::target::Target;

/// A rule, or a link of a chain of them.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: u64,
    pub(crate) place: Place,
    pub(crate) targets: Vec<Target>,
    pub(crate) left_out: Vec<Target>,
    /// What it asks; none where it always holds.
    pub(crate) test: Option<u32>,
    pub(crate) negated: bool,
    /// The forms of a value in which it looks: the last one, or each.
    pub(crate) forms: Box<[FormId]>,
    /// Whether what its groups find is needed.
    pub(crate) captures: bool,
    /// Whether its chain looks at what it found.
    pub(crate) remembers: bool,
    pub(crate) sets: Vec<Set>,
    pub(crate) controls: Vec<Control>,
    pub(crate) flow: Flow,
    /// Whether what it finds is told.
    pub(crate) told: bool,
    pub(crate) severity: Option<Severity>,
    pub(crate) message: Option<String>,
    pub(crate) tags: Vec<String>,
    /// The link that has to hold, too.
    pub(crate) next: Option<usize>,
}

/// Something done to a variable.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) name: SetName,
    pub(crate) change: Change,
}

/// A variable's name: known, or made of values.
#[derive(Clone, Debug)]
pub(crate) enum SetName {
    Known(TxName),
    Made(Macro),
}

/// What is done to a variable.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    To(Macro),
    Add(Macro),
    Subtract(Macro),
    Unset,
}

/// Something done to the rules that come after.
#[derive(Clone, Debug)]
pub(crate) enum Control {
    /// Rules are not asked.
    Remove(Bits),
    /// Rules do not look at a value.
    RemoveTarget(Bits, Box<Target>),
    /// No rule is asked.
    Off,
    /// Rules are asked, and refuse nothing.
    DetectOnly,
    /// Rules are asked, and refuse.
    On,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flow {
    /// The marker behind which it goes on.
    pub(crate) skip_after: Option<u32>,
    /// So many rules are not asked.
    pub(crate) skip: u32,
    pub(crate) end: Option<Disruption>,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disruption {
    /// It is refused.
    Refuse,
    /// Nothing else is asked in this phase.
    AllowPhase,
    /// Nothing else is asked.
    Allow,
}

/// How bad what a rule finds is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// 0.
    Emergency,
    /// 1.
    Alert,
    /// 2.
    Critical,
    /// 3.
    Error,
    /// 4.
    Warning,
    /// 5.
    Notice,
    /// 6.
    Info,
    /// 7.
    Debug,
}

impl Severity {
    const ALL: [Self; 8] = [
        Self::Emergency,
        Self::Alert,
        Self::Critical,
        Self::Error,
        Self::Warning,
        Self::Notice,
        Self::Info,
        Self::Debug,
    ];

    /// Its word.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Emergency => "emergency",
            Self::Alert => "alert",
            Self::Critical => "critical",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    /// The severity of this word or number.
    pub(crate) fn named(text: &str) -> Option<Self> {
        let number = text.parse::<usize>().ok();
        let by_number = number.and_then(|number| Self::ALL.get(number).copied());
        by_number.or_else(|| Self::ALL.into_iter().find(|one| one.label().eq_ignore_ascii_case(text)))
    }
}

/// What stands among the rules of a phase.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry {
    Rule(usize),
    Marker(u32),
}

/// Phases that a request goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Head,
    Body,
}

impl Phase {
    /// The phase of this number or word; none where it is a response's.
    pub(crate) fn named(text: &str) -> Option<Self> {
        match text {
            "1" => Some(Self::Head),
            "2" | "request" => Some(Self::Body),
            _ => None,
        }
    }
}
