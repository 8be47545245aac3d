//! A picture's brightness, what in it is detail, and how much of that there is around each pixel.

use crate::pixels::Pixels;

/// One number for each pixel.
#[derive(Clone, Debug)]
pub(crate) struct Plane {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) values: Vec<f32>,
}

/// How far around a pixel its surroundings reach: two cells of the mark.
const REACH: usize = 8;

impl Plane {
    /// How bright each pixel is, by ITU-R BT.601.
    pub(crate) fn of(pixels: &Pixels) -> Self {
        let weigh = |pixel: &[u8]| match pixel {
            [r, g, b, ..] => 0.299 * f32::from(*r) + 0.587 * f32::from(*g) + 0.114 * f32::from(*b),
            _ => 0.0,
        };
        let values = pixels.bytes.chunks_exact(pixels.channels).map(weigh).collect();
        Self { width: pixels.width as usize, height: pixels.height as usize, values }
    }

    /// What differs from its surroundings, and by how much such things differ around each pixel.
    pub(crate) fn detail(mut self) -> (Self, Self) {
        let around = self.blurred();
        self.values.iter_mut().zip(&around.values).for_each(|(value, around)| *value -= around);
        let mut busy = around;
        busy.values.iter_mut().zip(&self.values).for_each(|(square, value)| *square = value * value);
        let mut busy = busy.blurred();
        busy.values.iter_mut().for_each(|value| *value = value.max(0.0).sqrt());
        (self, busy)
    }

    /// Each value's mean with those around it; at the edges, of those that there are.
    fn blurred(&self) -> Self {
        let (width, height) = (self.width, self.height);
        let mut rows = Vec::with_capacity(self.values.len());
        for row in self.values.chunks_exact(width.max(1)) {
            let mut sum: f32 = row.iter().take(REACH).sum();
            for x in 0..width {
                sum += row.get(x + REACH).copied().unwrap_or_default();
                let from = x.saturating_sub(REACH);
                rows.push(sum / ((x + REACH + 1).min(width) - from) as f32);
                if x >= REACH {
                    sum -= row[from];
                }
            }
        }
        let mut values = vec![0.0; rows.len()];
        let mut sums = vec![0.0; width];
        let row = |y: usize| rows.get(y * width..(y + 1) * width).unwrap_or_default();
        for y in 0..REACH.min(height) {
            sums.iter_mut().zip(row(y)).for_each(|(sum, value)| *sum += value);
        }
        for (y, out) in values.chunks_exact_mut(width.max(1)).enumerate() {
            sums.iter_mut().zip(row(y + REACH)).for_each(|(sum, value)| *sum += value);
            let from = y.saturating_sub(REACH);
            let count = ((y + REACH + 1).min(height) - from) as f32;
            out.iter_mut().zip(&sums).for_each(|(out, sum)| *out = sum / count);
            if y >= REACH {
                sums.iter_mut().zip(row(from)).for_each(|(sum, value)| *sum -= value);
            }
        }
        Self { width, height, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_even_has_no_detail_and_an_edge_has() {
        let plane = |value: fn(usize) -> f32| Plane {
            width: 40,
            height: 30,
            values: (0..1200).map(|at| value(at % 40)).collect(),
        };
        let (detail, busy) = plane(|_| 77.0).detail();
        assert!(detail.values.iter().chain(&busy.values).all(|value| value.abs() < 1e-3));
        let (detail, busy) = plane(|x| if x < 20 { 0.0 } else { 100.0 }).detail();
        assert!(detail.values[15 * 40 + 20] > 40.0 && busy.values[15 * 40 + 20] > 20.0);
        assert!(detail.values[15 * 40].abs() < 1e-3);
    }
}
