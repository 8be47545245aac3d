//! Clocks that jump, by libfaketime: those of the programs, and what counts time evenly is left alone.

use std::path::PathBuf;

use super::super::Site;
use super::stage::Party;

fn file(site: &Site, party: Party) -> PathBuf {
    site.path(&format!("clock-{party:?}"))
}

/// Sets a party's clock so many seconds ahead: `+3600`.
pub(super) fn set(site: &Site, party: Party, ahead: &str) {
    site.dir.write(format!("clock-{party:?}"), ahead).unwrap();
}

/// What a party is started with for that.
pub(super) fn environment(site: &Site, party: Party) -> Vec<(String, String)> {
    let folders = std::fs::read_dir("/usr/lib").unwrap().flatten();
    let library = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    let library = library.into_iter().find(|library| library.exists());
    let library = library.expect("libfaketime is not installed: run `cargo xtask peers`");
    if !file(site, party).exists() {
        set(site, party, "+0");
    }
    let pairs = [
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", file(site, party).display().to_string()),
        ("FAKETIME_NO_CACHE", "1".into()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ("DONT_FAKE_MONOTONIC", "1".into()),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}
