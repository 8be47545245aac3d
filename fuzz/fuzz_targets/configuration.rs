//! Configuration files: any text, read to its problems or to a table of routes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wicketgate_gateway::fuzz::config(data));
