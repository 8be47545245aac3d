//! The component that is in force, and the file that it is loaded from anew when that changes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use wicketgate_config::file::Stamp;
use wicketgate_config::{At, Problems};
use wicketgate_plugin::{Decoder, Judge, Limits, Unusable};

use super::remedy;
use crate::reloaded::Reloaded;

/// What components of both worlds can do.
pub(crate) trait Component: Sized {
    /// Loads one; `name` is what the log calls it.
    fn load(path: &Path, name: &str, config: Vec<(String, String)>, limits: Limits)
    -> Result<Self, Unusable>;
    /// Whether it is the same component in the same settings.
    fn is_same(&self, other: &Self) -> bool;
}

impl Component for Judge {
    fn load(
        path: &Path,
        name: &str,
        config: Vec<(String, String)>,
        limits: Limits,
    ) -> Result<Self, Unusable> {
        Self::load(path, name, config, limits)
    }

    fn is_same(&self, other: &Self) -> bool {
        self.is_same(other)
    }
}

impl Component for Decoder {
    fn load(
        path: &Path,
        name: &str,
        config: Vec<(String, String)>,
        limits: Limits,
    ) -> Result<Self, Unusable> {
        Self::load(path, name, config, limits)
    }

    fn is_same(&self, other: &Self) -> bool {
        self.is_same(other)
    }
}

/// The component that is in force, and the file that it comes from.
#[derive(Debug)]
pub(crate) struct InForce<C> {
    component: ArcSwap<C>,
    path: PathBuf,
    name: Box<str>,
    config: Vec<(String, String)>,
    limits: Limits,
    /// What the file looked like when it was last read.
    seen: Mutex<Stamp>,
}

impl<C: Component> InForce<C> {
    /// Loads a component; what is wrong goes to `problems`.
    pub(crate) fn load(
        file: &At<PathBuf>,
        name: &str,
        config: Vec<(String, String)>,
        limits: Limits,
        problems: &mut Problems,
    ) -> Option<Self> {
        let path = file.value.clone();
        // Looked at before it is read: what changes meanwhile is seen then.
        let seen = Mutex::new(Stamp::of(&path));
        match C::load(&path, name, config.clone(), limits) {
            Ok(component) => {
                let component = ArcSwap::from_pointee(component);
                Some(Self { component, path, name: name.into(), config, limits, seen })
            }
            Err(why) => {
                let what = format!("the component {} cannot be used: {why}", path.display());
                problems.error(file.place, what, remedy(&why));
                None
            }
        }
    }

    /// The component for the next message.
    pub(crate) fn get(&self) -> Guard<Arc<C>> {
        self.component.load()
    }

    /// Where it is loaded from.
    pub(crate) fn file(&self) -> &Path {
        &self.path
    }

    /// Goes on with the one of the last configuration, if that is the same: its instances go on.
    pub(crate) fn follow(&self, last: &Self) {
        let last = last.component.load_full();
        if self.get().is_same(&last) {
            self.component.store(last);
        }
    }

    /// Loads the file anew if it changed; one that cannot be used changes nothing, and is told once.
    pub(crate) fn reload(&self) -> Option<Reloaded> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = Stamp::of(&self.path);
        if *seen == stamp {
            return None;
        }
        *seen = stamp;
        let file = self.path.clone();
        match C::load(&self.path, &self.name, self.config.clone(), self.limits) {
            Ok(new) if new.is_same(&self.get()) => None,
            Ok(new) => {
                self.component.store(Arc::new(new));
                Some(Reloaded::Component { file })
            }
            Err(why) => Some(Reloaded::ComponentKept { file, fault: why.to_string(), help: remedy(&why) }),
        }
    }
}
