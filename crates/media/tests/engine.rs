//! Whole legs on real worker threads, back to back, on a lossy network.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use switchboard_media::engine::{
    Dropped, Engine, EngineConfig, EngineError, LIVE_FRAME, Leg, LegConfig, LiveAudio, VoiceError,
};
use switchboard_media::event::{MediaEvent, PlayId};
use switchboard_media::prompt::Prompt;
use switchboard_media::receive::TelephoneEventFormat;
use switchboard_media::rtp::RtpHeader;

/// Far longer than anything here takes; only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

const KEYS: [(f64, f64); 4] = [
    (697.0, 1209.0),
    (770.0, 1336.0),
    (852.0, 1477.0),
    (941.0, 1477.0),
];
const DIGITS: [char; 4] = ['1', '5', '9', '#'];

fn engine() -> Engine {
    Engine::start(EngineConfig {
        workers: 2,
        ..EngineConfig::default()
    })
    .unwrap()
}

fn config(ssrc: u32) -> LegConfig {
    LegConfig {
        telephone_events: [
            Some(TelephoneEventFormat {
                payload_type: 126,
                clock_rate: 8_000,
            }),
            None,
        ],
        ..LegConfig::new(111, ssrc)
    }
}

/// `1 5 9 #`, each 100 ms, after 300 ms of silence and with as much between.
fn digits() -> Arc<Prompt> {
    let mut signal = vec![0.0; 4800];
    for (low, high) in KEYS {
        let tone = |hz: f64, n: u32| (f64::from(n) * hz * std::f64::consts::TAU / 16_000.0).sin();
        signal.extend((0..1600).map(|n| 0.25 * (tone(low, n) + tone(high, n)) as f32));
        signal.resize(signal.len() + 4800, 0.0);
    }
    Prompt::from_samples(16_000, &signal).unwrap()
}

fn silence(ms: usize) -> Arc<Prompt> {
    Prompt::from_samples(16_000, &vec![0.0; 16 * ms]).unwrap()
}

/// One way of a network that loses packets, the same ones in every run.
struct Lossy {
    state: u32,
    percent: u32,
}

impl Lossy {
    fn loses(&mut self) -> bool {
        self.state = self
            .state
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        self.state >> 16 < self.percent * 65_536 / 100
    }

    fn carry(&mut self, from: &mut Leg, to: &mut Leg) {
        while let Some((header, payload)) = from
            .network
            .transmit(|header, payload| (*header, payload.to_vec()))
        {
            if !self.loses() {
                let now = Instant::now();
                to.network.receive(now, &header, &payload).unwrap();
            }
        }
    }
}

/// Connects two legs until `done` says so of an event of either (`true`: of
/// the first).
fn connect(a: &mut Leg, b: &mut Leg, percent: u32, mut done: impl FnMut(bool, MediaEvent) -> bool) {
    // The seed loses three packets from within tones, where Opus has redundancy.
    let way = || Lossy {
        state: 270,
        percent,
    };
    let (mut there, mut back) = (way(), way());
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        there.carry(a, b);
        back.carry(b, a);
        for (first, leg) in [(true, &mut *a), (false, &mut *b)] {
            while let Some(event) = leg.app.event() {
                if done(first, event) {
                    return;
                }
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("the call hangs");
}

fn wait_until(mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn digits_played_on_one_leg_are_heard_on_the_other_despite_loss() {
    let engine = engine();
    let (mut a, mut b) = (
        engine.open(config(1)).unwrap(),
        engine.open(config(2)).unwrap(),
    );
    let prompt = digits();
    let id = a.app.play(Arc::clone(&prompt)).unwrap();
    let mut heard = Vec::new();
    let (mut started, mut finished) = (false, None);
    connect(&mut a, &mut b, 5, |first, event| {
        match event {
            MediaEvent::DigitStart { digit, .. } if !first => heard.push(digit.as_char()),
            MediaEvent::PlayStarted { id: of } if first => started = of == id,
            MediaEvent::PlayFinished {
                id: of,
                interrupted,
            } if first => {
                finished = Some((of, interrupted));
            }
            _ => {}
        }
        heard.len() >= DIGITS.len() && finished.is_some()
    });
    assert_eq!(heard, DIGITS);
    assert!(started);
    assert_eq!(finished, Some((id, false)));
    assert_eq!(
        Arc::strong_count(&prompt),
        1,
        "nobody holds the prompt any more"
    );
    let stats = b.app.stats();
    assert!(stats.lost > 0 && stats.recovered > 0, "{stats:?}");
    assert_eq!(
        (
            stats.malformed,
            stats.unknown_payload_type,
            stats.dropped_full
        ),
        (0, 0, 0)
    );
    assert!(a.app.stats().sent >= prompt.packets() as u64);
}

#[test]
fn a_prompt_is_replaced_and_stopped() {
    let engine = engine();
    let (mut a, mut b) = (
        engine.open(config(1)).unwrap(),
        engine.open(config(2)).unwrap(),
    );
    let long = silence(60_000);
    let first = a.app.play(Arc::clone(&long)).unwrap();
    let mut ends = Vec::new();
    let mut orders = Vec::new();
    let app = &mut a;
    // Each start triggers the next order.
    let begin = Instant::now();
    while ends.len() < 3 {
        assert!(begin.elapsed() < PATIENCE, "waited in vain");
        while app.network.transmit(|_, _| ()).is_some() {}
        match app.app.event() {
            Some(MediaEvent::PlayStarted { id }) if id == first => {
                orders.push(app.app.play(Arc::clone(&long)).unwrap());
            }
            Some(MediaEvent::PlayStarted { .. }) => {
                // Never begins: it is stopped together with the one playing.
                orders.push(app.app.play(Arc::clone(&long)).unwrap());
                app.app.stop();
            }
            Some(MediaEvent::PlayFinished { id, interrupted }) => ends.push((id, interrupted)),
            _ => thread::sleep(Duration::from_millis(1)),
        }
    }
    let mut expected: Vec<(PlayId, bool)> = vec![(first, true)];
    expected.extend(orders.iter().map(|id| (*id, true)));
    ends.sort();
    assert_eq!(ends, expected);
    assert_eq!(Arc::strong_count(&long), 1);
    assert!(b.network.transmit(|_, _| ()).is_some() || !b.app.is_closed());
}

#[test]
fn closed_legs_are_given_back() {
    let engine = engine();
    assert_eq!(engine.legs(), 0);
    let mut legs: Vec<Leg> = (0..20).map(|n| engine.open(config(n)).unwrap()).collect();
    assert_eq!(engine.legs(), 20);
    for leg in &mut legs {
        leg.app.play(silence(1000)).unwrap();
    }
    // Either side's end is the leg's end.
    let mut survivors = Vec::new();
    for (n, leg) in legs.into_iter().enumerate() {
        let Leg { network, app, .. } = leg;
        match n % 3 {
            0 => drop((network, app)),
            1 => survivors.push((Some(network), None)),
            _ => survivors.push((None, Some(app))),
        }
    }
    wait_until(|| engine.legs() == 0);
    for (network, app) in &mut survivors {
        if let Some(network) = network {
            assert!(network.is_closed());
            let header = RtpHeader::default();
            let refused = network.receive(Instant::now(), &header, &[]);
            assert_eq!(refused, Err(Dropped::Closed));
        }
        if let Some(app) = app {
            assert!(app.is_closed());
            assert!(app.play(silence(20)).is_err());
            app.stop();
        }
    }
}

#[test]
fn a_full_engine_refuses_and_a_stopped_one_is_safe() {
    let engine = Engine::start(EngineConfig {
        workers: 1,
        legs_per_worker: 2,
        ..EngineConfig::default()
    })
    .unwrap();
    let mut first = engine.open(config(1)).unwrap();
    let second = engine.open(config(2)).unwrap();
    assert!(matches!(
        engine.open(config(3)),
        Err(EngineError::Full { legs: 2 })
    ));
    drop(second);
    wait_until(|| engine.legs() == 1);
    let third = engine.open(config(3)).unwrap();
    drop(engine);
    assert!(first.app.is_closed() && third.network.is_closed());
    assert!(first.app.play(silence(20)).is_err());
    let header = RtpHeader::default();
    assert!(first.network.receive(Instant::now(), &header, &[]).is_err());
}

#[test]
fn wrong_configurations_are_refused() {
    let tick = |ms| EngineConfig {
        tick: Duration::from_millis(ms),
        ..EngineConfig::default()
    };
    assert!(matches!(
        Engine::start(tick(0)),
        Err(EngineError::Config(_))
    ));
    assert!(matches!(
        Engine::start(tick(21)),
        Err(EngineError::Config(_))
    ));
    let engine = engine();
    assert!(matches!(
        engine.open(LegConfig::new(128, 1)),
        Err(EngineError::Format(_))
    ));
    let mut twice = config(1);
    twice.payload_type = 126;
    assert!(matches!(engine.open(twice), Err(EngineError::Format(_))));
    assert_eq!(engine.legs(), 0);
}

#[test]
fn floods_and_giants_are_dropped_and_counted() {
    let engine = engine();
    let mut leg = engine.open(config(1)).unwrap();
    let giant = [0; 1501];
    let header = |n: u32| RtpHeader {
        payload_type: 111,
        sequence: n as u16,
        timestamp: n * 960,
        ..RtpHeader::default()
    };
    let dropped = leg.network.receive(Instant::now(), &header(0), &giant);
    assert_eq!(dropped, Err(Dropped::Oversized));
    let mut full = 0u64;
    for n in 0..50_000 {
        let result = leg
            .network
            .receive(Instant::now(), &header(n), &[0xf8, 0xff, 0xfe]);
        full += u64::from(result == Err(Dropped::Full));
    }
    assert!(full > 0);
    wait_until(|| {
        let stats = leg.app.stats();
        stats.received + stats.dropped_full == 50_000
    });
    let stats = leg.app.stats();
    assert_eq!((stats.dropped_full, stats.dropped_oversized), (full, 1));
}

#[test]
fn an_application_that_does_not_listen_loses_levels_but_no_playout() {
    let engine = engine();
    let mut leg = engine
        .open(LegConfig {
            vad_frames: true,
            ..config(1)
        })
        .unwrap();
    let id = leg.app.play(silence(20)).unwrap();
    // More audio than the event ring takes, as fast as it is heard.
    let mut n = 0u32;
    wait_until(|| {
        let header = RtpHeader {
            payload_type: 111,
            sequence: n as u16,
            timestamp: n.wrapping_mul(960),
            ..RtpHeader::default()
        };
        if leg
            .network
            .receive(Instant::now(), &header, &[0xf8, 0xff, 0xfe])
            .is_ok()
        {
            n += 1;
        }
        leg.app.stats().events_dropped > 10
    });
    let last = leg.app.play(silence(20)).unwrap();
    let mut finished = Vec::new();
    wait_until(|| {
        while let Some(event) = leg.app.event() {
            if let MediaEvent::PlayFinished { id, .. } = event {
                finished.push(id);
            }
        }
        finished.len() == 2
    });
    assert_eq!(finished, [id, last]);
}

/// Two connected legs with live audio, and a tone for one to say.
fn live_pair() -> (Engine, [Leg; 2], [LiveAudio; 2], [f32; LIVE_FRAME]) {
    let engine = engine();
    let open = |ssrc| {
        let live = true;
        let config = LegConfig {
            live,
            ..config(ssrc)
        };
        let mut leg = engine.open(config).unwrap();
        let live = leg.live.take().unwrap();
        (leg, live)
    };
    let ((a, live_a), (b, live_b)) = (open(1), open(2));
    // 500 Hz: whole periods in a frame.
    let tone = std::array::from_fn(|n| 0.3 * (n as f32 * std::f32::consts::PI / 16.0).sin());
    (engine, [a, b], [live_a, live_b], tone)
}

#[test]
fn what_is_said_live_is_heard_by_whoever_listens() {
    let (_engine, [mut a, mut b], [mut from, mut to], tone) = live_pair();
    to.ears.listen();
    let (mut loud, mut last_ms) = (0, 0);
    connect(&mut a, &mut b, 0, |_, _| {
        // A synthesiser is faster than time: refused until there is room.
        while from.voice.say(&tone).is_ok() {}
        while let Some((end_ms, energy)) = to.ears.receive(|end_ms, samples| {
            (
                end_ms,
                samples.iter().map(|x| x * x).sum::<f32>() / LIVE_FRAME as f32,
            )
        }) {
            assert_eq!(end_ms, last_ms + 20);
            last_ms = end_ms;
            loud += usize::from((0.035..0.055).contains(&energy));
        }
        loud >= 25
    });
    assert!(loud >= 25, "{loud} of {last_ms} ms");
    assert_eq!(b.app.stats().heard_dropped, 0);
    assert_eq!(from.voice.say(&tone), Err(VoiceError::Full));
    assert!(!from.voice.is_idle());
    from.voice.hush();
    wait_until(|| from.voice.is_idle());
    drop(a);
    wait_until(|| from.voice.is_closed());
    assert_eq!(from.voice.say(&tone), Err(VoiceError::Closed));
}

#[test]
fn a_listener_who_takes_nothing_loses_audio_but_no_event_is_late() {
    let (_engine, [mut a, mut b], [_from, mut to], _) = live_pair();
    to.ears.listen();
    a.app.play(silence(1500)).unwrap();
    connect(&mut a, &mut b, 0, |first, event| {
        first && matches!(event, MediaEvent::PlayFinished { .. })
    });
    let stats = b.app.stats();
    assert!(stats.heard_dropped > 10, "{stats:?}");
    assert_eq!(stats.events_dropped, 0);
    let mut kept = 0;
    while to.ears.receive(|_, _| ()).is_some() {
        kept += 1;
    }
    assert!(kept >= 32, "{kept}");
    to.ears.rest();
    let before = b.app.stats();
    a.app.play(silence(300)).unwrap();
    connect(&mut a, &mut b, 0, |first, event| {
        first && matches!(event, MediaEvent::PlayFinished { .. })
    });
    let after = b.app.stats();
    assert!(after.received > before.received);
    assert!(to.ears.receive(|_, _| ()).is_none());
    assert!(after.heard_dropped <= before.heard_dropped + 1);
}

#[test]
fn a_deaf_leg_counts_and_forgets() {
    let engine = engine();
    let mut a = engine.open(config(1)).unwrap();
    let hear = false;
    let deaf = LegConfig { hear, ..config(2) };
    let mut b = engine.open(deaf).unwrap();
    a.app.play(digits()).unwrap();
    connect(&mut a, &mut b, 0, |first, event| {
        assert!(first, "a deaf leg tells nothing");
        matches!(event, MediaEvent::PlayFinished { .. })
    });
    wait_until(|| b.app.stats().received > 50);
}
