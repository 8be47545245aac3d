//! A picture's way: decoded, marked, and encoded in the format that it came in.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::metadata::Orientation;
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageFormat, ImageReader};

use crate::container::{Format, Header, Limits, inspect};
use crate::invisible::{self, Strength};
use crate::key::{Key, Tag};
use crate::refusal::Refusal;
use crate::tile::Tile;
use crate::visible::Visible;

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

/// How well JPEG and WebP are encoded, from 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quality(pub u8);

/// Says whether there is time left, between one piece of work and the next.
#[derive(Clone, Copy)]
pub struct Watch<'a>(pub &'a (dyn Fn() -> bool + Sync));

impl Watch<'_> {
    /// A watch that never ends.
    pub const ENDLESS: Self = Self(&|| true);

    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if (self.0)() { Ok(()) } else { Err(Refusal::TooSlow) }
    }
}

/// A decoded picture: red, green and blue, and perhaps how opaque it is.
#[derive(Clone, Debug)]
pub(crate) struct Pixels {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Bytes a pixel: 3 or 4.
    pub(crate) channels: usize,
    pub(crate) bytes: Vec<u8>,
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

/// Decodes a picture; its colour profile beside it, where one can be kept.
pub(crate) fn decode(
    file: &[u8],
    header: &Header,
    limits: &Limits,
) -> Result<(Pixels, Option<Vec<u8>>), Refusal> {
    let format = match header.format {
        Format::Png => ImageFormat::Png,
        Format::Jpeg => ImageFormat::Jpeg,
        Format::WebP => ImageFormat::WebP,
    };
    let mut bounds = image::Limits::default();
    bounds.max_image_width = Some(header.width);
    bounds.max_image_height = Some(header.height);
    bounds.max_alloc = Some(header.memory().saturating_add(2 * limits.metadata as u64 + (1 << 20)));
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    reader.limits(bounds);
    let mut decoder = reader.into_decoder().map_err(|_| Refusal::Malformed)?;
    if decoder.dimensions() != (header.width, header.height) {
        return Err(Refusal::Malformed);
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().unwrap_or_default().filter(|profile| is_of_rgb(profile));
    let mut image = DynamicImage::from_decoder(decoder).map_err(|_| Refusal::Malformed)?;
    image.apply_orientation(orientation);
    let (width, height) = (image.width(), image.height());
    let (channels, bytes) = match image.color().has_alpha() {
        true => (4, image.into_rgba8().into_raw()),
        false => (3, image.into_rgb8().into_raw()),
    };
    Ok((Pixels { width, height, channels, bytes }, profile))
}

/// Whether a colour profile is one of red, green and blue (ICC.1, section 7.2): what it is written with here.
fn is_of_rgb(profile: &[u8]) -> bool {
    profile.get(16..20) == Some(b"RGB ")
}

fn encode(
    pixels: &Pixels,
    format: Format,
    profile: Option<Vec<u8>>,
    Quality(quality): Quality,
) -> Result<Vec<u8>, Refusal> {
    let Pixels { width, height, channels, bytes } = pixels;
    let mut file = Vec::new();
    let colors = if *channels == 4 { ExtendedColorType::Rgba8 } else { ExtendedColorType::Rgb8 };
    match format {
        Format::Png => {
            let mut encoder =
                PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Adaptive);
            profile.map(|profile| encoder.set_icc_profile(profile));
            encoder.write_image(bytes, *width, *height, colors).map_err(|_| Refusal::Unwritable)?;
        }
        Format::Jpeg => {
            let mut encoder = JpegEncoder::new_with_quality(&mut file, quality.clamp(1, 100));
            profile.map(|profile| encoder.set_icc_profile(profile));
            encoder.write_image(bytes, *width, *height, colors).map_err(|_| Refusal::Unwritable)?;
        }
        Format::WebP => {
            let encoder = match channels {
                4 => webp::Encoder::from_rgba(bytes, *width, *height),
                _ => webp::Encoder::from_rgb(bytes, *width, *height),
            };
            let encoded = encoder.encode_simple(false, f32::from(quality.clamp(1, 100)));
            file.extend_from_slice(&encoded.map_err(|_| Refusal::Unwritable)?);
        }
    }
    Ok(file)
}
