//! The discrete Fourier transform of a small square, for correlating at all places at once.

use std::f32::consts::TAU;
use std::sync::LazyLock;

/// The square's side, a power of two.
pub(crate) const SIDE: usize = 64;

/// What turns by each part of a circle, down to the square's side.
static TURNS: LazyLock<[Complex; SIDE / 2]> = LazyLock::new(|| {
    std::array::from_fn(|at| {
        let (im, re) = (-TAU * at as f32 / SIDE as f32).sin_cos();
        Complex { re, im }
    })
});

/// A complex number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Complex {
    pub(crate) re: f32,
    pub(crate) im: f32,
}

/// The circular correlation of a square with another, of which the transforms are given, at every offset: what of the second,
/// moved by it, is in the first.
pub(crate) fn correlate(spectrum: &[Complex], other: &[Complex]) -> Vec<f32> {
    let times = |(one, other): (&Complex, &Complex)| Complex {
        re: one.re * other.re + one.im * other.im,
        im: one.im * other.re - one.re * other.im,
    };
    backward(spectrum.iter().zip(other).map(times).collect())
}

/// The square whose transform this is; what it would have beside real numbers is left out.
pub(crate) fn backward(mut spectrum: Vec<Complex>) -> Vec<f32> {
    // The inverse, by the transform of the conjugate.
    spectrum.iter_mut().for_each(|value| value.im = -value.im);
    transform_square(&mut spectrum);
    spectrum.iter().map(|value| value.re / (SIDE * SIDE) as f32).collect()
}

/// Makes noise even: each frequency is divided by how strong those are that are as high, and weighed by what a single cell has
/// of it. That is the filter in which a known shape stands out most from noise that has this spectrum.
pub(crate) fn even_out(spectrum: &mut [Complex], cell: &[Complex]) {
    let high = |at: usize| {
        let fold = |at: usize| at.min(SIDE - at) as f32;
        fold(at % SIDE).hypot(fold(at / SIDE)) as usize
    };
    let (mut powers, mut counts) = ([0f32; SIDE], [0f32; SIDE]);
    for (at, value) in spectrum.iter().enumerate() {
        powers[high(at)] += value.re * value.re + value.im * value.im;
        counts[high(at)] += 1.0;
    }
    for (at, (value, cell)) in spectrum.iter_mut().zip(cell).enumerate() {
        let power = powers[high(at)] / counts[high(at)].max(1.0);
        let by = if power > 0.0 { cell.re.hypot(cell.im) / power } else { 0.0 };
        *value = Complex { re: value.re * by, im: value.im * by };
    }
}

/// The transform of a square.
pub(crate) fn forward(square: &[f32]) -> Vec<Complex> {
    let mut spectrum: Vec<_> = square.iter().map(|re| Complex { re: *re, im: 0.0 }).collect();
    spectrum.resize(SIDE * SIDE, Complex::default());
    transform_square(&mut spectrum);
    spectrum
}

fn transform_square(square: &mut [Complex]) {
    square.chunks_exact_mut(SIDE).for_each(transform_row);
    transpose(square);
    square.chunks_exact_mut(SIDE).for_each(transform_row);
    transpose(square);
}

fn transpose(square: &mut [Complex]) {
    for y in 0..SIDE {
        for x in 0..y {
            square.swap(y * SIDE + x, x * SIDE + y);
        }
    }
}

/// Cooley and Tukey's, in place.
fn transform_row(row: &mut [Complex]) {
    let bits = SIDE.trailing_zeros();
    for at in 0..SIDE {
        let other = at.reverse_bits() >> (usize::BITS - bits);
        if at < other {
            row.swap(at, other);
        }
    }
    let mut half = 1;
    while half < SIDE {
        for start in (0..SIDE).step_by(2 * half) {
            for at in 0..half {
                let Complex { re: cos, im: sin } = TURNS[at * (SIDE / 2 / half)];
                let (one, other) = (row[start + at], row[start + at + half]);
                let turned =
                    Complex { re: other.re * cos - other.im * sin, im: other.re * sin + other.im * cos };
                row[start + at] = Complex { re: one.re + turned.re, im: one.im + turned.im };
                row[start + at + half] = Complex { re: one.re - turned.re, im: one.im - turned.im };
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_correlation_is_highest_where_the_square_was_moved_to() {
        let square: Vec<f32> = (0..SIDE * SIDE).map(|at| ((at * 7919) % 101) as f32 - 50.0).collect();
        let moved: Vec<f32> = (0..SIDE * SIDE)
            .map(|at| square[(at / SIDE + SIDE - 5) % SIDE * SIDE + (at % SIDE + SIDE - 9) % SIDE])
            .collect();
        let correlated = correlate(&forward(&moved), &forward(&square));
        let best = (0..correlated.len()).max_by(|a, b| correlated[*a].total_cmp(&correlated[*b]));
        assert_eq!(best, Some(5 * SIDE + 9));
        let energy: f32 = square.iter().map(|value| value * value).sum();
        assert!((correlated[5 * SIDE + 9] / energy - 1.0).abs() < 1e-3);
    }
}
