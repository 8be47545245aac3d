//! Components that are compiled, shared by all that name a file of the same bytes.

use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use aws_lc_rs::digest;
use wasmtime::component::Component;

use super::machine;
use crate::{MAX_FILE, Unusable};

/// A component, and what its file hashes to.
struct Known {
    digest: [u8; 32],
    component: Weak<Component>,
}

static KNOWN: Mutex<Vec<Known>> = Mutex::new(Vec::new());

/// Compiles the component of a file, or takes the one of the same bytes that is in use.
pub(super) fn load(path: &Path) -> Result<Arc<Component>, Unusable> {
    compile(&read(path)?)
}

/// Compiles a component, or takes the one of the same bytes that is in use.
pub(super) fn compile(bytes: &[u8]) -> Result<Arc<Component>, Unusable> {
    let engine = machine::shared().map_err(|why| Unusable::Host(why.to_owned()))?;
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    // Held while it compiles: two that want the same wait for one of them.
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.retain(|known| known.component.strong_count() > 0);
    let same = known.iter().find(|known| known.digest == hash);
    if let Some(component) = same.and_then(|known| known.component.upgrade()) {
        return Ok(component);
    }
    // A compiler that stumbles over a file must not take the gateway with it, nor the thread that follows files.
    let compiled = catch_unwind(AssertUnwindSafe(|| Component::from_binary(engine, bytes)));
    let compiled = compiled.map_err(|_| Unusable::Malformed("the compiler failed on it".into()))?;
    let component = Arc::new(compiled.map_err(|error| Unusable::Malformed(format!("{error:#}")))?);
    known.push(Known { digest: hash, component: Arc::downgrade(&component) });
    Ok(component)
}

fn read(path: &Path) -> Result<Vec<u8>, Unusable> {
    let unreadable = |error: std::io::Error| Unusable::Unreadable(error.to_string());
    let file = File::open(path).map_err(unreadable)?;
    // Reading a pipe or a terminal might never end.
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(Unusable::Unreadable("it is no file".into()));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE { Err(Unusable::TooLong) } else { Ok(bytes) }
}
