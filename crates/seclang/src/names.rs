//! Names of variables that rules set, by numbers.

use std::collections::HashMap;

/// A variable that rules set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TxName(pub(crate) u32);

/// All names that rules know. The first ten are what the groups of a pattern found.
#[derive(Debug)]
pub(crate) struct Names {
    numbers: HashMap<Box<[u8]>, u32>,
    texts: Vec<Box<[u8]>>,
}

impl Default for Names {
    fn default() -> Self {
        let mut names = Self { numbers: HashMap::new(), texts: Vec::new() };
        for digit in b'0'..=b'9' {
            names.of(&[digit]);
        }
        names
    }
}

impl Names {
    /// The number of a name, whatever its case.
    pub(crate) fn of(&mut self, name: &[u8]) -> TxName {
        let name = name.to_ascii_lowercase();
        if let Some(number) = self.numbers.get(&name[..]) {
            return TxName(*number);
        }
        let number = self.texts.len() as u32;
        self.texts.push(name.clone().into());
        self.numbers.insert(name.into(), number);
        TxName(number)
    }

    /// The number of a name in small letters that is known.
    pub(crate) fn known(&self, name: &[u8]) -> Option<TxName> {
        self.numbers.get(name).copied().map(TxName)
    }

    /// A name, in small letters.
    pub(crate) fn text(&self, name: TxName) -> &[u8] {
        self.texts.get(name.0 as usize).map_or(&[], |text| text)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }
}

impl TxName {
    /// What the group of this number found.
    pub(crate) const fn group(number: usize) -> Self {
        Self(number as u32)
    }

    /// Whether it is what a group found.
    pub(crate) const fn is_group(self) -> bool {
        self.0 < 10
    }
}
