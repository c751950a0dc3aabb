//! Sessions whose audio comes and goes by somebody else's socket, as linear samples.

use std::sync::Arc;
use std::time::Instant;

use switchboard_media::codec::{Codec, Decoder, MAX_FRAME, RATE};
use switchboard_media::engine::{Engine, LegConfig, NetworkSide};
use switchboard_media::event::Digit;
use switchboard_media::receive::TelephoneEventFormat;
use switchboard_media::rtp::RtpHeader;
use tokio::sync::{Notify, watch};
use zeroize::{Zeroize, Zeroizing};

use crate::mux::link::State;
use crate::session::End;
use crate::{CloseReason, Session, TransportConfig, TransportError};

/// Payload types of packets that never leave the process.
const OPUS: u8 = 96;
const LINEAR: u8 = 97;
const EVENT: u8 = 98;
/// How long a key that came as a message is held down, in ticks: 100 ms.
const KEY_TICKS: u16 = (RATE / 10) as u16;
/// End of event, volume −10 dBm0 (RFC 4733 §2.3).
const KEY_END: u8 = 0x80 | 10;
const KEY_DOWN: u8 = 10;
/// Bytes of 20 ms.
const FRAME: usize = RATE as usize / 50 * 2;

/// The other end of a [`Session`] made by
/// [`Transport::carried`](crate::Transport::carried): what was heard goes in, what is to
/// be said comes out. Dropping it closes the session.
pub struct Carrier {
    network: NetworkSide,
    decoder: Decoder,
    said: Zeroizing<Vec<f32>>,
    /// Audio that is no whole packet yet, big-endian.
    rest: Zeroizing<Vec<u8>>,
    sequence: u16,
    timestamp: u32,
    events: Arc<Notify>,
    state: watch::Sender<State>,
    stop: Arc<Notify>,
}

pub(crate) fn open(
    engine: &Engine,
    config: &TransportConfig,
) -> Result<(Session, Carrier), TransportError> {
    let event = TelephoneEventFormat {
        payload_type: EVENT,
        clock_rate: RATE,
    };
    let leg = engine
        .open(LegConfig {
            vad_frames: config.vad_frames,
            live: config.live,
            hear: config.hear,
            guard_echo: config.guard_echo,
            speech: config.speech,
            comfort_silence: false,
            linear_payload_type: Some(LINEAR),
            telephone_events: [Some(event), None],
            ..LegConfig::new(OPUS, 1)
        })
        .map_err(TransportError::Engine)?;
    let decoder = Decoder::new().map_err(|error| {
        TransportError::Engine(switchboard_media::engine::EngineError::Encoder(
            error.into(),
        ))
    })?;
    let (state, states) = watch::channel(State::Connecting);
    let (events, stop) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let end = End::Carrier(Arc::clone(&stop));
    let codec = Codec::Opus;
    let session = Session::new(leg.app, leg.live, codec, Arc::clone(&events), end, states);
    let carrier = Carrier {
        network: leg.network,
        decoder,
        said: Zeroizing::new(vec![0.0; MAX_FRAME]),
        rest: Zeroizing::new(Vec::with_capacity(FRAME)),
        sequence: 0,
        timestamp: 0,
        events,
        state,
        stop,
    };
    Ok((session, carrier))
}

impl Carrier {
    /// Audio flows.
    pub fn connected(&self) {
        self.state.send_if_modified(|state| {
            let first = *state == State::Connecting;
            if first {
                *state = State::Connected;
            }
            first
        });
    }

    /// Hears samples at 16 kHz (−1…1).
    pub fn hear(&mut self, now: Instant, samples: &[f32]) {
        for sample in samples {
            let value = (sample * 32_768.0).clamp(-32_768.0, 32_767.0) as i16;
            self.rest.extend_from_slice(&value.to_be_bytes());
            if self.rest.len() == FRAME {
                let payload =
                    std::mem::replace(&mut self.rest, Zeroizing::new(Vec::with_capacity(FRAME)));
                self.packet(now, LINEAR, false, self.timestamp, &payload);
                self.timestamp = self.timestamp.wrapping_add(FRAME as u32 / 2);
            }
        }
    }

    /// Hears a key that came as a message, as an event of 100 ms.
    pub fn key(&mut self, now: Instant, digit: Digit) {
        let [high, low] = KEY_TICKS.to_be_bytes();
        let code = digit.event_code();
        self.packet(now, EVENT, true, self.timestamp, &[code, KEY_DOWN, 0, 0]);
        self.packet(
            now,
            EVENT,
            false,
            self.timestamp,
            &[code, KEY_END, high, low],
        );
    }

    fn packet(
        &mut self,
        now: Instant,
        payload_type: u8,
        marker: bool,
        timestamp: u32,
        payload: &[u8],
    ) {
        let header = RtpHeader {
            payload_type,
            marker,
            sequence: self.sequence,
            timestamp,
            ssrc: 2,
            csrc: None,
        };
        self.sequence = self.sequence.wrapping_add(1);
        // What there is no room for is counted by the leg.
        let _ = self.network.receive(now, &header, payload);
    }

    /// Lets `say` have what is to be said, at 16 kHz, as far as it is due. Poll every few
    /// milliseconds; the session's events are passed on then, too.
    pub fn say(&mut self, mut say: impl FnMut(&[f32])) {
        let Self {
            network,
            decoder,
            said,
            ..
        } = self;
        while let Some(count) =
            network.transmit(|_, payload| decoder.decode(payload, said).unwrap_or(0))
        {
            say(&said[..count]);
        }
        said.zeroize();
        said.resize(MAX_FRAME, 0.0);
        if self.network.take_events_waiting() {
            self.events.notify_one();
        }
    }

    /// Waits until the session is to end. Cancel-safe.
    pub async fn stopped(&mut self) {
        self.stop.notified().await;
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.state.send_replace(State::Closed(CloseReason::Remote));
        self.events.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use switchboard_media::engine::EngineConfig;
    use switchboard_media::event::MediaEvent;
    use switchboard_media::prompt::Prompt;

    use super::*;
    use crate::{SessionEvent, Transport};

    fn tone(ms: u32) -> Vec<f32> {
        (0..16 * ms).map(|n| 0.3 * (n as f32 * 0.2).sin()).collect()
    }

    #[tokio::test]
    async fn what_is_carried_is_heard_and_what_is_said_is_carried_away() {
        let engine = Engine::start(EngineConfig::default()).unwrap();
        let transport = Transport::new(engine, TransportConfig::default());
        let (mut session, mut carrier) = transport.carried().unwrap();
        carrier.connected();
        assert_eq!(session.event().await, Some(SessionEvent::Connected));
        session
            .play(Prompt::from_samples(16_000, &tone(400)).unwrap())
            .unwrap();
        carrier.key(Instant::now(), Digit::from_char('7').unwrap());
        let (mut said, mut keys, mut finished) = (0, 0, false);
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        while keys == 0 || !finished {
            tokio::select! {
                _ = tick.tick() => {
                    let now = Instant::now();
                    carrier.hear(now, &[0.0; 80]);
                    carrier.say(|samples| said += samples.len());
                }
                event = session.event() => match event {
                    Some(SessionEvent::Media(MediaEvent::DigitEnd { digit, .. })) => {
                        assert_eq!(digit.as_char(), '7');
                        keys += 1;
                    }
                    Some(SessionEvent::Media(MediaEvent::PlayFinished { interrupted, .. })) => {
                        assert!(!interrupted);
                        finished = true;
                    }
                    _ => {}
                },
            }
        }
        carrier.say(|samples| said += samples.len());
        assert!((6_400..=7_040).contains(&said), "{said}");
        session.close();
        carrier.stopped().await;
        drop(carrier);
        loop {
            match session.event().await {
                Some(SessionEvent::Closed(reason)) => {
                    break assert_eq!(reason, CloseReason::Remote);
                }
                Some(_) => {}
                None => panic!("no end was told"),
            }
        }
    }
}
