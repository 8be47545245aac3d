//! Pictures decoded within what their header says, and encoded.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::metadata::Orientation;
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageFormat, ImageReader};

use crate::container::{Format, Header, Limits};
use crate::pixels::Pixels;
use crate::refusal::Refusal;

/// How well JPEG and WebP are encoded, from 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quality(pub u8);

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

/// Encodes a picture.
pub(crate) fn encode(
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
