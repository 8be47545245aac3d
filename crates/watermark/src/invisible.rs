//! The invisible mark: a tile of small differences in brightness, laid over the whole picture.

use crate::key::Tag;
use crate::luma::Plane;
use crate::pixels::Pixels;
use crate::tile::{PIXELS, Tile};

/// How far the marked picture may be from the one that came, as the ratio of a full signal to the noise (PSNR).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strength(u8);

/// What even places count as, in steps of brightness: in them, differences are seen first.
const EVEN: f32 = 5.0;
/// What busy places count as at most.
const BUSY: f32 = 30.0;

impl Strength {
    /// The strongest and the faintest, in dB.
    pub const RANGE: std::ops::RangeInclusive<u8> = 36..=48;
    /// One that is not seen, and found again.
    pub const DEFAULT: Self = Self(39);

    /// The mark is at least so many dB below a full signal; what is out of range is taken as the nearest that is not.
    pub fn decibels(decibels: u8) -> Self {
        Self(decibels.clamp(*Self::RANGE.start(), *Self::RANGE.end()))
    }

    /// So many dB.
    pub const fn in_decibels(self) -> u8 {
        self.0
    }

    fn noise(self) -> f32 {
        255.0 / 10f32.powf(f32::from(self.0) / 20.0)
    }
}

/// Adds the mark, stronger where there is more to hide it.
pub(crate) fn add(pixels: &mut Pixels, tile: &Tile, tag: Tag, strength: Strength) {
    let pattern = tile.pattern(tag);
    let (_, mut room) = Plane::of(pixels).detail();
    let width = room.width.max(1);
    let mut sum = 0f64;
    for (at, busy) in room.values.iter_mut().enumerate() {
        let (x, y) = (at % width % PIXELS, at / width % PIXELS);
        *busy = (*busy + EVEN).min(BUSY) * pattern.get(y * PIXELS + x).copied().unwrap_or_default();
        sum += f64::from(*busy * *busy);
    }
    let strong = (sum / room.values.len().max(1) as f64).sqrt() as f32;
    let by = if strong > 0.0 { strength.noise() / strong } else { 0.0 };
    for (pixel, difference) in pixels.bytes.chunks_exact_mut(pixels.channels).zip(&room.values) {
        for value in pixel.iter_mut().take(3) {
            // Out of range, it becomes the nearest that is not.
            *value = (f32::from(*value) + difference * by).round() as u8;
        }
    }
}
