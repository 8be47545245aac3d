//! Text that everybody sees: in one place, or all over the picture.

use crate::pixels::Pixels;
use crate::shape::{Cover, Font, Line};

/// How text is drawn on pictures.
#[derive(Clone, Debug)]
pub struct Visible {
    /// What it is written in.
    pub font: Font,
    /// How it looks.
    pub look: Look,
}

/// How text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Where it stands.
    pub placement: Placement,
    /// The font's size, in parts of a hundred of the picture's shorter side.
    pub size: u8,
    /// How much of the picture it covers, in parts of a hundred.
    pub opacity: u8,
    /// How it is turned against the clock, in degrees.
    pub angle: i16,
    /// Red, green and blue.
    pub color: [u8; 3],
}

/// Where text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// All over the picture.
    Tiled,
    /// In the middle.
    Center,
    /// In a corner.
    TopLeft,
    /// In a corner.
    TopRight,
    /// In a corner.
    BottomLeft,
    /// In a corner.
    BottomRight,
}

/// The smallest font, in pixels.
const SMALLEST: f32 = 6.0;
/// The most pixels that a line of text may take.
const LARGEST: f32 = (4 << 20) as f32;

impl Visible {
    /// Draws a line of text.
    pub(crate) fn draw(&self, pixels: &mut Pixels, text: &str) {
        let line = self.font.shape(text);
        if line.width <= 0.0 || line.height() <= 0.0 {
            return;
        }
        let (width, height) = (pixels.width as f32, pixels.height as f32);
        let angle = f32::from(self.look.angle).to_radians();
        let size = self.size(&line, angle, (width, height));
        let cover = line.draw(size, angle);
        let far = (size / 16.0).ceil() as i64;
        for (left, top) in self.places(&cover, size, (i64::from(pixels.width), i64::from(pixels.height))) {
            // A shadow: whatever the picture shows, one of both is seen.
            self.lay(pixels, &cover, (left + far, top + far), self.look.color.map(|value| 255 - value));
            self.lay(pixels, &cover, (left, top), self.look.color);
        }
    }

    /// The font's size in pixels: as configured, smaller where the text would not fit.
    fn size(&self, line: &Line<'_>, angle: f32, (width, height): (f32, f32)) -> f32 {
        let wanted = (f32::from(self.look.size) / 100.0 * width.min(height)).max(SMALLEST);
        let (wide, high) = line.extent(angle);
        let room = match self.look.placement {
            // What is tiled may go over the edge: it is whole elsewhere.
            Placement::Tiled => LARGEST.sqrt(),
            _ => f32::MAX,
        };
        let fits = match self.look.placement {
            Placement::Tiled => room / wide.max(high),
            _ => (width / wide).min(height / high),
        };
        wanted.min(fits).min((LARGEST / (wide * high)).sqrt()).max(1.0)
    }

    fn places(&self, cover: &Cover, size: f32, (width, height): (i64, i64)) -> Vec<(i64, i64)> {
        let (wide, high) = (cover.width as i64, cover.height as i64);
        let edge = (size / 2.0) as i64;
        let (right, bottom) = ((width - wide - edge).max(0), (height - high - edge).max(0));
        let (left, top) = (edge.min((width - wide).max(0)), edge.min((height - high).max(0)));
        match self.look.placement {
            Placement::Center => vec![((width - wide) / 2, (height - high) / 2)],
            Placement::TopLeft => vec![(left, top)],
            Placement::TopRight => vec![(right, top)],
            Placement::BottomLeft => vec![(left, bottom)],
            Placement::BottomRight => vec![(right, bottom)],
            Placement::Tiled => {
                let (across, down) = (wide + 2 * edge + 1, high + 2 * edge + 1);
                let rows = (0..=height / down).map(|row| (row, row * down));
                let start = |row: i64| if row % 2 == 0 { 0 } else { -across / 2 };
                rows.flat_map(|(row, top)| {
                    (0..=width / across + 1).map(move |column| (start(row) + column * across, top))
                })
                .collect()
            }
        }
    }

    fn lay(&self, pixels: &mut Pixels, cover: &Cover, (left, top): (i64, i64), color: [u8; 3]) {
        let opacity = u32::from(self.look.opacity.min(100));
        let stride = pixels.width as usize * pixels.channels;
        for (row, values) in cover.values.chunks_exact(cover.width.max(1)).enumerate() {
            let Ok(y) = usize::try_from(top + row as i64) else { continue };
            let Some(line) = pixels.bytes.get_mut(y * stride..(y + 1) * stride) else { break };
            for (column, value) in values.iter().enumerate().filter(|(_, value)| **value > 0) {
                let Ok(x) = usize::try_from(left + column as i64) else { continue };
                let Some(pixel) = line.get_mut(x * pixels.channels..(x + 1) * pixels.channels) else { break };
                let part = u32::from(*value) * opacity;
                let mix = |old: u8, new: u8| {
                    ((u32::from(old) * (25_500 - part) + u32::from(new) * part) / 25_500) as u8
                };
                pixel.iter_mut().zip(color).for_each(|(old, new)| *old = mix(*old, new));
                // On what is seen through, text is seen too.
                if let Some(alpha) = pixel.get_mut(3) {
                    *alpha = mix(*alpha, 255);
                }
            }
        }
    }
}
