//! Sections beside the mix's: in each a conference sends one speaker at a time.

use switchboard_media::codec::Codec;

use super::codec;
use super::remote::Direction;

/// The header extension that names a packet's section (RFC 8843 §15).
const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
/// Streams of one section that are looked at.
const MAX_SSRCS: usize = 4;
/// Longest `mid` that is repeated.
const MAX_MID: usize = 64;

/// A section, as the other side describes it.
pub(crate) struct Extra {
    pub(crate) mid: Option<String>,
    pub(crate) ssrcs: Vec<u32>,
    /// Payload type of the mix's codec, if the section has it.
    pub(crate) payload_type: Option<u8>,
    pub(crate) profile: String,
    direction: Direction,
    port: bool,
    bundle_only: bool,
    /// Whether this side uses it.
    pub(crate) taken: bool,
}

impl Extra {
    pub(crate) fn parse(section: &str, mix: Codec) -> Self {
        let mut media = section.lines().next().unwrap_or_default().split(' ');
        let port = media.nth(1).is_some_and(|port| port != "0");
        let profile = super::remote::profile(section);
        Self {
            mid: mid(section),
            ssrcs: ssrcs(section),
            payload_type: codec(section, &[mix])
                .filter(|_| profile.is_ok())
                .map(|(_, payload_type)| payload_type),
            profile: profile.unwrap_or_else(|_| "UDP/TLS/RTP/SAVPF".to_owned()),
            direction: super::remote::direction(section),
            port,
            bundle_only: section.lines().any(|line| line == "a=bundle-only"),
            taken: false,
        }
    }

    /// Whether it can be had with the mix's transport.
    fn is_usable(&self, bundle: &[&str]) -> bool {
        let mid = self.mid.as_deref();
        mid.is_some_and(|mid| bundle.contains(&mid)) && self.payload_type.is_some()
    }

    /// Whether an offer has a speaker in it, as far as the section itself tells.
    pub(crate) fn is_offered(&self, bundle: &[&str]) -> bool {
        // A port of 0 is no refusal there (RFC 8843 §6).
        let open = self.port || self.bundle_only;
        let sends = matches!(self.direction, Direction::SendOnly | Direction::SendRecv);
        open && sends && self.is_usable(bundle)
    }

    /// Whether an answer takes it.
    pub(crate) fn is_accepted(&self, bundle: &[&str]) -> bool {
        let receives = matches!(self.direction, Direction::RecvOnly | Direction::SendRecv);
        self.port && receives && self.is_usable(bundle)
    }
}

/// The identifiers of the sections that share the first one's transport.
pub(crate) fn bundle(sdp: &str) -> Vec<&str> {
    let group = sdp.lines().find_map(|l| l.strip_prefix("a=group:BUNDLE "));
    group.map_or_else(Vec::new, |mids| mids.split(' ').collect())
}

pub(crate) fn mid(section: &str) -> Option<String> {
    let mid = section.lines().find_map(|line| line.strip_prefix("a=mid:"));
    mid.filter(|mid| mid.len() <= MAX_MID).map(str::to_owned)
}

/// The streams a section announces (RFC 5576 §4.1), each once.
pub(crate) fn ssrcs(section: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for line in section.lines() {
        let ssrc = line.strip_prefix("a=ssrc:").and_then(|rest| {
            let number = rest.split(' ').next()?;
            number.parse().ok()
        });
        if let Some(ssrc) = ssrc
            && found.len() < MAX_SSRCS
            && !found.contains(&ssrc)
        {
            found.push(ssrc);
        }
    }
    found
}

/// The number the header extension of `mid` goes by: `a=extmap:<number>[/<way>] <URI>`
/// (RFC 8285 §8).
pub(crate) fn mid_extension(section: &str) -> Option<u8> {
    section.lines().find_map(|line| {
        let (number, uri) = line.strip_prefix("a=extmap:")?.split_once(' ')?;
        let number = number.split('/').next()?.parse().ok()?;
        (uri.split(' ').next() == Some(MID) && number != 0).then_some(number)
    })
}

/// The same as we say it.
pub(crate) fn extmap(number: u8) -> String {
    format!("a=extmap:{number} {MID}")
}
