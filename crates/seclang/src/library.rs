//! Rules that are loaded, shared by all who name the same files.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::note::LoadError;
use crate::set::RuleSet;

/// A set of rules by what it was made of.
struct Known {
    files: Vec<PathBuf>,
    given: Vec<(&'static str, String)>,
    set: Weak<RuleSet>,
}

static KNOWN: Mutex<Vec<Known>> = Mutex::new(Vec::new());

impl RuleSet {
    /// Loads rules as [`Self::load`] does, or takes those that are in use and whose files have not changed.
    ///
    /// # Errors
    /// As with [`Self::load`].
    pub fn shared(files: Vec<PathBuf>, given: Vec<(&'static str, String)>) -> Result<Arc<Self>, LoadError> {
        // Held while rules are compiled: two that want the same wait for one of them.
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|known| known.set.strong_count() > 0);
        let same = known.iter().filter(|known| known.files == files && known.given == given);
        let mut same = same.filter_map(|known| known.set.upgrade());
        if let Some(set) = same.find(|set| set.is_current()) {
            return Ok(set);
        }
        let given_now: Vec<(&str, &str)> =
            given.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let set = Arc::new(Self::load(&files, &given_now)?);
        known.push(Known { files, given, set: Arc::downgrade(&set) });
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn those_who_name_the_same_files_share_them_until_they_change() {
        let folder = tempfile::tempdir().unwrap();
        let rules = folder.path().join("a.conf");
        std::fs::write(&rules, "SecAction \"id:1\"\n").unwrap();
        let load = || RuleSet::shared(vec![folder.path().to_owned()], Vec::new()).unwrap();
        let first = load();
        assert!(Arc::ptr_eq(&first, &load()));
        std::fs::write(&rules, "SecAction \"id:1\"\nSecAction \"id:2\"\n").unwrap();
        let second = load();
        assert!(!Arc::ptr_eq(&first, &second));
        assert_eq!(second.len(), 2);
    }
}
