//! Directives as they are written.

use crate::action::{self, Written};

/// A directive.
#[derive(Debug)]
pub(crate) enum Directive {
    /// `SecRule`.
    Rule { targets: String, operator: String, actions: Vec<Written> },
    /// `SecAction`.
    Action(Vec<Written>),
    /// `SecMarker`.
    Marker(String),
    /// `SecDefaultAction`.
    Default(Vec<Written>),
    /// `SecRuleRemoveBy...`.
    Remove(Removal),
    /// `SecRuleUpdateTargetBy...`.
    UpdateTarget { rules: Removal, targets: String },
    /// `Include`, `IncludeOptional`.
    Include { path: String, optional: bool },
    /// What says nothing about what is found.
    Idle,
    /// What is not known, or not done.
    Unknown(String),
}

/// Which rules are meant.
#[derive(Clone, Debug)]
pub(crate) enum Removal {
    /// Numbers and ranges of numbers.
    Ids(Vec<(u64, u64)>),
    /// Those with a tag that this finds something in.
    Tag(String),
    /// Those with a message that this finds something in.
    Message(String),
}

impl Removal {
    /// Reads numbers and ranges, parted by spaces or commas.
    pub(crate) fn ids(words: &[String]) -> Option<Self> {
        let parts = words.iter().flat_map(|word| word.split([' ', ','])).filter(|part| !part.is_empty());
        let range = |part: &str| {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            Some((from.parse().ok()?, to.parse().ok()?))
        };
        parts.map(range).collect::<Option<Vec<_>>>().filter(|all| !all.is_empty()).map(Self::Ids)
    }
}

impl Directive {
    pub(super) fn read(words: &[String]) -> Result<Self, String> {
        let (name, rest) = words.split_first().ok_or("nothing stands in it")?;
        let word = |at: usize| rest.get(at).cloned().ok_or_else(|| format!("`{name}` says too little"));
        let actions = |at: usize| action::actions(&word(at)?).map_err(str::to_owned);
        let ids =
            |words: &[String]| Removal::ids(words).ok_or_else(|| format!("`{name}` wants numbers of rules"));
        Ok(match name.to_ascii_lowercase().as_str() {
            "secrule" => {
                let actions = if rest.len() > 2 { actions(2)? } else { Vec::new() };
                Self::Rule { targets: word(0)?, operator: word(1)?, actions }
            }
            "secaction" => Self::Action(actions(0)?),
            "secmarker" => Self::Marker(word(0)?),
            "secdefaultaction" => Self::Default(actions(0)?),
            "secruleremovebyid" => Self::Remove(ids(rest)?),
            "secruleremovebytag" => Self::Remove(Removal::Tag(word(0)?)),
            "secruleremovebymsg" => Self::Remove(Removal::Message(word(0)?)),
            "secruleupdatetargetbyid" => Self::UpdateTarget { rules: ids(&[word(0)?])?, targets: word(1)? },
            "secruleupdatetargetbytag" => {
                Self::UpdateTarget { rules: Removal::Tag(word(0)?), targets: word(1)? }
            }
            "secruleupdatetargetbymsg" => {
                Self::UpdateTarget { rules: Removal::Message(word(0)?), targets: word(1)? }
            }
            "include" => Self::Include { path: word(0)?, optional: false },
            "includeoptional" => Self::Include { path: word(0)?, optional: true },
            "seccomponentsignature" | "seccollectiontimeout" | "secwebappid" => Self::Idle,
            known if known.starts_with("sec") => Self::Unknown(name.clone()),
            _ => return Err(format!("`{name}` is no directive of the rule language")),
        })
    }
}
