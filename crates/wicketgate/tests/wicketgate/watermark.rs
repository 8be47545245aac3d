//! Marks from outside: who got a picture is known by it, messages keep their order, and nobody else waits.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, ImageFormat, Luma};
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::peers;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::Ready;
use wicketgate_testkit::raw::{EchoBackend, Endpoint, RawClient, opcode};

use crate::cli::wicketgate;

const BINARY: &str = env!("CARGO_BIN_EXE_wicketgate");

/// A gateway on one thread, which marks what comes back from an echo.
struct Stage {
    gateway: Gateway,
    port: Port,
    dir: Dir,
    _backend: EchoBackend,
}

impl Stage {
    async fn start() -> Self {
        let backend = EchoBackend::start().await.unwrap();
        let (port, dir) = (Port::free().unwrap(), Dir::new().unwrap());
        let (code, key, _) = wicketgate(dir.path(), &["watermark", "keygen"]);
        assert_eq!((code, key.trim().len()), (0, 44));
        dir.write("mark.key", key).unwrap();
        let config = format!(
            "listeners: [{{name: l, bind: \"{}\"}}]\nupstreams: [{{name: u, targets: [\"ws://{}\"]}}]\n\
             runtime: {{threads: 1}}\nlimits: {{pictures: {{time: 60s}}}}\nlog: {{format: json}}\n\
             policies:\n  - name: p\n    format: binary\n    to_client:\n      - watermark: \
             {{others: pass, max_size: 64MiB, invisible: {{key: {{file: {}}}}}}}\n\
             routes: [{{name: r, upstream: u, policy: p, websocket: {{limits: {{message_size: 16MiB}}}}}}]\n",
            port.addr(),
            backend.addr().unwrap(),
            dir.join("mark.key").display(),
        );
        let gateway = Gateway::start(BINARY, &config, Ready::port(port.addr())).await.unwrap();
        Self { gateway, port, dir, _backend: backend }
    }

    async fn client(&self) -> RawClient {
        RawClient::open(&Endpoint::plain(self.port.addr()), "/").await.unwrap()
    }

    /// What `wicketgate watermark read` says of a picture.
    fn read(&self, picture: &[u8]) -> (i32, String) {
        self.dir.write("picture", picture).unwrap();
        let (code, said, _) = wicketgate(
            self.dir.path(),
            &["watermark", "read", "picture", "--key-file", "mark.key", "--json"],
        );
        (code, said)
    }
}

fn flat(side: u32) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    GrayImage::from_fn(side, side, |x, y| Luma([(x / 3 + y / 5) as u8 / 2 + 60]))
        .write_to(&mut file, ImageFormat::Png)
        .unwrap();
    file.into_inner()
}

async fn binary(client: &mut RawClient) -> Vec<u8> {
    let (kind, message) = client.message().await.unwrap();
    assert_eq!(kind, opcode::BINARY);
    message
}

#[tokio::test]
async fn messages_keep_their_order_and_other_sessions_go_on() {
    let stage = Stage::start().await;
    let (mut one, mut other) = (stage.client().await, stage.client().await);
    let picture = flat(2_000);
    for message in [b"\0before", &picture[..], b"\0between", &picture, b"\0behind"] {
        one.send_binary(message).await.unwrap();
    }
    assert_eq!(binary(&mut one).await, b"\0before");
    // Four million pixels take longer than an echo: the one thread goes on meanwhile.
    for _ in 0..10 {
        other.send_binary(b"\0another").await.unwrap();
        assert_eq!(binary(&mut other).await, b"\0another");
    }
    assert!(one.unread().is_empty());
    let first = binary(&mut one).await;
    assert_eq!(binary(&mut one).await, b"\0between");
    let second = binary(&mut one).await;
    assert_eq!(binary(&mut one).await, b"\0behind");
    assert!(first != picture && first == second);
}

#[tokio::test]
async fn a_mark_leads_to_the_session_that_the_picture_was_for() {
    let stage = Stage::start().await;
    let picture = flat(600);
    let mut marks = Vec::new();
    for _ in 0..2 {
        let mut client = stage.client().await;
        client.send_binary(&picture).await.unwrap();
        let (code, said) = stage.read(&binary(&mut client).await);
        assert_eq!(code, 0, "{said}");
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        let mark = said["mark"].as_str().unwrap().to_owned();
        let log = stage.gateway.log(&mark).await.unwrap();
        let line = log.lines().find(|line| line.contains(&mark)).unwrap();
        assert!(line.contains("message.finding") && line.contains("watermarked"), "{line}");
        marks.push(mark);
    }
    assert_ne!(marks[0], marks[1]);
    assert_eq!(stage.read(&picture), (1, "{\"mark\":null}\n".into()));
    assert_eq!(stage.read(b"no picture").0, 2);
}

/// A tenth of each side cut off, scaled to three quarters, and encoded as JPEG of quality 75.
fn worn(picture: &[u8]) -> Vec<u8> {
    let image = image::load_from_memory(picture).unwrap().to_rgb8();
    let (width, height) = image.dimensions();
    let part =
        imageops::crop_imm(&image, width / 20, height / 15, width * 9 / 10, height * 9 / 10).to_image();
    let small = imageops::resize(&part, part.width() * 3 / 4, part.height() * 3 / 4, FilterType::CatmullRom);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 75).encode_image(&DynamicImage::from(small)).unwrap();
    jpeg
}

fn photographs() -> Vec<PathBuf> {
    let packages = peers::python_packages().unwrap();
    let of = |folder: &str, names: &[&str]| {
        names.iter().map(|name| packages.join(folder).join(name)).collect::<Vec<_>>()
    };
    let names = ["astronaut.png", "camera.png", "chelsea.png", "coffee.png", "motorcycle_left.png"];
    let mut all = of("skimage/data", &names);
    all.extend(of("skimage/data", &["rocket.jpg", "hubble_deep_field.jpg", "coins.png"]));
    all.extend(of("sklearn/datasets/images", &["china.jpg", "flower.jpg"]));
    all
}

/// Photographs as they come in packages, from 384 by 303 pixels to 1000 by 872.
#[tokio::test]
async fn marks_are_found_in_nine_of_ten_photographs_after_jpeg_crop_and_scaling_together() {
    let stage = Stage::start().await;
    let mut client = stage.client().await;
    let (mut found, mut first) = (0, None);
    let photographs = photographs();
    assert_eq!(photographs.len(), 10);
    for photograph in &photographs {
        let picture = fs::read(photograph).unwrap();
        client.send_binary(&picture).await.unwrap();
        let marked = binary(&mut client).await;
        let (code, said) = stage.read(&marked);
        assert_eq!(code, 0, "{}: {said}", photograph.display());
        let mark = serde_json::from_str::<serde_json::Value>(&said).unwrap()["mark"].clone();
        assert_eq!(first.get_or_insert(mark.clone()), &mark);
        let (code, said) = stage.read(&worn(&marked));
        let is_found = code == 0 && said.contains(mark.as_str().unwrap());
        println!("{}: {}", photograph.display(), said.trim());
        found += u32::from(is_found);
        assert_eq!(stage.read(&worn(&picture)).0, 1, "{}", photograph.display());
    }
    assert!(found >= 9, "{found} of {}", photographs.len());
}

/// A policy's pictures in base64, as the example has them: marked where they stand, and dropped where they are none.
#[tokio::test]
async fn the_example_marks_pictures_in_json() {
    let (backend, port) = (EchoBackend::start().await.unwrap(), Port::free().unwrap());
    let example = include_str!("../../../../examples/watermark/wicketgate.yaml");
    let config = example
        .replace("127.0.0.1:8080", &port.addr().to_string())
        .replace("127.0.0.1:9000", &backend.addr().unwrap().to_string());
    let _gateway = Gateway::start(BINARY, &config, Ready::port(port.addr())).await.unwrap();
    let mut client = RawClient::open(&Endpoint::plain(port.addr()), "/archive").await.unwrap();
    let picture = STANDARD.encode(flat(300));
    let message = |scan: &str| format!(r#"{{"pages":[{{"scan":"{scan}" , "n":1.0}}]}}"#);
    client.send_text(&message(&picture)).await.unwrap();
    client.send_text(r#"{"preview":"aGVsbG8="}"#).await.unwrap();
    let (_, marked) = client.message().await.unwrap();
    let marked = String::from_utf8(marked).unwrap();
    let (before, behind) = (r#"{"pages":[{"scan":""#, r#"" , "n":1.0}]}"#);
    let scan = marked.strip_prefix(before).and_then(|rest| rest.strip_suffix(behind)).unwrap();
    assert_ne!(scan, picture);
    let scan = image::load_from_memory(&STANDARD.decode(scan).unwrap()).unwrap();
    assert_eq!((scan.width(), scan.height()), (300, 300));
    // What is no picture was dropped, and the session goes on.
    client.echoes(r#"{"text":"next"}"#).await.unwrap();
}
