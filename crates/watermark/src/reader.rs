//! Looking for the invisible mark: at every size that the picture may have been brought to, the tiles that it would have are
//! laid on each other, and what is left is compared with the key's.

use crate::codec::decode;
use crate::container::{Limits, inspect};
use crate::fourier::{self, Complex, SIDE};
use crate::key::{Key, Tag};
use crate::luma::Plane;
use crate::refusal::Refusal;
use crate::tile::{PIXELS, Tile};
use crate::watch::Watch;

/// A mark that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// What it says.
    pub tag: Tag,
    /// How large the picture is, compared with the one that was marked.
    pub scale: f32,
    /// How far it stands out, in standard deviations.
    pub clarity: f32,
}

/// The sizes at which it is looked for.
const SCALES: std::ops::RangeInclusive<f32> = 0.5..=2.0;
/// Sizes that pictures are often brought to.
const LIKELY: [f32; 7] = [1.0, 0.75, 0.5, 0.8, 0.9, 2.0 / 3.0, 1.5];
/// The side of the part in the middle that is looked at for the size.
const MIDDLE: usize = 1024;
/// How far tiles may be off at that part's edge, in pixels.
const SLACK: f32 = 0.75;
/// How many of the sizes that stand out most are read, each three times. What is read can be noise that has the right check by
/// chance, one in 2^32.
const READ: usize = 16;
/// What does not stand out by so much is not read.
const CLEAR: f32 = 4.5;

/// Finds the mark that this key has made, if there is one.
pub fn read(file: &[u8], key: &Key, limits: &Limits, watch: &Watch<'_>) -> Result<Option<Found>, Refusal> {
    let header = inspect(file, limits)?;
    let (pixels, _) = decode(file, &header, limits)?;
    watch.check()?;
    let (mut detail, busy) = Plane::of(&pixels).detail();
    drop(pixels);
    // What stands in busy places is believed less.
    detail.values.iter_mut().zip(&busy.values).for_each(|(value, busy)| {
        *value = (*value / (busy + 3.0)).clamp(-3.0, 3.0);
    });
    let tile = Tile::new(key);
    let (beginning, cell) = (tile.beginning(), tile.cell());
    let search = Search { detail: &detail, tile: &tile, beginning: &beginning, cell: &cell };
    for scale in LIKELY {
        watch.check()?;
        if let Some(found) = search.read(search.whole(scale)) {
            return Ok(Some(found));
        }
    }
    search.everywhere(watch)
}

struct Search<'a> {
    detail: &'a Plane,
    tile: &'a Tile,
    beginning: &'a [Complex],
    cell: &'a [Complex],
}

/// Tiles laid on each other, and where they would begin.
struct Sight {
    scale: f32,
    bins: Vec<f32>,
    place: (usize, usize),
    clarity: f32,
}

impl Search<'_> {
    fn everywhere(&self, watch: &Watch<'_>) -> Result<Option<Found>, Refusal> {
        let middle = self.detail.width.max(self.detail.height).min(MIDDLE);
        let step = 1.0 + 2.0 * SLACK / middle.max(1) as f32;
        let mut seen: Vec<(f32, f32)> = Vec::new();
        let mut scale = *SCALES.start();
        while scale <= *SCALES.end() {
            watch.check()?;
            seen.push((self.look(scale, middle).clarity, scale));
            scale *= step;
        }
        seen.sort_by(|one, other| other.0.total_cmp(&one.0));
        for (_, scale) in seen.into_iter().take(READ) {
            // The whole picture tells sizes apart that its middle does not.
            let fine = (step - 1.0) / 4.0;
            for by in [0.0, 1.0, -1.0] {
                watch.check()?;
                if let Some(found) = self.read(self.whole(scale * (1.0 + by * fine))) {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    fn whole(&self, scale: f32) -> Sight {
        self.look(scale, usize::MAX)
    }

    /// Lays the tiles of the middle on each other, as they stand at this size.
    fn look(&self, scale: f32, middle: usize) -> Sight {
        let (width, height) = (self.detail.width, self.detail.height);
        let span = |whole: usize| {
            let part = whole.min(middle);
            let from = (whole - part) / 2;
            from..from + part
        };
        let (columns, rows) = (span(width), span(height));
        let bins_a_pixel = SIDE as f32 / PIXELS as f32 / scale;
        // Pixels are counted from the middle, where a size that is a little off does least.
        let bin = |at: usize, whole: usize| {
            let at = (at as f32 + 0.5 - whole as f32 / 2.0) * bins_a_pixel;
            (at.floor() as i32).rem_euclid(SIDE as i32) as usize
        };
        let across: Vec<usize> = columns.clone().map(|x| bin(x, width)).collect();
        let (mut bins, mut counts) = (vec![0f32; SIDE * SIDE], vec![0f32; SIDE * SIDE]);
        for y in rows {
            let row = self.detail.values.get(y * width..(y + 1) * width).unwrap_or_default();
            let row = row.get(columns.clone()).unwrap_or_default();
            let down = bin(y, height) * SIDE;
            for (value, across) in row.iter().zip(&across) {
                bins[down + across] += value;
                counts[down + across] += 1.0;
            }
        }
        for (bin, count) in bins.iter_mut().zip(&counts) {
            *bin /= count.max(1.0);
        }
        let mut spectrum = fourier::forward(&bins);
        fourier::even_out(&mut spectrum, self.cell);
        let (place, clarity) = peak(&fourier::correlate(&spectrum, self.beginning));
        Sight { scale, bins: fourier::backward(spectrum), place, clarity }
    }

    fn read(&self, Sight { scale, bins, place, clarity }: Sight) -> Option<Found> {
        let tag = (clarity > CLEAR).then(|| self.tile.tag(&bins, place))??;
        Some(Found { tag, scale, clarity })
    }
}

/// The highest value's column and row, and how many standard deviations it is above the mean.
fn peak(values: &[f32]) -> ((usize, usize), f32) {
    let count = values.len().max(1) as f32;
    let mean = values.iter().sum::<f32>() / count;
    let spread = (values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / count).sqrt();
    let best = values.iter().enumerate().max_by(|one, other| one.1.total_cmp(other.1));
    let (at, value) = best.map_or((0, mean), |(at, value)| (at, *value));
    ((at % SIDE, at / SIDE), if spread > 0.0 { (value - mean) / spread } else { 0.0 })
}
