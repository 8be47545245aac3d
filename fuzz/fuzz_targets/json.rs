//! JSON messages, read beside serde_json.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wicketgate_policy::fuzz::json(data));
