//! The square that is laid over a picture again and again. Some of its cells say where it begins, the others say the tag.

use crate::code::BITS;
use crate::fourier::{self, Complex, SIDE};
use crate::key::{Key, Tag};

/// Cells on each of its sides.
const CELLS: usize = 32;
/// Pixels on each side of a cell: what is coarser than that outlives scaling and JPEG, what is finer does not.
pub(crate) const CELL: usize = 4;
/// Pixels on each of its sides.
pub(crate) const PIXELS: usize = CELLS * CELL;
/// Cells for each bit of the code.
const REPEATS: usize = 2;
/// How finely it is looked at: two places a cell.
const BINS_A_CELL: usize = SIDE / CELLS;

/// The tile of a key.
pub(crate) struct Tile {
    key: Key,
    /// Which cell is the how manieth: first those of the code, then those that say where the tile begins.
    order: Vec<usize>,
    /// What each cell is turned by, so that nobody sees the code.
    signs: Vec<f32>,
}

impl Tile {
    pub(crate) fn new(key: &Key) -> Self {
        let mut stream = key.stream("tile");
        let mut order: Vec<usize> = (0..CELLS * CELLS).collect();
        for at in (1..order.len()).rev() {
            order.swap(at, stream.below(at + 1));
        }
        let signs = order.iter().map(|_| stream.sign()).collect();
        Self { key: key.clone(), order, signs }
    }

    /// The tile that says this tag, pixel by pixel.
    pub(crate) fn pattern(&self, tag: Tag) -> Vec<f32> {
        let bits = crate::code::encode(tag, &self.key);
        let mut cells = self.signs.clone();
        for (at, cell) in self.order.iter().take(BITS * REPEATS).enumerate() {
            cells[*cell] *= bits[at % BITS];
        }
        narrowed(
            (0..PIXELS * PIXELS)
                .map(|at| at_place(&cells, in_cells(at % PIXELS), in_cells(at / PIXELS)))
                .collect(),
        )
    }

    /// What of each frequency a single cell has, at a bin's fineness.
    pub(crate) fn cell(&self) -> Vec<Complex> {
        let mut cells = vec![0.0; CELLS * CELLS];
        cells[0] = 1.0;
        let pixels = narrowed(
            (0..PIXELS * PIXELS)
                .map(|at| at_place(&cells, in_cells(at % PIXELS), in_cells(at / PIXELS)))
                .collect(),
        );
        let mut bins = vec![0.0; SIDE * SIDE];
        for (at, value) in pixels.iter().enumerate() {
            bins[at / PIXELS * SIDE / PIXELS * SIDE + at % PIXELS * SIDE / PIXELS] += value;
        }
        fourier::forward(&bins)
    }

    /// What says where the tile begins, as correlation wants it.
    pub(crate) fn beginning(&self) -> Vec<Complex> {
        let mut cells = self.signs.clone();
        for cell in self.order.iter().take(BITS * REPEATS) {
            cells[*cell] = 0.0;
        }
        let mut square = vec![0.0; SIDE * SIDE];
        for (at, cell) in cells.iter().enumerate() {
            square[at / CELLS * BINS_A_CELL * SIDE + at % CELLS * BINS_A_CELL] = *cell;
        }
        fourier::forward(&square)
    }

    /// The tag that a square of bins says, where the tile begins at this one.
    pub(crate) fn tag(&self, bins: &[f32], (left, top): (usize, usize)) -> Option<Tag> {
        let mut signs = vec![0.0; BITS];
        for (at, cell) in self.order.iter().take(BITS * REPEATS).enumerate() {
            let (column, row) = (cell % CELLS * BINS_A_CELL, cell / CELLS * BINS_A_CELL);
            let (x, y) = ((column + left) % SIDE, (row + top) % SIDE);
            signs[at % BITS] += bins.get(y * SIDE + x).copied().unwrap_or_default() * self.signs[*cell];
        }
        crate::code::decode(&signs, &self.key)
    }
}

/// A pixel's place, counted in cells.
fn in_cells(pixel: usize) -> f32 {
    pixel as f32 / CELL as f32
}

/// How far around a pixel the tile is evened out.
const EVEN: usize = 5;

/// The tile without what is coarser than a few cells: pictures are full of that, and it would be lost in them.
fn narrowed(pixels: Vec<f32>) -> Vec<f32> {
    let mean = |from: &dyn Fn(usize) -> usize| {
        (0..=2 * EVEN).map(|by| pixels[from(by)]).sum::<f32>() / (2 * EVEN + 1) as f32
    };
    let rows: Vec<f32> = (0..pixels.len())
        .map(|at| mean(&|by| at / PIXELS * PIXELS + (at % PIXELS + PIXELS + by - EVEN) % PIXELS))
        .collect();
    let column =
        |at: usize, by: usize| rows[(at / PIXELS + PIXELS + by - EVEN) % PIXELS * PIXELS + at % PIXELS];
    let even = |at: usize| (0..=2 * EVEN).map(|by| column(at, by)).sum::<f32>() / (2 * EVEN + 1) as f32;
    pixels.iter().enumerate().map(|(at, value)| value - even(at)).collect()
}

/// The value at a place, counted in cells from the middle of the first: between the middles of four, in proportion.
fn at_place(cells: &[f32], x: f32, y: f32) -> f32 {
    let (left, top) = (x.floor(), y.floor());
    let (right, down) = (x - left, y - top);
    let cell = |dx: i32, dy: i32| {
        let wrap = |at: f32, by: i32| (at as i32 + by).rem_euclid(CELLS as i32) as usize;
        cells.get(wrap(top, dy) * CELLS + wrap(left, dx)).copied().unwrap_or_default()
    };
    let upper = cell(0, 0) * (1.0 - right) + cell(1, 0) * right;
    let lower = cell(0, 1) * (1.0 - right) + cell(1, 1) * right;
    upper * (1.0 - down) + lower * down
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_says_its_tag_wherever_it_begins() {
        let (tile, tag) = (Tile::new(&Key::new(b"a key")), Tag(42));
        let pattern = tile.pattern(tag);
        let (left, top) = (10, 37);
        let mut bins = vec![0.0; SIDE * SIDE];
        for (at, value) in pattern.iter().enumerate() {
            let (x, y) = ((at % PIXELS / 2 + left) % SIDE, (at / PIXELS / 2 + top) % SIDE);
            bins[y * SIDE + x] += value / 4.0;
        }
        let mut spectrum = fourier::forward(&bins);
        fourier::even_out(&mut spectrum, &tile.cell());
        let correlated = fourier::correlate(&spectrum, &tile.beginning());
        let bins = fourier::backward(spectrum);
        let best = (0..correlated.len()).max_by(|a, b| correlated[*a].total_cmp(&correlated[*b]));
        assert_eq!(best, Some(top * SIDE + left));
        assert_eq!(tile.tag(&bins, (left, top)), Some(tag));
        assert_eq!(tile.tag(&bins, (left + 4, top)), None);
        assert_eq!(Tile::new(&Key::new(b"another key")).tag(&bins, (left, top)), None);
    }
}
