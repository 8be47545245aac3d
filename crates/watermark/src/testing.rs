//! For tests: pictures with light, shade and grain, made by arithmetic.

#![allow(clippy::unwrap_used)]

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

use crate::container::Limits;

pub(crate) const LIMITS: Limits = Limits { size: 16 << 20, pixels: 4 << 20, metadata: 64 << 10 };

/// A picture of this size.
pub(crate) fn picture(width: u32, height: u32) -> RgbImage {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    RgbImage::from_fn(width, height, |x, y| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let grain = (seed % 13) as f32;
        let (x, y) = (x as f32, y as f32);
        let light = 120.0 + 60.0 * (x / 61.0).sin() * (y / 47.0).cos() + 20.0 * (x / 9.0 + y / 13.0).sin();
        Rgb([light + grain, light * 0.9 + grain, 60.0 + light / 2.0 + grain].map(|value| value as u8))
    })
}

/// As a file of this format.
pub(crate) fn file(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    DynamicImage::from(picture.clone()).write_to(&mut file, format).unwrap();
    file.into_inner()
}
