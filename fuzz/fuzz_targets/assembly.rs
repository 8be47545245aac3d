//! Messages put together from frames.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wicketgate_wire::fuzz::assembly(data));
