//! What the fuzzer calls: any bytes, as a text and as a key, at every sensitivity.

use super::{Class, Guard, Part, Scan, Sensitivity, Settings};

/// Inspects `data`. Nothing panics, nothing takes more than its budget, and the same text is judged the same again.
pub fn guard(data: &[u8]) {
    for sensitivity in [Sensitivity::Low, Sensitivity::Medium, Sensitivity::High] {
        let guard = Guard::new(&Settings { sensitivity, ..Settings::default() });
        let (mut scan, mut again) = (Scan::default(), Scan::default());
        for part in [Part::Value, Part::Key] {
            scan.reset();
            guard.inspect(part, data, &mut scan);
            guard.inspect(part, data, &mut again);
            assert_eq!(scan.score(), again.score(), "a used scan finds what a new one does");
            again.reset();
            assert!(scan.hits().iter().all(|hit| hit.excerpt().is_ascii()), "an excerpt is fit for logs");
            let over = scan.spent() > (64 << 10) + data.len() as u64 * 128;
            let told = scan.hits().iter().any(|hit| hit.class == Class::Evasion || hit.score > 0);
            assert!(!over || told, "what takes too long is told");
        }
    }
}
