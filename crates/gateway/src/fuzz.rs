//! What the fuzzer calls: each function takes any bytes, and must neither panic nor take more than its bounds allow.

use crate::config::{self, Style};
use crate::listener::fuzz_proxy_header;

pub use wicketgate_telemetry::fuzz::trace_context;

/// Reads a configuration and shows its problems. Nothing outside the bytes is read.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lookup = |name: &str| (name.len() < 4).then(|| name.to_lowercase());
    match config::parse("fuzz.yaml", text, &lookup) {
        Ok((config, report)) => {
            assert_eq!(report.errors(), 0);
            drop(config.route_table());
            drop(report.render(Style::Colour));
        }
        Err(report) => {
            assert_ne!(report.errors(), 0, "what cannot be used says why");
            drop(report.render(Style::Plain));
        }
    }
}

/// Recognises a PROXY protocol header.
pub fn proxy_header(data: &[u8]) {
    fuzz_proxy_header(data);
}
