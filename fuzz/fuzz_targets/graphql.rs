//! GraphQL documents.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wicketgate_policy::fuzz::graphql(data));
