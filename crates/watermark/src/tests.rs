//! Pictures marked and read again, and files that are refused.

#![allow(clippy::unwrap_used)]

use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageFormat, RgbImage};

use crate::testing::{LIMITS, file, picture};
use crate::*;

fn invisible(key: &Key, tag: Tag) -> Marks<'_> {
    Marks { visible: None, invisible: Some((key, tag, Strength::DEFAULT)), quality: Quality(90) }
}

fn psnr(one: &RgbImage, other: &RgbImage) -> f64 {
    let squares = one.iter().zip(other.iter()).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    let mean = squares.sum::<f64>() / one.len() as f64;
    10.0 * (255.0 * 255.0 / mean).log10()
}

/// Crops a tenth of each side, scales to three quarters, and encodes as JPEG of quality 75.
fn abused(file: &[u8]) -> Vec<u8> {
    let image = image::load_from_memory(file).unwrap().to_rgb8();
    let (width, height) = image.dimensions();
    let part =
        imageops::crop_imm(&image, width / 20, height / 15, width * 9 / 10, height * 9 / 10).to_image();
    let (wide, high) = (part.width() * 3 / 4, part.height() * 3 / 4);
    let small = imageops::resize(&part, wide, high, FilterType::CatmullRom);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 75).encode_image(&DynamicImage::from(small)).unwrap();
    jpeg
}

#[test]
fn every_format_keeps_its_mark_and_hides_it() {
    let (key, tag) = (Key::new(b"secret"), Tag(0xfeed_f00d_dead_beef));
    let original = picture(512, 384);
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        let came = file(&original, format);
        let marked = mark(&came, &invisible(&key, tag), &LIMITS, &Watch::ENDLESS).unwrap();
        assert_eq!(image::guess_format(&marked).unwrap(), format);
        let found = read(&marked, &key, &LIMITS, &Watch::ENDLESS).unwrap();
        assert_eq!(found.map(|found| found.tag), Some(tag), "{format:?}");
        assert_eq!(read(&came, &key, &LIMITS, &Watch::ENDLESS).unwrap(), None);
        assert_eq!(read(&marked, &Key::new(b"other"), &LIMITS, &Watch::ENDLESS).unwrap(), None);
        if format == ImageFormat::Png {
            let marked = image::load_from_memory(&marked).unwrap().to_rgb8();
            assert!(psnr(&original, &marked) > 38.0, "{}", psnr(&original, &marked));
        }
    }
}

#[test]
fn a_mark_outlives_a_crop_a_smaller_size_and_jpeg() {
    let (key, tag) = (Key::new(b"secret"), Tag(1));
    let came = file(&picture(640, 427), ImageFormat::Png);
    let marked = mark(&came, &invisible(&key, tag), &LIMITS, &Watch::ENDLESS).unwrap();
    let found = read(&abused(&marked), &key, &LIMITS, &Watch::ENDLESS).unwrap().unwrap();
    assert_eq!(found.tag, tag);
    assert!((found.scale - 0.75).abs() < 0.01, "{found:?}");
}

#[test]
fn a_mark_is_found_at_a_size_that_nobody_foresaw() {
    let (key, tag) = (Key::new(b"secret"), Tag(2));
    let came = file(&picture(900, 700), ImageFormat::Png);
    let marked = mark(&came, &invisible(&key, tag), &LIMITS, &Watch::ENDLESS).unwrap();
    let marked = image::load_from_memory(&marked).unwrap().to_rgb8();
    for (width, height) in [(747, 581), (1107, 861)] {
        let scaled = imageops::resize(&marked, width, height, FilterType::CatmullRom);
        let found = read(&file(&scaled, ImageFormat::Png), &key, &LIMITS, &Watch::ENDLESS).unwrap().unwrap();
        assert_eq!(found.tag, tag);
        assert!((found.scale - width as f32 / 900.0).abs() < 0.01, "{found:?}");
    }
}

const DEJAVU: &str = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf";

fn visible(placement: Placement) -> Visible {
    let font = Font::new(std::fs::read(DEJAVU).unwrap()).unwrap();
    Visible { font, look: Look { placement, size: 8, opacity: 60, angle: 20, color: [255; 3] } }
}

#[test]
fn text_is_seen_in_every_script_and_place() {
    let came = file(&picture(400, 300), ImageFormat::Png);
    let before = image::load_from_memory(&came).unwrap().to_rgb8();
    let scripts = [
        "ann 2026-01-02",
        "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
        "\u{645}\u{631}\u{62d}\u{628}\u{627} ann",
        "e\u{301}\u{302}\u{323}",
        "\u{1f600}\u{e000}\u{4e2d}",
    ];
    for text in scripts {
        for placement in [Placement::Tiled, Placement::Center, Placement::TopLeft, Placement::BottomRight] {
            let visible = visible(placement);
            let marks = Marks { visible: Some((&visible, text)), invisible: None, quality: Quality(90) };
            let marked = mark(&came, &marks, &LIMITS, &Watch::ENDLESS).unwrap();
            let after = image::load_from_memory(&marked).unwrap().to_rgb8();
            let changed = before.pixels().zip(after.pixels()).filter(|(one, other)| one != other).count();
            assert!(changed > 100, "{text:?} {placement:?}: {changed}");
        }
    }
    // The glyphs of Arabic letters depend on their neighbours: joined, they are narrower than apart.
    let font = visible(Placement::Center).font;
    let joined = font.shape("\u{645}\u{631}\u{62d}\u{628}\u{627}").width;
    let apart: f32 =
        ["\u{645}", "\u{631}", "\u{62d}", "\u{628}", "\u{627}"].map(|one| font.shape(one).width).iter().sum();
    assert!(joined < apart * 0.95, "{joined} {apart}");
    // A combining accent takes no room of its own.
    assert_eq!(font.shape("e\u{301}").width, font.shape("\u{e9}").width);
}

#[test]
fn the_longest_text_on_the_smallest_picture_stays_in_it() {
    let (visible, key) = (visible(Placement::Tiled), Key::new(b"k"));
    for (width, height) in [(1, 1), (1, 300), (2000, 2)] {
        let came = file(&picture(width, height), ImageFormat::Png);
        let text = "\u{645}W".repeat(128);
        let marks = Marks { visible: Some((&visible, &text)), ..invisible(&key, Tag(1)) };
        let marked = mark(&came, &marks, &LIMITS, &Watch::ENDLESS).unwrap();
        let after = image::load_from_memory(&marked).unwrap();
        assert_eq!((after.width(), after.height()), (width, height));
    }
    assert_eq!(Font::new(vec![0; 1000]).unwrap_err(), BadFont);
}

/// A chunk of a PNG.
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u32).to_be_bytes();
    [&length, &kind[..], data, &[0; 4]].concat()
}

#[test]
fn what_is_no_still_picture_of_its_size_is_refused_before_it_is_decoded() {
    let png = file(&picture(64, 48), ImageFormat::Png);
    let jpeg = file(&picture(64, 48), ImageFormat::Jpeg);
    let webp = file(&picture(64, 48), ImageFormat::WebP);
    let refused = |file: &[u8]| inspect(file, &LIMITS).unwrap_err();
    for file in [&png, &jpeg, &webp] {
        assert_eq!(inspect(file, &LIMITS).map(|header| (header.width, header.height)), Ok((64, 48)));
        for end in 12..file.len() {
            assert!(
                mark(&file[..end], &invisible(&Key::new(b"k"), Tag(1)), &LIMITS, &Watch::ENDLESS).is_err()
            );
        }
        assert_eq!(refused(&[file, &b"<script>"[..]].concat()), Refusal::Trailing);
    }
    let mut huge = png.clone();
    huge[16..24].copy_from_slice(&[0, 0, 255, 255, 0, 0, 255, 255]);
    assert_eq!(refused(&huge), Refusal::TooManyPixels);
    let mut none = png.clone();
    none[16..20].fill(0);
    assert_eq!(refused(&none), Refusal::Empty);
    let with = |chunk: Vec<u8>| [&png[..33], &chunk[..], &png[33..]].concat();
    assert_eq!(refused(&with(chunk(b"acTL", &[0; 8]))), Refusal::Animated);
    assert_eq!(refused(&with(chunk(b"tEXt", &vec![b'a'; 65 << 10]))), Refusal::Metadata);
    assert_eq!(refused(&with(chunk(b"tEXt", b"").repeat(1_001))), Refusal::Metadata);
    let segment = [&[0xff, 0xe1, 0xff, 0xff][..], &[0; 0xfffd]].concat();
    assert_eq!(refused(&[&jpeg[..2], &segment.repeat(2), &jpeg[2..]].concat()), Refusal::Metadata);
    let scan = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0x55];
    let scans = [&jpeg[..jpeg.len() - 2], &scan.repeat(32), &[0xff, 0xd9]].concat();
    assert_eq!(refused(&scans), Refusal::TooManyScans);
    let frames = [b"ANIM", &[6, 0, 0, 0][..], &[0; 6], &webp[12..]].concat();
    let mut animated = [b"RIFF", &(frames.len() as u32 + 4).to_le_bytes()[..], b"WEBP", &frames].concat();
    assert_eq!(refused(&animated), Refusal::Animated);
    animated[4] += 1;
    assert_eq!(refused(&animated), Refusal::Truncated);
    assert_eq!(refused(b"GIF89a"), Refusal::Unknown);
    assert_eq!(refused(&[&png[..], &vec![0; 16 << 20]].concat()), Refusal::TooLarge);
}

#[test]
fn work_stops_where_its_time_is_over() {
    let came = file(&picture(64, 48), ImageFormat::Png);
    let (key, left) = (Key::new(b"k"), std::sync::atomic::AtomicUsize::new(2));
    let is_left = || left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) > 0;
    let refused = mark(&came, &invisible(&key, Tag(1)), &LIMITS, &Watch(&is_left)).unwrap_err();
    assert_eq!(refused, Refusal::TooSlow);
}

#[test]
fn a_picture_is_turned_as_it_is_to_be_seen() {
    let jpeg = file(&picture(64, 48), ImageFormat::Jpeg);
    // EXIF with one entry: an orientation of 6, a quarter to the right.
    let tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let exif = [b"Exif\0\0", &tiff[..]].concat();
    let length = (exif.len() as u16 + 2).to_be_bytes();
    let turned = [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..]].concat();
    let marked = mark(&turned, &invisible(&Key::new(b"k"), Tag(1)), &LIMITS, &Watch::ENDLESS).unwrap();
    let header = inspect(&marked, &LIMITS).unwrap();
    assert_eq!((header.width, header.height), (48, 64));
    assert!(!marked.windows(4).any(|four| four == b"Exif"));
}
