//! People with a tone each: who hears whom is measured.

use std::time::{Duration, Instant};

use switchboard_emulator::{Phone, PhoneCommand, PhoneEvent, PhoneRole};
use switchboard_media::engine::{LIVE_FRAME, LiveAudio};
use switchboard_transport::{Offer, Session, SessionEvent};
use tokio::time::timeout;

use crate::support::{LIMIT, Site, told};

pub(crate) const RATE: usize = 16_000;
/// Loudness of everyone's tone.
pub(crate) const LEVEL: f32 = 0.04;

/// Somebody with a tone of their own.
pub(crate) struct Singer {
    pub(crate) hz: f32,
    sung: usize,
    audio: LiveAudio,
    pub(crate) heard: Vec<f32>,
    /// Kept for what it holds: dropping it hangs up.
    pub(crate) session: Session,
    pub(crate) phone: Option<Phone>,
}

impl Singer {
    pub(crate) fn new(mut session: Session, phone: Option<Phone>, hz: f32) -> Self {
        let mut audio = session.take_live().unwrap();
        audio.ears.listen();
        Self {
            hz,
            sung: 0,
            audio,
            heard: Vec::new(),
            session,
            phone,
        }
    }

    /// Sings 20 ms.
    pub(crate) fn sing(&mut self) {
        let step = self.hz * std::f32::consts::TAU / RATE as f32;
        let frame: [f32; LIVE_FRAME] =
            std::array::from_fn(|n| LEVEL * ((self.sung + n) as f32 * step).sin());
        self.sung += LIVE_FRAME;
        let _ = self.audio.voice.say(&frame);
    }

    /// Is silent for 20 ms.
    pub(crate) fn breathe(&mut self) {
        let _ = self.audio.voice.say(&[0.0; LIVE_FRAME]);
    }

    pub(crate) fn listen(&mut self) {
        let heard = &mut self.heard;
        while let Some(()) = self.audio.ears.receive(|_, frame| heard.extend(frame)) {}
        // A phone that does not read is dropped.
        while self
            .phone
            .as_mut()
            .is_some_and(|phone| phone.events.try_recv().is_ok())
        {}
    }

    /// How loud a tone was in the last second that was heard, as an amplitude: the
    /// median of tenths of a second, which a machine that stumbles now and then does
    /// not change.
    pub(crate) fn hears(&self, hz: f32) -> f32 {
        loudness(&self.heard[self.heard.len().saturating_sub(RATE)..], hz)
    }

    pub(crate) fn hears_well(&self, hz: f32) -> bool {
        self.hears(hz) > LEVEL / 5.0
    }

    pub(crate) fn hears_nothing_of(&self, hz: f32) -> bool {
        self.hears(hz) < LEVEL / 8.0
    }
}

/// How loud a tone is in what was heard, as an amplitude: the median of tenths of a second.
pub(crate) fn loudness(heard: &[f32], hz: f32) -> f32 {
    let step = hz * std::f32::consts::TAU / RATE as f32;
    let loud = |part: &[f32]| {
        let (mut re, mut im) = (0.0_f32, 0.0_f32);
        for (n, sample) in part.iter().enumerate() {
            // Hann's window keeps neighbours out.
            let turn = n as f32 / part.len() as f32 * std::f32::consts::TAU;
            let sample = sample * (1.0 - turn.cos());
            re += sample * (n as f32 * step).cos();
            im += sample * (n as f32 * step).sin();
        }
        2.0 * re.hypot(im) / part.len() as f32
    };
    let mut parts: Vec<_> = heard.chunks_exact(RATE / 10).map(loud).collect();
    parts.sort_by(f32::total_cmp);
    parts.get(parts.len() / 2).copied().unwrap_or_default()
}

/// Lets everyone sing and listen for a while, on the wall's clock.
pub(crate) async fn sing(singers: &mut [Singer], seconds: f32) {
    let rounds = (seconds * 50.0) as u32;
    let start = Instant::now();
    for round in 0..rounds {
        for singer in singers.iter_mut() {
            singer.sing();
            singer.listen();
        }
        let next = start + Duration::from_millis(20) * (round + 1);
        tokio::time::sleep_until(next.into()).await;
    }
}

/// Lets everyone sing until it sounds as it should, or for too long.
pub(crate) async fn until(singers: &mut [Singer], what: &str, right: impl Fn(&[Singer]) -> bool) {
    let start = Instant::now();
    loop {
        for singer in singers.iter_mut() {
            singer.heard.clear();
        }
        sing(singers, 1.2).await;
        if right(singers) {
            return;
        }
        assert!(start.elapsed() < LIMIT, "{what}: {}", table(singers));
    }
}

/// Who hears whom how loud, in hundredths of what was sung.
fn table(singers: &[Singer]) -> String {
    let row = |singer: &Singer| {
        let tones = singers.iter().map(|other| singer.hears(other.hz));
        let tones: Vec<_> = tones.map(|level| (100.0 * level / LEVEL) as i32).collect();
        format!("\n{} Hz: {tones:?}", singer.hz)
    };
    singers.iter().map(row).collect()
}

/// A phone that dials into a meeting.
pub(crate) async fn dial_in(site: &Site, target: &str, hz: f32) -> Singer {
    let phone = site.emulator.phone("Singer", PhoneRole::Caller).await;
    let (offer, sdp) = site.transport.with_live().offer().await.unwrap();
    let target = target.to_owned();
    let dial = PhoneCommand::Dial { target, sdp };
    phone.commands.send(dial).await.unwrap();
    answered(phone, offer, hz).await
}

/// The phone whose offer is about to be answered, once it is heard.
pub(crate) async fn answered(mut phone: Phone, offer: Offer, hz: f32) -> Singer {
    let answer = told(&mut phone, |event| {
        matches!(event, PhoneEvent::Answer { .. })
    })
    .await;
    let PhoneEvent::Answer { sdp, .. } = answer else {
        unreachable!()
    };
    let mut session = offer.accept(&sdp).await.unwrap();
    connected(&mut session).await;
    Singer::new(session, Some(phone), hz)
}

pub(crate) async fn connected(session: &mut Session) {
    let connected = async { while session.event().await.unwrap() != SessionEvent::Connected {} };
    timeout(LIMIT, connected).await.expect("connected in time");
}
