//! Captures (pcap, pcapng) as bytes: their UDP datagrams and the RTP streams
//! among them.
//!
//! Read leniently: what is no UDP, is fragmented or cut off is passed over, and
//! a capture that ends in mid-packet ends there.

mod link;
mod stream;

use std::net::SocketAddr;
use std::time::Duration;

use pcap_parser::nom;
use pcap_parser::{
    Block, Linktype, PcapBlockOwned, PcapHeader, PcapNGSlice, parse_pcap_frame,
    parse_pcap_frame_be, parse_pcap_header,
};
use thiserror::Error;

pub use stream::{RtpStream, rtp_streams};

/// A UDP datagram of a capture.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// When it was captured, since the capture's own epoch (usually 1970).
    pub at: Duration,
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// What the capture holds of it.
    pub payload: &'a [u8],
}

/// Why bytes are no capture. An empty capture is none either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PcapError {
    /// Neither pcap's nor pcapng's magic number.
    #[error("not a capture: it begins neither as pcap nor as pcapng")]
    NotCapture,
    /// The link type is none of Ethernet, Linux cooked v1 and v2, raw IP, and
    /// BSD loopback.
    #[error("capture of link type {0} is not supported: capture Ethernet, 'any' or raw IP")]
    LinkType(i32),
}

/// The UDP datagrams of a pcap or pcapng file, in the file's order.
///
/// # Errors
/// [`PcapError`] when it is no capture, or none of its links is supported.
pub fn datagrams(bytes: &[u8]) -> Result<Vec<Datagram<'_>>, PcapError> {
    if let Ok((rest, header)) = parse_pcap_header(bytes) {
        return classic(&header, rest);
    }
    match PcapNGSlice::from_slice(bytes) {
        Ok(blocks) => next_generation(blocks),
        Err(_) => Err(PcapError::NotCapture),
    }
}

fn classic<'a>(header: &PcapHeader, mut rest: &'a [u8]) -> Result<Vec<Datagram<'a>>, PcapError> {
    if !link::is_supported(header.network) {
        return Err(PcapError::LinkType(header.network.0));
    }
    let fraction = if header.is_nanosecond_precision() {
        Duration::from_nanos(1)
    } else {
        Duration::from_micros(1)
    };
    let parse = if header.is_bigendian() {
        parse_pcap_frame_be
    } else {
        parse_pcap_frame
    };
    let mut found = Vec::new();
    while let Ok((after, frame)) = parse(rest) {
        rest = after;
        let at = Duration::from_secs(frame.ts_sec.into()) + fraction * frame.ts_usec;
        let held = &frame.data[..frame.data.len().min(frame.caplen as usize)];
        found.extend(link::datagram(header.network, at, held));
    }
    Ok(found)
}

/// What later blocks need to know of an interface.
struct Interface {
    link: Linktype,
    /// Time units per second.
    resolution: u64,
}

fn next_generation<'a>(
    blocks: impl Iterator<Item = Result<PcapBlockOwned<'a>, nom::Err<pcap_parser::PcapError<&'a [u8]>>>>,
) -> Result<Vec<Datagram<'a>>, PcapError> {
    let mut interfaces: Vec<Interface> = Vec::new();
    let (mut found, mut refused) = (Vec::new(), None);
    // An iterator that failed does not move on: the file ends there.
    for block in blocks.map_while(Result::ok) {
        match block {
            PcapBlockOwned::NG(Block::SectionHeader(_)) => interfaces.clear(),
            PcapBlockOwned::NG(Block::InterfaceDescription(block)) => {
                if !link::is_supported(block.linktype) {
                    refused = refused.or(Some(block.linktype.0));
                }
                interfaces.push(Interface {
                    link: block.linktype,
                    resolution: resolution(block.if_tsresol),
                });
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(block)) => {
                let Some(interface) = interfaces.get(block.if_id as usize) else {
                    continue;
                };
                let units = u64::from(block.ts_high) << 32 | u64::from(block.ts_low);
                let held = &block.data[..block.data.len().min(block.caplen as usize)];
                let at = time(units, interface.resolution);
                found.extend(link::datagram(interface.link, at, held));
            }
            // Simple packets have no time: useless for what was spoken when.
            _ => {}
        }
    }
    match refused {
        Some(link) if found.is_empty() => Err(PcapError::LinkType(link)),
        _ => Ok(found),
    }
}

/// Units per second of an `if_tsresol` option: a power of ten, or of two with
/// the top bit set. What does not fit is taken for the default.
fn resolution(option: u8) -> u64 {
    let power = u32::from(option & 0x7f);
    let base: u64 = if option & 0x80 == 0 { 10 } else { 2 };
    base.checked_pow(power).unwrap_or(1_000_000)
}

fn time(units: u64, resolution: u64) -> Duration {
    let fraction = u128::from(units % resolution) * 1_000_000_000 / u128::from(resolution);
    Duration::new(units / resolution, fraction as u32)
}

#[cfg(test)]
mod tests;
