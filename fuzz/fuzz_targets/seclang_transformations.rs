//! A text, as every transformation makes it.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wicketgate_seclang::fuzz::transformations(input));
