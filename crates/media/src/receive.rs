//! receive

/// A negotiated telephone-event format (RFC 4733 §2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelephoneEventFormat {
    /// RTP payload type, 0–127.
    pub payload_type: u8,
    /// Clock of timestamps and durations in Hz, usually 8 000 or 48 000.
    pub clock_rate: u32,
}
