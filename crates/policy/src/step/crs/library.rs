//! Rules that are loaded, shared by all steps that name the same files.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use wicketgate_seclang::{LoadError, RuleSet};

/// A set of rules by what it was made of.
struct Known {
    files: Vec<PathBuf>,
    given: Vec<(&'static str, String)>,
    set: Weak<RuleSet>,
}

static KNOWN: Mutex<Vec<Known>> = Mutex::new(Vec::new());

/// Loads rules, or takes those that are in use and whose files have not changed.
pub(super) fn load(
    files: Vec<PathBuf>,
    given: Vec<(&'static str, String)>,
) -> Result<Arc<RuleSet>, LoadError> {
    // Held while rules are compiled: two that want the same wait for one of them.
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.retain(|known| known.set.strong_count() > 0);
    let same = known.iter().filter(|known| known.files == files && known.given == given);
    let mut same = same.filter_map(|known| known.set.upgrade());
    if let Some(set) = same.find(|set| set.is_current()) {
        return Ok(set);
    }
    let given_now: Vec<(&str, &str)> = given.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let set = Arc::new(RuleSet::load(&files, &given_now)?);
    known.push(Known { files, given, set: Arc::downgrade(&set) });
    Ok(set)
}
