//! A pattern and a text: both ways of matching agree.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wicketgate_seclang::fuzz::operators(input));
