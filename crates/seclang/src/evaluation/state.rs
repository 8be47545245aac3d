//! What rules have set and decided so far.

use std::sync::Arc;

use crate::bits::Bits;
use crate::names::{Names, TxName};
use crate::request::{End, Found, RuleMask};
use crate::rule::Control;
use crate::set::RuleSet;
use crate::target::{Collection, Target};

/// What rules have set and decided.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(super) tx: Tx,
    /// Rules that are not asked any more.
    pub(super) removed: Bits,
    /// Rules, and values that they do not look at.
    pub(super) left_out: Vec<Arc<(Bits, Target)>>,
    pub(super) detects_only: bool,
    pub(super) off: bool,
    pub(super) allowed: bool,
    pub(super) end: End,
    pub(super) found: Vec<Found>,
}

/// Variables that rules set.
#[derive(Clone, Debug)]
pub(super) struct Tx {
    known: Vec<Option<Arc<[u8]>>>,
    /// Those whose names are made of values.
    made: Vec<Made>,
    given: Bits,
}

/// A variable and its name.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) name: Box<[u8]>,
    pub(super) value: Arc<[u8]>,
}

/// A value that a rule found something in.
#[derive(Clone, Debug)]
pub(super) struct Matched {
    pub(super) collection: Collection,
    pub(super) name: Box<[u8]>,
    pub(super) value: Box<[u8]>,
}

/// The most variables whose names are made of values, and the longest value.
const MAX_MADE: usize = 4096;
const MAX_VALUE: usize = 4096;
/// The most values that are left out while a request is asked about.
const MAX_LEFT_OUT: usize = 1024;

impl State {
    pub(crate) fn new(set: &RuleSet, without: Option<&RuleMask>) -> Self {
        let mut removed = Bits::new(set.rules.len());
        if let Some(mask) = without {
            removed.add(&mask.0);
        }
        let mut tx =
            Tx { known: vec![None; set.names.len()], made: Vec::new(), given: Bits::new(set.names.len()) };
        for (name, value) in &set.given {
            tx.set(*name, Some(value.to_vec().into()));
            tx.given.insert(name.0 as usize);
        }
        Self {
            tx,
            removed,
            left_out: Vec::new(),
            detects_only: false,
            off: false,
            allowed: false,
            end: End::Passed,
            found: Vec::new(),
        }
    }

    /// The same, and rules do not look at these values either.
    pub(crate) fn leaving_out(mut self, left_out: &[Arc<(Bits, Target)>]) -> Self {
        self.left_out.extend_from_slice(left_out);
        self
    }

    /// Whether nothing is to be asked any more.
    pub(super) fn is_over(&self) -> bool {
        self.off || self.allowed || self.end != End::Passed
    }

    pub(super) fn control(&mut self, control: &Control) {
        match control {
            Control::Remove(rules) => self.removed.add(rules),
            Control::RemoveTarget(rules, target) if self.left_out.len() < MAX_LEFT_OUT => {
                self.left_out.push(Arc::new((rules.clone(), (**target).clone())));
            }
            Control::RemoveTarget(..) => {}
            Control::Off => self.off = true,
            Control::DetectOnly => self.detects_only = true,
            Control::On => self.detects_only = false,
        }
    }

    /// Whether this rule does not look at this value.
    pub(super) fn leaves_out(
        &self,
        rule: usize,
        collection: Collection,
        name: &[u8],
        work: &mut usize,
    ) -> bool {
        self.left_out.iter().any(|left| left.0.has(rule) && left.1.means(collection, name, work))
    }
}

impl Tx {
    pub(super) fn value(&self, name: TxName) -> Option<&Arc<[u8]>> {
        self.known.get(name.0 as usize)?.as_ref()
    }

    pub(super) fn set(&mut self, name: TxName, value: Option<Arc<[u8]>>) {
        if self.given.has(name.0 as usize) {
            return;
        }
        if let Some(slot) = self.known.get_mut(name.0 as usize) {
            *slot = value;
        }
    }

    /// The value of a variable whose name is made of values, in small letters.
    pub(super) fn made(&self, name: &[u8]) -> Option<&Arc<[u8]>> {
        self.made.iter().find(|made| *made.name == *name).map(|made| &made.value)
    }

    /// Sets one of those; whether there was room for it.
    #[must_use]
    pub(super) fn set_made(&mut self, name: &[u8], value: Option<Arc<[u8]>>) -> bool {
        let Some(value) = value else {
            self.made.retain(|made| *made.name != *name);
            return true;
        };
        if let Some(made) = self.made.iter_mut().find(|made| *made.name == *name) {
            made.value = value;
        } else if self.made.len() < MAX_MADE {
            self.made.push(Made { name: name.into(), value });
        } else {
            return false;
        }
        true
    }

    /// How many of those there are.
    pub(super) const fn len_made(&self) -> usize {
        self.made.len()
    }

    /// All that there are, by their names.
    pub(super) fn all<'a>(&'a self, names: &'a Names) -> impl Iterator<Item = (&'a [u8], &'a Arc<[u8]>)> {
        let known = self.known.iter().enumerate();
        let known = known
            .filter_map(|(at, value)| value.as_ref().map(|value| (names.text(TxName(at as u32)), value)));
        known.chain(self.made.iter().map(|made| (&*made.name, &made.value)))
    }
}

/// A value, cut where it is longer than a variable may be.
pub(super) fn cut(value: &[u8]) -> &[u8] {
    &value[..value.len().min(MAX_VALUE)]
}
