//! One call's transport, without IO: datagrams and instants in, datagrams and
//! a state out.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::dtls::{Dtls, DtlsEvent};
use super::ice::Ice;
use super::outbox::Outbox;
use super::police::Police;
use super::srtp::SrtpError;
use super::stream::Stream;
use crate::session::CloseReason;

/// ICE and DTLS take a few round trips; a peer that needs longer lied in its
/// description or can't reach us.
const SETUP_LIMIT: Duration = Duration::from_secs(15);

/// Sources that are told of; a call has one, or a few after renegotiations.
const TOLD: u8 = 8;

/// Why a datagram was dropped. Only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It belongs to no call.
    Unknown,
    /// From an address ICE has not validated for this call.
    NotValidated,
    /// Before its time: media before the handshake, records before ICE.
    Early,
    /// Not what its kind says.
    Malformed,
    /// Its integrity check failed.
    Forged,
    /// Seen before.
    Replayed,
    /// More of its kind than a call may send, or from more sources.
    Policed,
}

impl From<SrtpError> for Refused {
    fn from(error: SrtpError) -> Self {
        match error {
            SrtpError::Malformed => Self::Malformed,
            SrtpError::Forged | SrtpError::Cipher => Self::Forged,
            SrtpError::Replayed => Self::Replayed,
            SrtpError::TooManySources => Self::Policed,
        }
    }
}

/// Where a session is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Connecting,
    Connected,
    Closed(CloseReason),
}

/// One call.
pub(crate) struct Link {
    ice: Ice,
    dtls: Dtls,
    stream: Stream,
    police: Police,
    state: State,
    set_up_by: Instant,
    /// Sources that were told of.
    told: u8,
}

impl Link {
    pub(crate) fn new(now: Instant, ice: Ice, dtls: Dtls, stream: Stream) -> Self {
        Self {
            ice,
            dtls,
            police: Police::new(now, stream.streams()),
            stream,
            state: State::Connecting,
            set_up_by: now + SETUP_LIMIT,
            told: 0,
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Whether its addresses may go to another call.
    pub(crate) fn is_stale(&self) -> bool {
        self.ice.is_stale()
    }

    /// Takes a STUN message; `Ok(true)` when it validated its source address.
    pub(crate) fn receive_stun(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Outbox,
    ) -> Result<bool, Refused> {
        if !self.police.stun.take(now) {
            return Err(Refused::Policed);
        }
        let validated = self.ice.receive(now, from, bytes)?;
        // Checks that were triggered go out at once.
        self.ice.timeout(now);
        self.progress(now, out);
        Ok(validated)
    }

    /// Takes DTLS records.
    pub(crate) fn receive_dtls(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Outbox,
    ) -> Result<(), Refused> {
        self.admit(from)?;
        if !self.police.dtls.take(now) {
            return Err(Refused::Policed);
        }
        let outcome = self.dtls.receive(now, bytes);
        match outcome? {
            DtlsEvent::Nothing => {}
            DtlsEvent::Keys(keys) => {
                self.stream.start(keys);
                self.state = State::Connected;
            }
            DtlsEvent::Closed => self.state = State::Closed(CloseReason::Remote),
            DtlsEvent::Failed => self.state = State::Closed(CloseReason::Failed),
        }
        self.progress(now, out);
        Ok(())
    }

    /// Takes an SRTP packet; gives its source if that is new.
    ///
    /// It may come from anywhere: its tag proves whose it is. A router that forgot a call gives
    /// it another port, and until the other side's next check, seconds later, all that is
    /// pressed and said comes from an address unknown to ICE. Nothing is sent there before it
    /// has answered a check.
    pub(crate) fn receive_rtp(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &mut [u8],
        out: &mut Outbox,
    ) -> Result<Option<u32>, Refused> {
        let is_stray = !self.ice.is_validated(from);
        if is_stray && !self.police.strays.take(now) {
            return Err(Refused::NotValidated);
        }
        if !self.police.attempts.take(now) {
            return Err(Refused::Policed);
        }
        let new = self.stream.receive(now, packet, &mut self.police)?;
        self.ice.heard(now, from);
        if is_stray {
            self.ice.look(now, from, out);
        }
        let is_told = new.is_some() && self.told < TOLD;
        self.told += u8::from(is_told);
        Ok(new.filter(|_| is_told))
    }

    /// Takes an SRTCP packet.
    pub(crate) fn receive_rtcp(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &mut [u8],
    ) -> Result<(), Refused> {
        self.admit(from)?;
        if !self.police.rtcp.take(now) {
            return Err(Refused::Policed);
        }
        self.stream.receive_rtcp(now, packet)?;
        self.ice.heard(now, from);
        Ok(())
    }

    fn admit(&self, from: SocketAddr) -> Result<(), Refused> {
        if self.ice.is_validated(from) {
            Ok(())
        } else {
            Err(Refused::NotValidated)
        }
    }

    /// Sends what ICE and DTLS have to say.
    fn progress(&mut self, now: Instant, out: &mut Outbox) {
        let path = self.ice.selected();
        if path.is_some() && self.dtls.start(now).is_err() {
            self.state = State::Closed(CloseReason::Failed);
        }
        self.ice.transmit(out);
        self.dtls.transmit(path, out);
    }

    /// Sends media that is ready.
    pub(crate) fn flush(&mut self, now: Instant, out: &mut Outbox) {
        let path = self.ice.selected();
        self.stream.flush(now, path, out);
    }

    /// Does what is due.
    pub(crate) fn timeout(&mut self, now: Instant, out: &mut Outbox) {
        self.ice.timeout(now);
        let too_late = self.state == State::Connecting && now >= self.set_up_by;
        if self.dtls.timeout(now).is_err() || self.ice.is_failed() || too_late {
            self.state = State::Closed(CloseReason::Failed);
        }
        if self.stream.is_closed() {
            self.state = State::Closed(CloseReason::Local);
        }
        self.progress(now, out);
        let path = self.ice.selected();
        self.stream.timeout(now, path, out);
    }

    /// When [`timeout`](Self::timeout) is to be called next.
    pub(crate) fn next_timeout(&mut self) -> Instant {
        let set_up = (self.state == State::Connecting).then_some(self.set_up_by);
        [
            self.ice.next_timeout(),
            self.dtls.next_timeout(),
            self.stream.due(),
            set_up,
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(self.set_up_by)
    }

    /// Says goodbye to the other side.
    pub(crate) fn close(&mut self, now: Instant, out: &mut Outbox) {
        self.dtls.close(now);
        self.dtls.transmit(self.ice.selected(), out);
    }
}

#[cfg(test)]
mod tests;
