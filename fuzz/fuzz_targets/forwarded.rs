//! Headers in which trusted proxies tell the client's address.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wicketgate_admission::fuzz::forwarded(data));
