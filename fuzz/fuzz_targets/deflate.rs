//! Compressed messages, hostile and our own.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wicketgate_wire::fuzz::deflate(data));
