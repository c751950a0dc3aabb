//! From a captured frame to the UDP datagram in it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use pcap_parser::Linktype;

use super::Datagram;

/// Header lengths of Linux cooked captures and of BSD loopback, and where the
/// cooked ones keep the EtherType (libpcap's LINKTYPE_LINUX_SLL, _SLL2, _NULL).
const COOKED: (usize, usize) = (16, 14);
const COOKED_2: (usize, usize) = (20, 0);
const LOOPBACK_LEN: usize = 4;
/// Raw IP as some systems write it (DLT_RAW).
const RAW_DLT: [Linktype; 2] = [Linktype(12), Linktype(14)];

pub(super) fn is_supported(link: Linktype) -> bool {
    RAW_DLT.contains(&link)
        || matches!(
            link,
            Linktype::ETHERNET
                | Linktype::LINUX_SLL
                | Linktype::LINUX_SLL2
                | Linktype::RAW
                | Linktype::IPV4
                | Linktype::IPV6
                | Linktype::NULL
                | Linktype::LOOP
        )
}

/// The UDP datagram of a frame, if it is one and whole.
pub(super) fn datagram(link: Linktype, at: Duration, frame: &[u8]) -> Option<Datagram<'_>> {
    let packet = slice(link, frame)?;
    let (from, to, fragmented) = match packet.net? {
        LaxNetSlice::Ipv4(ip) => (
            IpAddr::V4(ip.header().source_addr()),
            IpAddr::V4(ip.header().destination_addr()),
            ip.payload().fragmented,
        ),
        LaxNetSlice::Ipv6(ip) => (
            IpAddr::V6(ip.header().source_addr()),
            IpAddr::V6(ip.header().destination_addr()),
            ip.payload().fragmented,
        ),
        _ => return None,
    };
    let Some(TransportSlice::Udp(udp)) = packet.transport else {
        return None;
    };
    (!fragmented).then(|| Datagram {
        at,
        source: SocketAddr::new(from, udp.source_port()),
        destination: SocketAddr::new(to, udp.destination_port()),
        payload: udp.payload(),
    })
}

fn slice(link: Linktype, frame: &[u8]) -> Option<LaxSlicedPacket<'_>> {
    let cooked = |(len, at): (usize, usize)| {
        let ether_type = EtherType(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
        Some(LaxSlicedPacket::from_ether_type(
            ether_type,
            frame.get(len..)?,
        ))
    };
    match link {
        Linktype::ETHERNET => LaxSlicedPacket::from_ethernet(frame).ok(),
        Linktype::LINUX_SLL => cooked(COOKED),
        Linktype::LINUX_SLL2 => cooked(COOKED_2),
        Linktype::NULL | Linktype::LOOP => {
            LaxSlicedPacket::from_ip(frame.get(LOOPBACK_LEN..)?).ok()
        }
        _ => LaxSlicedPacket::from_ip(frame).ok(),
    }
}
