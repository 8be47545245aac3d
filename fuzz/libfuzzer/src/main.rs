//! libFuzzer on one of the targets: the environment says which.
#![no_main]

use std::sync::OnceLock;

use wicketgate_fuzz_targets::{Entry, TARGETS};

static ENTRY: OnceLock<Entry> = OnceLock::new();

libfuzzer_sys::fuzz_target!(
    init: {
        let wanted = std::env::var("WICKETGATE_FUZZ_TARGET").unwrap_or_default();
        let target = TARGETS.iter().find(|(name, _)| *name == wanted);
        let entry = target.unwrap_or_else(|| panic!("WICKETGATE_FUZZ_TARGET={wanted} names no target")).1;
        ENTRY.get_or_init(|| entry);
    },
    |data: &[u8]| {
        if let Some(entry) = ENTRY.get() {
            entry(data);
        }
    }
);
