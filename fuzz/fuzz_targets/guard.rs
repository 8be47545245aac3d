//! Texts of messages, as the guard inspects them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wicketgate_policy::guard::fuzz::guard(data));
