//! RTCP sender reports (RFC 3550 §6.4) with what we know of the other stream:
//! enough for the other side's round-trip time, loss and jitter.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use switchboard_media::rtp::RtpHeader;

/// How often a report is sent (RFC 3550 §6.2's minimum).
const INTERVAL: Duration = Duration::from_secs(5);
/// Seconds from NTP's era to Unix's (RFC 5905 §6).
const NTP_OFFSET: u64 = 2_208_988_800;
const SENDER_REPORT: u8 = 200;
const SOURCE_DESCRIPTION: u8 = 202;
/// The canonical name: of the endpoint, not of anybody (RFC 7022).
const CNAME: &[u8] = b"switchboard";
const VERSION: u8 = 2 << 6;

/// Both streams' figures.
pub(crate) struct Report {
    ssrc: u32,
    /// The RTP clock in Hz.
    clock_rate: u32,
    /// An instant and its NTP time, to tell others.
    epoch: (Instant, u64),
    due: Instant,
    packets: u32,
    octets: u32,
    last_sent: Option<(Instant, u32)>,
    remote: Option<Remote>,
    /// Middle of the last sender report's NTP time, and when it came.
    last_report: Option<(u32, Instant)>,
}

/// The other stream (RFC 3550 appendix A).
struct Remote {
    ssrc: u32,
    base: u64,
    highest: u64,
    received: u64,
    /// Expected and received at the last report.
    prior: (u64, u64),
    jitter: f32,
    transit: u32,
}

impl Report {
    pub(crate) fn new(ssrc: u32, clock_rate: u32, now: Instant, wall: SystemTime) -> Self {
        let since = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            ssrc,
            clock_rate,
            epoch: (now, ntp(since + Duration::from_secs(NTP_OFFSET))),
            due: now + INTERVAL / 2,
            packets: 0,
            octets: 0,
            last_sent: None,
            remote: None,
            last_report: None,
        }
    }

    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    pub(crate) fn sent(&mut self, now: Instant, timestamp: u32, payload: usize) {
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload as u32);
        self.last_sent = Some((now, timestamp));
    }

    pub(crate) fn received(&mut self, now: Instant, header: &RtpHeader) {
        let arrival = self.ticks(now);
        let transit = arrival.wrapping_sub(header.timestamp);
        match &mut self.remote {
            Some(remote) if remote.ssrc == header.ssrc => remote.count(header.sequence, transit),
            _ => self.remote = Some(Remote::new(header, transit)),
        }
    }

    fn ticks(&self, now: Instant) -> u32 {
        let since = now.saturating_duration_since(self.epoch.0);
        (since.as_micros() as u64 * u64::from(self.clock_rate) / 1_000_000) as u32
    }

    /// Notes when the other side's sender report came, for its round-trip time.
    pub(crate) fn heard(&mut self, now: Instant, rtcp: &[u8]) {
        if let [_, SENDER_REPORT, _, _, _, _, _, _, _, _, a, b, c, d, ..] = *rtcp {
            self.last_report = Some((u32::from_be_bytes([a, b, c, d]), now));
        }
    }

    /// Writes a compound packet; its length.
    pub(crate) fn write(&mut self, now: Instant, out: &mut [u8]) -> Option<usize> {
        self.due = now + INTERVAL;
        let block = self.remote.as_mut().map(Remote::block);
        let (sent_at, timestamp) = self.last_sent?;
        let elapsed = now.saturating_duration_since(sent_at).as_micros() as u64;
        let timestamp =
            timestamp.wrapping_add((elapsed * u64::from(self.clock_rate) / 1_000_000) as u32);
        let wall = self.epoch.1.wrapping_add(ntp(now - self.epoch.0));
        let mut writer = Writer { out, len: 0 };
        let words = 6 + if block.is_some() { 6 } else { 0 };
        writer.put(&[VERSION | u8::from(block.is_some()), SENDER_REPORT, 0, words])?;
        writer.put(&self.ssrc.to_be_bytes())?;
        writer.put(&wall.to_be_bytes())?;
        for word in [timestamp, self.packets, self.octets] {
            writer.put(&word.to_be_bytes())?;
        }
        if let Some(block) = block {
            writer.put(&block)?;
            let (report, delay) = self.last_report.map_or((0, 0), |(report, at)| {
                let delay = now.saturating_duration_since(at).as_micros() as u64;
                (report, (delay * 65_536 / 1_000_000) as u32)
            });
            writer.put(&report.to_be_bytes())?;
            writer.put(&delay.to_be_bytes())?;
        }
        writer.description(self.ssrc)?;
        Some(writer.len)
    }
}

impl Remote {
    fn new(header: &RtpHeader, transit: u32) -> Self {
        // One cycle ahead, so that an older packet does not reach below zero.
        let first = 0x1_0000 + u64::from(header.sequence);
        Self {
            ssrc: header.ssrc,
            base: first,
            highest: first,
            received: 1,
            prior: (0, 0),
            jitter: 0.0,
            transit,
        }
    }

    fn count(&mut self, sequence: u16, transit: u32) {
        self.received += 1;
        let ahead = sequence.wrapping_sub(self.highest as u16) as i16;
        if ahead > 0 {
            self.highest += ahead as u64;
        }
        let change = transit.wrapping_sub(self.transit) as i32;
        self.transit = transit;
        self.jitter += (change.unsigned_abs() as f32 - self.jitter) / 16.0;
    }

    /// SSRC, loss, highest sequence number and jitter (RFC 3550 §6.4.1).
    fn block(&mut self) -> [u8; 16] {
        let expected = self.highest - self.base + 1;
        let lost = expected as i64 - self.received as i64;
        let since = (expected - self.prior.0, self.received - self.prior.1);
        let recent = since.0.saturating_sub(since.1) * 256;
        let fraction = recent.checked_div(since.0).unwrap_or(0).min(255) as u8;
        self.prior = (expected, self.received);
        let mut block = [0; 16];
        block[..4].copy_from_slice(&self.ssrc.to_be_bytes());
        let lost = lost.clamp(-0x80_0000, 0x7f_ffff) as i32;
        block[4..8].copy_from_slice(&lost.to_be_bytes());
        block[4] = fraction;
        let highest = (self.highest - 0x1_0000) as u32;
        block[8..12].copy_from_slice(&highest.to_be_bytes());
        block[12..].copy_from_slice(&(self.jitter as u32).to_be_bytes());
        block
    }
}

struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.len + bytes.len();
        self.out.get_mut(self.len..end)?.copy_from_slice(bytes);
        self.len = end;
        Some(())
    }

    /// SDES with the canonical name, which every compound packet has (§6.1).
    fn description(&mut self, ssrc: u32) -> Option<()> {
        let text = 2 + CNAME.len() + 1;
        let padded = text.next_multiple_of(4);
        let words = 1 + padded / 4;
        self.put(&[VERSION | 1, SOURCE_DESCRIPTION, 0, words as u8])?;
        self.put(&ssrc.to_be_bytes())?;
        self.put(&[1, CNAME.len() as u8])?;
        self.put(CNAME)?;
        self.put(&[0; 4][..padded - text + 1])
    }
}

/// 32.32 fixed-point seconds.
fn ntp(since: Duration) -> u64 {
    (since.as_secs() << 32) | ((u64::from(since.subsec_nanos()) << 32) / 1_000_000_000)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rtc::rtcp::packet::unmarshal;
    use rtc::rtcp::sender_report::SenderReport;
    use rtc::rtcp::source_description::SourceDescription;

    use super::*;

    fn header(sequence: u16, timestamp: u32) -> RtpHeader {
        RtpHeader {
            payload_type: 111,
            marker: false,
            sequence,
            timestamp,
            ssrc: 9,
            csrc: None,
        }
    }

    /// Read back by the stack's own parser.
    #[test]
    fn says_what_was_sent_and_heard() {
        let start = Instant::now();
        let wall = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let mut report = Report::new(7, 48_000, start, wall);
        let mut out = [0; 200];
        assert_eq!(report.write(start, &mut out), None);
        let at = |n: u64| start + Duration::from_millis(20 * n);
        for n in 0..100u16 {
            report.sent(at(n.into()), u32::from(n) * 960, 50);
            if n % 4 != 3 {
                let sequence = 65_500u16.wrapping_add(n);
                report.received(at(n.into()), &header(sequence, u32::from(n) * 960));
            }
        }
        let mut sr = [0; 28];
        sr[1] = 200;
        sr[10..14].copy_from_slice(&[1, 2, 3, 4]);
        report.heard(at(75), &sr);
        let len = report.write(at(100), &mut out).unwrap();
        let packets = unmarshal(&mut &out[..len]).unwrap();
        let sr = packets[0].as_any().downcast_ref::<SenderReport>().unwrap();
        assert_eq!((sr.ssrc, sr.packet_count, sr.octet_count), (7, 100, 5000));
        assert_eq!(sr.ntp_time >> 32, 1_800_000_000 + NTP_OFFSET + 2);
        assert_eq!(sr.rtp_time, 96_000);
        let block = &sr.reports[0];
        assert_eq!((block.ssrc, block.total_lost), (9, 24));
        assert_eq!(u32::from(block.fraction_lost), 24 * 256 / 99);
        assert_eq!(block.last_sequence_number, 65_500 + 98);
        assert_eq!(block.last_sender_report, 0x0102_0304);
        assert_eq!(block.delay, 32_768);
        assert_eq!(block.jitter, 0);
        assert!(packets[1].as_any().is::<SourceDescription>());
    }
}
