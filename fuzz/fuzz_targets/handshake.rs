//! Requests, answers and proxied headers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wicketgate_wire::fuzz::handshake(data));
