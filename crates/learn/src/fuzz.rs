//! Entry points for fuzzing: any bytes in, a panic where a promise is broken.

use wicketgate_policy::Direction;

use crate::capture::{Bounds, Capture};
use crate::learn::read;
use crate::{Error, Settings, learn, pcap};

/// A capture: whatever stands in it, what is learnt is a policy, and it passes what could be read.
pub fn capture(data: &[u8]) {
    let bounds = Bounds { messages: 40, bytes: 1 << 14 };
    let Ok(capture) = Capture::read(data, Direction::ToUpstream, bounds) else { return };
    let settings = Settings { min_count: 2, ..Settings::default() };
    match learn(&capture.lines, &settings) {
        Ok(learned) => {
            assert!(read(&learned.text).is_ok());
            // A clock that goes back is not what rates are learnt of.
            let refused = learned.refused.keys().find(|found| !found.starts_with("rate"));
            assert!(refused.is_none(), "{refused:?}: {}", learned.text);
        }
        Err(Error::Written(report)) => panic!("{report:?}"),
        Err(_) => {}
    }
}

/// A packet capture: what comes out of it is within its bounds.
pub fn packets(data: &[u8]) {
    let bounds = Bounds { messages: 100, bytes: 1 << 20 };
    let Ok(traffic) = pcap::read(data, bounds) else { return };
    let bytes: usize = traffic.capture.lines.iter().map(|line| line.payload.len()).sum();
    assert!(traffic.capture.lines.len() <= bounds.messages && bytes as u64 <= bounds.bytes);
}
