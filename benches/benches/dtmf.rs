//! The DTMF detector on 60 s of telephone audio, so that × real time is
//! 60 s / time. With the feature `peers`, beside spandsp's on the same samples
//! at 8 kHz (Debian: `libspandsp-dev`).

#![allow(clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use switchboard_media::dtmf::{Detector, Rate};
use switchboard_media::event::Digit;
use switchboard_media::resample::convert;
use switchboard_media::tone::{DtmfTone, dial};
use switchboard_media::wav;

const SECONDS: usize = 60;

/// Speech with pauses at 8 kHz, as recorded.
fn speech() -> Vec<f32> {
    let bytes = include_bytes!("../../fixtures/speech/read-en.wav");
    let wav = wav::read(bytes).unwrap();
    let audio = convert(wav.rate, 8_000, &wav.mono()).unwrap();
    audio
        .iter()
        .copied()
        .cycle()
        .take(8_000 * SECONDS)
        .collect()
}

/// Keys, 60 ms each with as much between, all the time.
fn keys() -> Vec<f32> {
    let like = DtmfTone {
        duration_ms: 60.0,
        pause_ms: 60.0,
        ..DtmfTone::new(Digit::ALL[0])
    };
    let audio = dial(8_000, "0123456789*#ABCD", &like);
    audio.into_iter().cycle().take(8_000 * SECONDS).collect()
}

fn ours(c: &mut Criterion) {
    let mut group = c.benchmark_group("DTMF in 60 s");
    for (what, audio) in [("speech", speech()), ("keys", keys())] {
        for rate in [Rate::Hz8000, Rate::Hz16000, Rate::Hz48000] {
            let audio = convert(8_000, rate.hz(), &audio).unwrap();
            let mut detector = Detector::new(rate);
            let id = BenchmarkId::new(format!("ours {} Hz", rate.hz()), what);
            group.bench_function(id, |b| {
                b.iter(|| {
                    for block in audio.chunks(rate.hz() as usize / 50) {
                        detector.push(black_box(block), &mut |event| {
                            black_box(event);
                        });
                    }
                });
            });
        }
        #[cfg(feature = "peers")]
        {
            let samples: Vec<i16> = audio.iter().map(|x| (x * 32_767.0) as i16).collect();
            let mut peer = spandsp::DtmfReceiver::new();
            group.bench_function(BenchmarkId::new("spandsp 8000 Hz", what), |b| {
                b.iter(|| {
                    let blocks = samples.chunks(160);
                    black_box(
                        blocks
                            .map(|block| peer.push(black_box(block)))
                            .sum::<usize>(),
                    )
                });
            });
        }
    }
    group.finish();
}

/// spandsp's DTMF receiver.
#[cfg(feature = "peers")]
#[allow(unsafe_code)]
mod spandsp {
    use std::ffi::{c_char, c_int, c_void};
    use std::ptr;

    type Callback = extern "C" fn(*mut c_void, *const c_char, c_int);

    #[link(name = "spandsp")]
    unsafe extern "C" {
        fn dtmf_rx_init(
            state: *mut c_void,
            callback: Option<Callback>,
            user_data: *mut c_void,
        ) -> *mut c_void;
        fn dtmf_rx(state: *mut c_void, samples: *const i16, count: c_int) -> c_int;
        fn dtmf_rx_get(state: *mut c_void, digits: *mut c_char, max: c_int) -> usize;
        fn dtmf_rx_free(state: *mut c_void) -> c_int;
    }

    pub(super) struct DtmfReceiver(*mut c_void);

    impl DtmfReceiver {
        pub(super) fn new() -> Self {
            // SAFETY: without a state it allocates one; no callback is given.
            let state = unsafe { dtmf_rx_init(ptr::null_mut(), None, ptr::null_mut()) };
            assert!(!state.is_null());
            Self(state)
        }

        /// Hears a block; gives how many keys it brought.
        pub(super) fn push(&mut self, samples: &[i16]) -> usize {
            let mut digits = [0; 16];
            // SAFETY: the state is that of `new`; the lengths are the slices'
            // own, one less for the end mark.
            unsafe {
                dtmf_rx(self.0, samples.as_ptr(), samples.len() as c_int);
                dtmf_rx_get(self.0, digits.as_mut_ptr(), digits.len() as c_int - 1)
            }
        }
    }

    impl Drop for DtmfReceiver {
        fn drop(&mut self) {
            // SAFETY: the state is that of `new`, not used any more.
            unsafe { dtmf_rx_free(self.0) };
        }
    }
}

criterion_group!(benches, ours);
criterion_main!(benches);
