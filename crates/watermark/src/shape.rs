//! Text becomes outlines: ordered as it is read from left and right, shaped by its font, and drawn with soft edges.

use std::fmt;
use std::sync::Arc;

use ab_glyph_rasterizer::{Point, Rasterizer, point};
use rustybuzz::ttf_parser::{GlyphId, OutlineBuilder};
use rustybuzz::{Direction, Face, UnicodeBuffer};
use unicode_bidi::BidiInfo;

/// A font: OpenType or TrueType.
#[derive(Clone)]
pub struct Font(Arc<[u8]>);

/// What is no font.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no OpenType or TrueType font")]
pub struct BadFont;

impl Font {
    /// A font's file.
    pub fn new(file: Vec<u8>) -> Result<Self, BadFont> {
        let file: Arc<[u8]> = file.into();
        Face::from_slice(&file, 0).map(|_| ()).ok_or(BadFont)?;
        Ok(Self(file))
    }

    /// Shapes a line of text: what it takes of a line, in parts of the font's size.
    pub(crate) fn shape(&self, text: &str) -> Line<'_> {
        let Some(face) = Face::from_slice(&self.0, 0) else { return Line::default() };
        let unit = 1.0 / (face.units_per_em().max(1)) as f32;
        let (ascender, descender) = (f32::from(face.ascender()) * unit, f32::from(face.descender()) * unit);
        let (mut glyphs, mut pen) = (Vec::new(), 0.0);
        let bidi = BidiInfo::new(text, None);
        for paragraph in &bidi.paragraphs {
            let (levels, runs) = bidi.visual_runs(paragraph, paragraph.range.clone());
            for run in runs {
                let from_right = levels.get(run.start).is_some_and(|level| level.is_rtl());
                let mut buffer = UnicodeBuffer::new();
                buffer.push_str(text.get(run).unwrap_or_default());
                buffer.guess_segment_properties();
                buffer.set_direction(if from_right {
                    Direction::RightToLeft
                } else {
                    Direction::LeftToRight
                });
                let shaped = rustybuzz::shape(&face, &[], buffer);
                for (info, place) in shaped.glyph_infos().iter().zip(shaped.glyph_positions()) {
                    let glyph = GlyphId(u16::try_from(info.glyph_id).unwrap_or_default());
                    let at = (pen + place.x_offset as f32 * unit, place.y_offset as f32 * unit);
                    glyphs.push((glyph, at));
                    pen += place.x_advance as f32 * unit;
                }
            }
        }
        Line { face: Some(face), unit, glyphs, width: pen, ascender, descender }
    }
}

impl fmt::Debug for Font {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Font({} bytes)", self.0.len())
    }
}

/// A line of shaped text. Lengths are parts of the font's size.
#[derive(Default)]
pub(crate) struct Line<'f> {
    face: Option<Face<'f>>,
    unit: f32,
    glyphs: Vec<(GlyphId, (f32, f32))>,
    pub(crate) width: f32,
    ascender: f32,
    descender: f32,
}

/// How much of each pixel is covered, from 0 to 255.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cover {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) values: Vec<u8>,
}

impl Line<'_> {
    /// Its height.
    pub(crate) fn height(&self) -> f32 {
        self.ascender - self.descender
    }

    /// Width and height of the line, turned by an angle, in parts of the font's size.
    pub(crate) fn extent(&self, angle: f32) -> (f32, f32) {
        let (sin, cos) = (angle.sin().abs(), angle.cos().abs());
        (self.width * cos + self.height() * sin, self.width * sin + self.height() * cos)
    }

    /// Draws it in this size, turned against the clock by an angle.
    pub(crate) fn draw(&self, size: f32, angle: f32) -> Cover {
        let (width, height) = self.extent(angle);
        let (width, height) = ((width * size).ceil().max(1.0), (height * size).ceil().max(1.0));
        let mut rasterizer = Rasterizer::new(width as usize, height as usize);
        let (sin, cos) = angle.sin_cos();
        let middle = (self.width / 2.0, (self.ascender + self.descender) / 2.0);
        if let Some(face) = &self.face {
            for (glyph, (x, y)) in &self.glyphs {
                let place = |along: f32, up: f32| {
                    let (x, y) = (x + along * self.unit - middle.0, y + up * self.unit - middle.1);
                    point(width / 2.0 + size * (x * cos - y * sin), height / 2.0 - size * (x * sin + y * cos))
                };
                let mut pen = Pen { to: &mut rasterizer, place: &place, began: None, at: point(0.0, 0.0) };
                face.outline_glyph(*glyph, &mut pen);
            }
        }
        let mut values = vec![0; width as usize * height as usize];
        rasterizer.for_each_pixel(|at, cover| {
            if let Some(value) = values.get_mut(at) {
                *value = (cover.clamp(0.0, 1.0) * 255.0) as u8;
            }
        });
        Cover { width: width as usize, height: height as usize, values }
    }
}

/// Takes an outline to a rasterizer.
struct Pen<'a, P> {
    to: &'a mut Rasterizer,
    place: &'a P,
    began: Option<Point>,
    at: Point,
}

impl<P: Fn(f32, f32) -> Point> OutlineBuilder for Pen<'_, P> {
    fn move_to(&mut self, x: f32, y: f32) {
        self.at = (self.place)(x, y);
        self.began = Some(self.at);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let end = (self.place)(x, y);
        self.to.draw_line(self.at, end);
        self.at = end;
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let (by, end) = ((self.place)(x1, y1), (self.place)(x, y));
        self.to.draw_quad(self.at, by, end);
        self.at = end;
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let (by, then, end) = ((self.place)(x1, y1), (self.place)(x2, y2), (self.place)(x, y));
        self.to.draw_cubic(self.at, by, then, end);
        self.at = end;
    }

    fn close(&mut self) {
        if let Some(began) = self.began.take() {
            self.to.draw_line(self.at, began);
            self.at = began;
        }
    }
}
