//! The files: pcap in either order of bytes, and pcapng.

use std::time::Duration;

use pcap_parser::{
    Block, parse_block_be, parse_block_le, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_header,
};

use super::{NoCapture, Packet};

/// Interfaces of one section that are told apart.
const MAX_INTERFACES: usize = 1_000;
const BROKEN_OFF: &str = "the file is broken, or broken off";
/// What a section begins with, the same in either order of bytes.
const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// What begins a section whose numbers have their highest byte first.
const BIG_ENDIAN: [u8; 4] = [0x1a, 0x2b, 0x3c, 0x4d];

/// Takes packets, or why there is none in their place; false where it wants no more.
type Take<'a> = &'a mut dyn FnMut(Result<Packet<'_>, &'static str>) -> bool;

/// Gives the packets of a file in their order.
pub(super) fn packets(data: &[u8], take: Take<'_>) -> Result<(), NoCapture> {
    match data.starts_with(&SECTION_HEADER) {
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
    let mut blocks = Blocks { rest: data, is_big_endian: false };
    let mut interfaces = Vec::new();
    // Without a whole section there is nothing to be broken off.
    let Some(Ok(Some(Block::SectionHeader(_)))) = blocks.next() else { return Err(NoCapture) };
    for block in blocks {
        let block = match block {
            Ok(Some(block)) => block,
            Ok(None) => continue,
            Err(BrokenOff) => {
                take(Err(BROKEN_OFF));
                return Ok(());
            }
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

/// The blocks of a file (draft-ietf-opsawg-pcapng, section 3.1): those that say something of packets; `None` in place of any other, which
/// is not looked into.
struct Blocks<'a> {
    rest: &'a [u8],
    is_big_endian: bool,
}

struct BrokenOff;

impl<'a> Iterator for Blocks<'a> {
    type Item = Result<Option<Block<'a>>, BrokenOff>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.rest.is_empty()).then(|| self.block().ok_or(BrokenOff))
    }
}

impl<'a> Blocks<'a> {
    fn block(&mut self) -> Option<Option<Block<'a>>> {
        let word = |at| self.rest.get(at..at + 4)?.try_into().ok();
        let (kind, length): ([u8; 4], [u8; 4]) = (word(0)?, word(4)?);
        if kind == SECTION_HEADER {
            self.is_big_endian = word(8)? == BIG_ENDIAN;
        }
        let number = if self.is_big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
        let (block, rest) = self.rest.split_at_checked(usize::try_from(number(length)).ok()?)?;
        if block.is_empty() {
            return None;
        }
        self.rest = rest;
        if kind != SECTION_HEADER && !matches!(number(kind), 1 | 3 | 6) {
            return Some(None);
        }
        let parse = if self.is_big_endian { parse_block_be } else { parse_block_le };
        parse(block).ok().map(|(_, block)| Some(block))
    }
}

impl Interface {
    fn time(&self, ticks: u64) -> Option<Duration> {
        let seconds = (ticks / self.resolution).checked_add_signed(self.offset)?;
        let nanoseconds = u128::from(ticks % self.resolution) * 1_000_000_000 / u128::from(self.resolution);
        Duration::from_secs(seconds).checked_add(Duration::from_nanos(u64::try_from(nanoseconds).ok()?))
    }
}
