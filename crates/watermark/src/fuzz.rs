//! Entries for the fuzz targets: whatever a file says, it is refused or marked, and nothing panics.

use crate::codec::Quality;
use crate::container::{Limits, inspect};
use crate::invisible::Strength;
use crate::key::{Key, Tag};
use crate::picture::{Marks, mark};
use crate::watch::Watch;

/// Marks a file that anybody may have sent. What is marked can be marked again.
pub fn picture(file: &[u8]) {
    let limits = Limits { size: 1 << 20, pixels: 1 << 16, metadata: 1 << 16 };
    let (key, tag) = (Key::new(b"fuzz"), Tag(7));
    let marks =
        Marks { visible: None, invisible: Some((&key, tag, Strength::DEFAULT)), quality: Quality(80) };
    if let Ok(marked) = mark(file, &marks, &limits, &Watch::ENDLESS) {
        let (before, after) = (inspect(file, &limits), inspect(&marked, &limits));
        assert_eq!(before.map(|header| header.format), after.map(|header| header.format));
    }
}
