//! Pictures that a watermark cannot be put on: none goes on without one, and none takes the gateway's time or memory.

use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{GrayImage, ImageFormat, Luma};
use wicketgate_testkit::raw::{Ended, Frame, RawClient};

use super::{KEY, LISTENER, Stage, UPSTREAM};

const HONEST: &str = r#"{"text":"hello"}"#;

/// Pictures in base64 get a mark, or their sender is told 4400.
fn config(pictures: &str) -> String {
    let key = "{key: {value: a-key-of-at-least-32-characters!}}";
    let limits = "max_pixels: 4000000, max_size: 512KiB, max_metadata: 64KiB";
    format!(
        "{LISTENER}{UPSTREAM}limits: {{pictures: {{{pictures}}}}}
policies:
  - name: chat
    format: json
    to_upstream:
      - {{then: {{close: 4400}}, watermark: {{paths: picture, {limits}, invisible: {key}}}}}
routes: [{{name: chat, upstream: backend, policy: chat, websocket: {{limits: {{message_size: 2MiB}}}}}}]
"
    )
}

fn file(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    GrayImage::from_pixel(width, height, Luma([99])).write_to(&mut file, format).unwrap();
    file.into_inner()
}

/// A chunk of a PNG, with its check.
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(kind);
    crc.update(data);
    [&(data.len() as u32).to_be_bytes()[..], kind, data, &crc.sum().to_be_bytes()].concat()
}

/// A PNG that says it has this size, whose data inflates to this many zeros.
fn png(width: u32, height: u32, zeros: usize) -> Vec<u8> {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0), zeros as u64), &mut packed).unwrap();
    let head = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
    let data = packed.finish().unwrap();
    let chunks = [chunk(b"IHDR", &head), chunk(b"IDAT", &data), chunk(b"IEND", b"")].concat();
    [b"\x89PNG\r\n\x1a\n", &chunks[..]].concat()
}

fn attacks() -> Vec<(&'static str, Vec<u8>)> {
    let (still, jpeg) = (file(64, 64, ImageFormat::Png), file(64, 64, ImageFormat::Jpeg));
    let webp = file(64, 64, ImageFormat::WebP);
    let with = |chunk: Vec<u8>| [&still[..33], &chunk, &still[33..]].concat();
    let segment = [&[0xff, 0xe1, 0xff, 0xff][..], &[0; 0xfffd]].concat();
    let scan = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0x55];
    let mut frames = [b"ANIM", &[6, 0, 0, 0][..], &[0; 6], &webp[12..]].concat();
    frames.splice(..0, [b"RIFF", &(frames.len() as u32 + 4).to_le_bytes()[..], b"WEBP"].concat());
    let (mut wide, mut high) = (jpeg.clone(), webp.clone());
    let size = jpeg.windows(2).position(|two| two == [0xff, 0xc0]).unwrap() + 5;
    wide[size..size + 4].fill(0xff);
    high[21..25].fill(0xff);
    vec![
        ("a bomb that says its size", png(20_000, 20_000, 64 << 20)),
        ("a bomb that says it is small", png(64, 64, 300 << 20)),
        ("a PNG of 65535 by 65535", png(65_535, 65_535, 100)),
        ("a JPEG of 65535 by 65535", wide),
        ("a WebP of 16384 by 16384", high),
        ("a PNG that is cut off", still[..still.len() - 20].to_vec()),
        ("a PNG whose data is cut off", png(2_000, 2_000, 1_000)),
        ("a JPEG that is cut off", jpeg[..jpeg.len() - 20].to_vec()),
        ("a WebP that is cut off", webp[..webp.len() - 2].to_vec()),
        ("an animated PNG", with(chunk(b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]))),
        ("an animated WebP", frames),
        ("a PNG that is a page too", [&still[..], b"<script>alert(1)</script>"].concat()),
        ("a JPEG that is an archive too", [&jpeg[..], b"PK\x03\x04"].concat()),
        ("text in base64", b"no picture".to_vec()),
        ("a GIF", b"GIF89a\x01\0\x01\0\0\0\0;".to_vec()),
        ("nothing", Vec::new()),
        ("a PNG with a long text", with(chunk(b"tEXt", &vec![b'a'; 100 << 10]))),
        ("a PNG with many texts", with(chunk(b"tEXt", b"a\0b").repeat(2_000))),
        ("a PNG with a text that bursts", with(chunk(b"zTXt", &vec![0; 70 << 10]))),
        ("a JPEG with much EXIF", [&jpeg[..2], &segment.repeat(3), &jpeg[2..]].concat()),
        ("a JPEG with many scans", [&jpeg[..jpeg.len() - 2], &scan.repeat(500), &[0xff, 0xd9]].concat()),
        ("a file that is too large", [&still[..], &vec![0; 600 << 10]].concat()),
    ]
}

async fn is_refused(stage: &Stage, what: &str, picture: &str) {
    let message = format!(r#"{{"text":"see","picture":"{picture}"}}"#);
    let proof = stage.proof("/chat").saying(HONEST);
    let proven = proof.frames(&[Frame::text(message).masked(KEY)], 4400).await;
    proven.unwrap_or_else(|error| panic!("{what}: {error:#}"));
}

#[tokio::test]
async fn what_cannot_be_marked_never_goes_on() {
    let stage = Stage::start(&config("")).await;
    for (what, picture) in attacks() {
        is_refused(&stage, what, &STANDARD.encode(&picture)).await;
    }
    is_refused(&stage, "no base64", "not base64!").await;
    is_refused(&stage, "a URL", "data:image/png,abc").await;
}

/// What can be marked is, in each format, and the messages around it stay as they are.
#[tokio::test]
async fn what_can_be_marked_goes_on_with_its_mark() {
    let stage = Stage::start(&config("")).await;
    let mut client = RawClient::open(&stage.listener(0), "/chat?honest").await.unwrap();
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        let picture = STANDARD.encode(file(200, 100, format));
        client.send_text(&format!(r#"{{"picture":"data:image/any;base64,{picture}"}}"#)).await.unwrap();
        client.send_text(HONEST).await.unwrap();
        let (_, marked) = client.message().await.unwrap();
        let marked = String::from_utf8(marked).unwrap();
        let before = r#"{"picture":"data:image/any;base64,"#;
        let marked = marked.strip_prefix(before).and_then(|rest| rest.strip_suffix(r#""}"#)).unwrap();
        assert_ne!(marked, picture);
        let marked = STANDARD.decode(marked).unwrap();
        assert_eq!(image::guess_format(&marked).unwrap(), format);
        assert_eq!(image::load_from_memory(&marked).unwrap().width(), 200);
        assert_eq!(client.message().await.unwrap().1, HONEST.as_bytes());
    }
    assert_eq!(client.close(1000).await.unwrap(), Ended::Closed(Some(1000)));
}

/// The largest picture that may come, on threads that have no time, and in a pool that has no room for it.
#[tokio::test]
async fn a_picture_that_takes_too_long_or_finds_no_room_never_goes_on() {
    let large = STANDARD.encode(file(2_000, 2_000, ImageFormat::Png));
    for (pictures, class) in [("threads: 1, time: 1ms", "picture_slow"), ("memory: 1MiB", "picture_no_room")]
    {
        let stage = Stage::start(&config(pictures)).await;
        is_refused(&stage, class, &large).await;
        stage.gateway.log(class).await.unwrap();
    }
}
