//! The files: pcap in either order of bytes, and pcapng.

use std::time::Duration;

use pcap_parser::{
    Block, PcapBlockOwned, PcapNGSlice, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_header,
};

use super::{NoCapture, Packet};

/// Interfaces of one section that are told apart.
const MAX_INTERFACES: usize = 1_000;
const BROKEN_OFF: &str = "the file is broken, or broken off";

/// Takes packets, or why there is none in their place; false where it wants no more.
type Take<'a> = &'a mut dyn FnMut(Result<Packet<'_>, &'static str>) -> bool;

/// Gives the packets of a file in their order.
pub(super) fn packets(data: &[u8], take: Take<'_>) -> Result<(), NoCapture> {
    match data.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
        true => next_generation(data, take),
        false => legacy(data, take),
    }
}

fn legacy(data: &[u8], take: Take<'_>) -> Result<(), NoCapture> {
    let (mut rest, header) = parse_pcap_header(data).map_err(|_| NoCapture)?;
    let frame = if header.is_bigendian() { parse_pcap_frame_be } else { parse_pcap_frame };
    while !rest.is_empty() {
        let Ok((behind, block)) = frame(rest) else {
            take(Err(BROKEN_OFF));
            return Ok(());
        };
        rest = behind;
        let nanoseconds = match header.is_nanosecond_precision() {
            true => block.ts_usec,
            false => block.ts_usec.saturating_mul(1_000),
        };
        let seconds = Duration::from_secs(block.ts_sec.into());
        let time = seconds.checked_add(Duration::from_nanos(nanoseconds.into()));
        if !take(Ok(Packet { link: header.network.0, time, data: block.data })) {
            return Ok(());
        }
    }
    Ok(())
}

/// What a packet's interface says of it.
struct Interface {
    link: i32,
    resolution: u64,
    offset: i64,
}

fn next_generation(data: &[u8], take: Take<'_>) -> Result<(), NoCapture> {
    let blocks = PcapNGSlice::from_slice(data).map_err(|_| NoCapture)?;
    let mut interfaces = Vec::new();
    for block in blocks {
        let Ok(PcapBlockOwned::NG(block)) = block else {
            take(Err(BROKEN_OFF));
            return Ok(());
        };
        let packet = match &block {
            Block::SectionHeader(_) => {
                interfaces.clear();
                continue;
            }
            Block::InterfaceDescription(interface) if interfaces.len() < MAX_INTERFACES => {
                interfaces.push(Interface {
                    link: interface.linktype.0,
                    resolution: interface.ts_resolution().unwrap_or(1_000_000).max(1),
                    offset: interface.if_tsoffset,
                });
                continue;
            }
            Block::EnhancedPacket(packet) => {
                let interface = usize::try_from(packet.if_id).ok().and_then(|id| interfaces.get(id));
                let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let data = packet.data.get(..packet.caplen as usize).unwrap_or(packet.data);
                interface.map(|interface| Packet { link: interface.link, time: interface.time(ticks), data })
            }
            Block::SimplePacket(packet) => {
                let data = packet.data.get(..packet.origlen as usize).unwrap_or(packet.data);
                interfaces.first().map(|interface| Packet { link: interface.link, time: None, data })
            }
            _ => continue,
        };
        if !take(packet.ok_or("a packet of an unknown interface")) {
            return Ok(());
        }
    }
    Ok(())
}

impl Interface {
    fn time(&self, ticks: u64) -> Option<Duration> {
        let seconds = (ticks / self.resolution).checked_add_signed(self.offset)?;
        let nanoseconds = u128::from(ticks % self.resolution) * 1_000_000_000 / u128::from(self.resolution);
        Duration::from_secs(seconds).checked_add(Duration::from_nanos(u64::try_from(nanoseconds).ok()?))
    }
}
