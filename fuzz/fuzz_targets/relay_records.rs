//! Records of a private session, in any pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wicketgate_relay::session::fuzz::records(data));
