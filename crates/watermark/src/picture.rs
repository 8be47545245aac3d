//! A picture's way: decoded, marked, and encoded in the format that it came in.

use crate::codec::{Quality, decode, encode};
use crate::container::{Limits, inspect};
use crate::invisible::{self, Strength};
use crate::key::{Key, Tag};
use crate::refusal::Refusal;
use crate::tile::Tile;
use crate::visible::Visible;
use crate::watch::Watch;

/// What a picture is marked with.
#[derive(Clone, Copy, Debug)]
pub struct Marks<'a> {
    /// How text looks, and what it says.
    pub visible: Option<(&'a Visible, &'a str)>,
    /// What the invisible mark says, and the key and strength that it is made with.
    pub invisible: Option<(&'a Key, Tag, Strength)>,
    /// How well JPEG and WebP are encoded.
    pub quality: Quality,
}

/// Marks a picture. It comes back in its format, turned as EXIF said that it is to be seen. Of metadata, only the colour
/// profile of a PNG or JPEG stays.
pub fn mark(file: &[u8], marks: &Marks<'_>, limits: &Limits, watch: &Watch<'_>) -> Result<Vec<u8>, Refusal> {
    let header = inspect(file, limits)?;
    watch.check()?;
    let (mut pixels, profile) = decode(file, &header, limits)?;
    watch.check()?;
    if let Some((visible, text)) = marks.visible {
        visible.draw(&mut pixels, text);
        watch.check()?;
    }
    if let Some((key, tag, strength)) = marks.invisible {
        invisible::add(&mut pixels, &Tile::new(key), tag, strength);
        watch.check()?;
    }
    let marked = encode(&pixels, header.format, profile, marks.quality)?;
    if marked.len() > limits.size { Err(Refusal::Unwritable) } else { Ok(marked) }
}
