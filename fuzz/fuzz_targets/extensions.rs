//! Header lists of extensions and subprotocols.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wicketgate_wire::fuzz::extensions(data));
