//! Frames in any pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wicketgate_wire::fuzz::frames(data));
