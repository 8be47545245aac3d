//! Frames of text as a client sends them: found, and checked as UTF-8.

use std::hint::black_box;

use anyhow::{Context, Result, ensure};
use wicketgate_wire::{Event, FrameLimits, Role, Rsv, Scanner, Utf8Stream, mask};

const FRAMES: usize = 16;
const KEY: [u8; 4] = [0x9e, 0x37, 0x79, 0xb9];
const LIMITS: FrameLimits = FrameLimits { frame: 1 << 20, message: 1 << 20, fragments: 16 };

/// Frames of ASCII of so many bytes, 16 at a time.
pub(crate) fn scan(size: usize, times: u32) -> Result<()> {
    run(&"a session of the gateway ".repeat(size)[..size], times)
}

/// Frames of 1 KiB, not all of it ASCII.
pub(crate) fn scan_utf8(times: u32) -> Result<()> {
    run(&"une journ\u{e9}e en \u{e9}t\u{e9} ".repeat(54), times)
}

fn run(text: &str, times: u32) -> Result<()> {
    let bytes = frames(text);
    let mut scratch = [0; 4096];
    for _ in 0..times {
        ensure!(read(black_box(&bytes), &mut scratch)? == FRAMES, "messages are missing");
    }
    Ok(())
}

/// How many messages end in these bytes.
fn read(bytes: &[u8], scratch: &mut [u8]) -> Result<usize> {
    let mut scanner = Scanner::new(Role::Client, Rsv::NONE);
    let (mut text, mut at, mut messages) = (Utf8Stream::default(), 0, 0);
    let scratch = std::cell::RefCell::new(scratch);
    while let Some(event) = scanner.next(&LIMITS, bytes, &mut at)? {
        let Event::Data(piece) = event else { continue };
        let key = piece.mask.unwrap_or_default();
        let borrowed = || std::cell::RefMut::map(scratch.borrow_mut(), |scratch| &mut **scratch);
        let payload = &bytes[piece.payload.clone()];
        text.push_masked(payload, key, piece.phase, borrowed).ok().context("no UTF-8")?;
        if piece.ends_message {
            text.finish().ok().context("no UTF-8")?;
            messages += 1;
        }
    }
    Ok(messages)
}

/// Masked frames with this text.
fn frames(text: &str) -> Vec<u8> {
    let mut payload = text.as_bytes().to_vec();
    mask::apply(&mut payload, KEY, 0);
    let mut frame = vec![0x81];
    match u8::try_from(payload.len()) {
        Ok(short @ ..=125) => frame.push(0x80 | short),
        _ => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(payload.len() as u16).to_be_bytes());
        }
    }
    frame.extend_from_slice(&KEY);
    frame.append(&mut payload);
    frame.repeat(FRAMES)
}
