//! A packet's layers, by etherparse, down to a segment of TCP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};

use super::Packet;

/// The link types, as <https://www.tcpdump.org/linktypes.html> has them.
mod kind {
    pub(super) const NULL: i32 = 0;
    pub(super) const ETHERNET: i32 = 1;
    pub(super) const RAW: i32 = 101;
    pub(super) const LOOP: i32 = 108;
    pub(super) const LINUX_SLL: i32 = 113;
    pub(super) const IPV4: i32 = 228;
    pub(super) const IPV6: i32 = 229;
    pub(super) const LINUX_SLL2: i32 = 276;
}

const SHORT: &str = "packets that are cut short";

/// A segment of TCP.
pub(super) struct Segment<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) sequence: u32,
    pub(super) syn: bool,
    pub(super) ack: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    pub(super) payload: &'a [u8],
}

/// The segment in a packet; none in one of another protocol.
pub(super) fn segment<'a>(packet: &Packet<'a>) -> Result<Option<Segment<'a>>, &'static str> {
    let data = packet.data;
    let behind = |length: usize| data.get(length..).ok_or(SHORT);
    let protocol = |at: usize| match data.get(at..at + 2) {
        Some([high, low]) => Ok(EtherType(u16::from_be_bytes([*high, *low]))),
        _ => Err(SHORT),
    };
    let sliced = match packet.link {
        kind::ETHERNET => LaxSlicedPacket::from_ethernet(data).map_err(|_| SHORT)?,
        kind::NULL | kind::LOOP => LaxSlicedPacket::from_ip(behind(4)?).map_err(|_| SHORT)?,
        kind::RAW | kind::IPV4 | kind::IPV6 => LaxSlicedPacket::from_ip(data).map_err(|_| SHORT)?,
        kind::LINUX_SLL => LaxSlicedPacket::from_ether_type(protocol(14)?, behind(16)?),
        kind::LINUX_SLL2 => LaxSlicedPacket::from_ether_type(protocol(0)?, behind(20)?),
        _ => return Err("packets of a link type that is not known"),
    };
    let (source, destination, payload): (IpAddr, IpAddr, _) = match &sliced.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            let (from, to) = (Ipv4Addr::from(header.source()), Ipv4Addr::from(header.destination()));
            (from.into(), to.into(), ip.payload())
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            let (from, to) = (Ipv6Addr::from(header.source()), Ipv6Addr::from(header.destination()));
            (from.into(), to.into(), ip.payload())
        }
        _ => return Ok(None),
    };
    if payload.fragmented {
        return Err("fragments of IP packets");
    }
    let Some(TransportSlice::Tcp(tcp)) = &sliced.transport else {
        return if payload.incomplete { Err(SHORT) } else { Ok(None) };
    };
    // What is missing is a gap in the stream, which shows where it matters.
    let payload = if payload.incomplete { &[] } else { tcp.payload() };
    Ok(Some(Segment {
        from: SocketAddr::new(source, tcp.source_port()),
        to: SocketAddr::new(destination, tcp.destination_port()),
        sequence: tcp.sequence_number(),
        syn: tcp.syn(),
        ack: tcp.ack(),
        fin: tcp.fin(),
        rst: tcp.rst(),
        payload,
    }))
}
