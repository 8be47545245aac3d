//! What comes on a carrier of a private session before it is attached.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wicketgate_relay::session::fuzz::attach(data));
