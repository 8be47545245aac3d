//! What marking costs, and what of the mark is left: for each photograph of a folder, a line of a table.
//!
//! `cargo run --release -p wicketgate-watermark --example marks -- FOLDER`

#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::time::{Duration, Instant};

use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageFormat, RgbImage};
use wicketgate_watermark::{Key, Limits, Marks, Quality, Strength, Tag, Watch, mark, read};

const LIMITS: Limits = Limits { size: 64 << 20, pixels: 100_000_000, metadata: 16 << 20 };

fn main() {
    let folder = std::env::args().nth(1).unwrap();
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    println!(
        "| photograph | pixels | marked in, ms | PSNR, dB | JPEG 75 | crop | 0.75 | all three | read in, ms |"
    );
    println!("|---|---|---:|---:|---|---|---|---|---:|");
    let (key, tag) = (Key::new(b"the key of a benchmark"), Tag(0x0123_4567_89ab_cdef));
    for path in paths {
        let file = fs::read(&path).unwrap();
        let picture = image::load_from_memory(&file).unwrap().to_rgb8();
        let marks =
            Marks { visible: None, invisible: Some((&key, tag, Strength::DEFAULT)), quality: Quality(90) };
        let (marked, took) = timed(|| mark(&file, &marks, &LIMITS, &Watch::ENDLESS).unwrap());
        // Without what the encoder does to it.
        let plain = encoded(&picture, ImageFormat::Png);
        let plain = mark(&plain, &marks, &LIMITS, &Watch::ENDLESS).unwrap();
        let noise = psnr(&picture, &image::load_from_memory(&plain).unwrap().to_rgb8());
        let came = image::load_from_memory(&marked).unwrap().to_rgb8();
        let worn = [jpeg(&came), encoded(&cropped(&came), ImageFormat::Png)];
        let worn = worn.into_iter().chain([encoded(&smaller(&came), ImageFormat::Png)]);
        let (mut cells, mut last) = (Vec::new(), Duration::ZERO);
        for worn in worn.chain([jpeg(&smaller(&cropped(&came)))]) {
            let (found, took) = timed(|| read(&worn, &key, &LIMITS, &Watch::ENDLESS).unwrap());
            cells.push(match found {
                Some(found) if found.tag == tag => format!("{:.1}", found.clarity),
                Some(_) => "wrong".into(),
                None => "-".into(),
            });
            last = took;
        }
        let (width, height) = picture.dimensions();
        println!(
            "| {} | {width}x{height} | {} | {noise:.1} | {} | {} |",
            path.file_name().unwrap().to_string_lossy(),
            took.as_millis(),
            cells.join(" | "),
            last.as_millis()
        );
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    (work(), began.elapsed())
}

fn psnr(one: &RgbImage, other: &RgbImage) -> f64 {
    let squares = one.iter().zip(other.iter()).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    10.0 * (255.0 * 255.0 / (squares.sum::<f64>() / one.len() as f64)).log10()
}

fn cropped(image: &RgbImage) -> RgbImage {
    let (width, height) = image.dimensions();
    imageops::crop_imm(image, width / 20, height / 15, width * 9 / 10, height * 9 / 10).to_image()
}

fn smaller(image: &RgbImage) -> RgbImage {
    imageops::resize(image, image.width() * 3 / 4, image.height() * 3 / 4, FilterType::CatmullRom)
}

fn jpeg(image: &RgbImage) -> Vec<u8> {
    let mut file = Vec::new();
    let picture = DynamicImage::from(image.clone());
    JpegEncoder::new_with_quality(&mut file, 75).encode_image(&picture).unwrap();
    file
}

fn encoded(image: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    DynamicImage::from(image.clone()).write_to(&mut file, format).unwrap();
    file.into_inner()
}
