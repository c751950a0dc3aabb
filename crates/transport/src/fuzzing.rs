//! Doors for fuzz targets to what is private here; no part of the API.

mod links;

use std::time::{Instant, SystemTime};

use switchboard_media::rtp;

use crate::mux::report::Report;

pub use links::Links;

/// The RTCP reports of one stream.
pub struct RtcpReports(Report);

impl RtcpReports {
    /// Reports of a stream that begins `now`.
    pub fn new(now: Instant) -> Self {
        Self(Report::new(1, 48_000, now, SystemTime::UNIX_EPOCH))
    }

    /// Hears a packet of either kind and writes a report; its length in bytes.
    pub fn exchange(&mut self, now: Instant, packet: &[u8]) -> usize {
        self.0.heard(now, packet);
        if let Ok((header, _)) = rtp::parse(packet) {
            self.0.received(now, &header);
        }
        self.0.sent(now, 0, packet.len());
        self.0.write(now, &mut [0; 128]).unwrap_or_default()
    }
}
