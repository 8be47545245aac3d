//! Rules as files have them, read and asked.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wicketgate_seclang::fuzz::rules(input));
