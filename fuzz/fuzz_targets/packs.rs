//! Conversations in the protocols that formats know.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wicketgate_policy::fuzz::packs(data));
