//! A caller's recorded response, from the beep to its fetching: in memory only, wiped,
//! handed out once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use switchboard_media::analysis::{Analyzer, AnalyzerConfig};
use switchboard_media::engine::LIVE_FRAME;
use switchboard_media::event::{Digit, MediaEvent};
use switchboard_media::wav;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Hub;
use super::conference::Samples;
use crate::cloud::{Clip, RecordEnd, RecordPlan};

const RATE: u32 = 16_000;
/// Clips that are kept at once; older ones are discarded.
const MAX_CLIPS: usize = 32;
/// A clip is discarded this long after its call, fetched or not.
pub(super) const KEPT: Duration = Duration::from_secs(60);
/// Length of a piece.
const FRAME_MS: u64 = 20;

/// What was said so far. Time is the audio's own.
pub(super) struct Recorder {
    plan: RecordPlan,
    /// Hears what no leg's analysis hears, and up to when it has.
    analyzer: Option<(Box<Analyzer>, u64)>,
    samples: Zeroizing<Vec<f32>>,
    /// Media time at the start, once the first piece is heard.
    begun: Option<u64>,
    speaking: bool,
    /// Where the last speech ended.
    spoke: Option<u64>,
    end: Option<RecordEnd>,
}

impl Recorder {
    pub(super) fn new(plan: RecordPlan) -> Self {
        // All at once, so that no unwiped copy is left behind.
        let most = RATE as usize * plan.longest.as_secs() as usize + LIVE_FRAME;
        Self {
            plan,
            analyzer: None,
            samples: Zeroizing::new(Vec::with_capacity(most)),
            begun: None,
            speaking: false,
            spoke: None,
            end: None,
        }
    }

    /// A recorder of a mix, which finds speech and keys in it itself.
    pub(super) fn of_a_mix(plan: RecordPlan) -> Self {
        let quiet = AnalyzerConfig {
            level: false,
            ..AnalyzerConfig::default()
        };
        Self {
            analyzer: Some((Box::new(Analyzer::new(quiet)), 0)),
            ..Self::new(plan)
        }
    }

    /// Takes the next 20 ms of a mix.
    pub(super) fn hear_mix(&mut self, samples: &[f32; LIVE_FRAME]) {
        let Some((mut analyzer, heard)) = self.analyzer.take() else {
            return;
        };
        let end_ms = heard + FRAME_MS;
        analyzer.process(samples, &mut |event| self.handle(&event));
        self.hear(end_ms, samples);
        self.analyzer = Some((analyzer, end_ms));
    }

    /// Takes 20 ms that end at `end_ms`.
    pub(super) fn hear(&mut self, end_ms: u64, samples: &[f32; LIVE_FRAME]) {
        if self.end.is_some() {
            return;
        }
        let begun = *self
            .begun
            .get_or_insert_with(|| end_ms.saturating_sub(FRAME_MS));
        self.samples.extend_from_slice(samples);
        let since = |then: u64| Duration::from_millis(end_ms.saturating_sub(then));
        self.end = if since(begun) >= self.plan.longest {
            Some(RecordEnd::Longest)
        } else if self.speaking {
            None
        } else if let Some(spoke) = self.spoke {
            (since(spoke) >= self.plan.pause).then_some(RecordEnd::Pause)
        } else {
            (since(begun) >= self.plan.initial).then_some(RecordEnd::NothingSaid)
        };
    }

    /// Takes what the analysis found in the same audio.
    pub(super) fn handle(&mut self, event: &MediaEvent) {
        match event {
            MediaEvent::SpeechStart { .. } => self.speaking = true,
            MediaEvent::SpeechEnd { end_ms, .. } => {
                self.speaking = false;
                self.spoke = Some(self.begun.map_or(*end_ms, |begun| begun.max(*end_ms)));
            }
            MediaEvent::DigitStart { digit, .. } if self.stops(*digit) => {
                self.end.get_or_insert(RecordEnd::StopTone);
            }
            _ => {}
        }
    }

    fn stops(&self, digit: Digit) -> bool {
        let key = digit.as_char();
        self.plan.stop_tones.chars().any(|stop| stop == key)
    }

    /// Breaks it off.
    pub(super) fn cancel(&mut self) {
        self.end = Some(RecordEnd::Cancelled);
    }

    /// How it ended, once it has.
    pub(super) fn end(&self) -> Option<RecordEnd> {
        self.end
    }

    /// The clip as a WAV file.
    pub(super) fn into_wav(self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(wav::write(RATE, &self.samples))
    }
}

/// A short high tone: speak now.
pub(super) fn beep() -> Samples {
    const LENGTH: usize = RATE as usize / 4;
    let wave = |n: usize| {
        let t = n as f32 / RATE as f32;
        let edge = (n.min(LENGTH - n) as f32 / 160.0).min(1.0);
        0.2 * edge * (std::f32::consts::TAU * 1000.0 * t).sin()
    };
    Arc::new(Zeroizing::new((0..LENGTH).map(wave).collect()))
}

/// Clips that wait to be fetched.
#[derive(Default)]
pub(super) struct Clips(VecDeque<Waiting>);

struct Waiting {
    id: String,
    call: String,
    token: Zeroizing<String>,
    wav: Zeroizing<Vec<u8>>,
}

impl Clips {
    fn add(&mut self, waiting: Waiting) {
        if self.0.len() == MAX_CLIPS {
            self.0.pop_front();
        }
        self.0.push_back(waiting);
    }

    /// Gives a clip away, if the token is its own.
    fn take(&mut self, id: &str, token: Option<&str>) -> Result<Zeroizing<Vec<u8>>, StatusCode> {
        let at = self.0.iter().position(|clip| clip.id == id);
        let at = at.ok_or(StatusCode::NOT_FOUND)?;
        let own = self.0[at].token.as_bytes();
        let given = token.unwrap_or_default().as_bytes();
        if aws_lc_rs::constant_time::verify_slices_are_equal(own, given).is_err() {
            return Err(StatusCode::UNAUTHORIZED);
        }
        let clip = self.0.remove(at).ok_or(StatusCode::NOT_FOUND)?;
        Ok(clip.wav)
    }

    fn discard(&mut self, call: &str) {
        self.0.retain(|clip| clip.call != call);
    }
}

impl Hub {
    /// Keeps a clip until it is fetched; where it is and what opens it.
    pub(super) fn keep_clip(&self, call: &str, wav: Zeroizing<Vec<u8>>) -> Clip {
        // Not from the seed: whoever knows this hears the caller.
        let (id, token) = (Uuid::new_v4(), Uuid::new_v4());
        let token = format!("{}{}", token.simple(), Uuid::new_v4().simple());
        self.lock().clips.add(Waiting {
            id: id.to_string(),
            call: call.to_owned(),
            token: Zeroizing::new(token.clone()),
            wav,
        });
        Clip {
            location: self.address(&format!("recordings/{id}")),
            token: Zeroizing::new(token),
        }
    }

    /// A call is over: what it left unfetched goes soon.
    pub(super) async fn discard_clips(self: Arc<Self>, call: String) {
        tokio::select! {
            () = tokio::time::sleep(KEPT) => {}
            () = self.stopped() => {}
            () = self.given_up() => {}
        }
        self.lock().clips.discard(&call);
    }
}

pub(crate) fn router() -> Router<Arc<Hub>> {
    Router::new().route("/recordings/{clip}", get(fetch))
}

async fn fetch(
    State(hub): State<Arc<Hub>>,
    Path(clip): Path<String>,
    headers: HeaderMap,
) -> Response {
    let bearer = headers.get(header::AUTHORIZATION);
    let bearer = bearer.and_then(|value| value.to_str().ok());
    let token = bearer.and_then(|value| value.strip_prefix("Bearer "));
    let taken = hub.lock().clips.take(&clip, token);
    match taken {
        Ok(wav) => {
            let kind = [
                (header::CONTENT_TYPE, "application/octet-stream"),
                (header::CACHE_CONTROL, "no-store"),
            ];
            (kind, Body::from(Bytes::from_owner(wav))).into_response()
        }
        Err(status) => status.into_response(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use switchboard_media::event::DigitSource;
    use switchboard_media::tone::{DtmfTone, dial};

    use super::*;

    fn plan(initial: u64, pause: u64, longest: u64) -> RecordPlan {
        RecordPlan {
            initial: Duration::from_secs(initial),
            pause: Duration::from_secs(pause),
            longest: Duration::from_secs(longest),
            stop_tones: Zeroizing::new("#".to_owned()),
        }
    }

    /// Hears silence until it ends, with events at their times; the time it took.
    fn run(plan: RecordPlan, events: &[(u64, MediaEvent)]) -> (u64, RecordEnd) {
        const START: u64 = 5_000;
        let mut recorder = Recorder::new(plan);
        for piece in 1.. {
            let now = START + piece * 20;
            for (_, event) in events.iter().filter(|(at, _)| at + START == now) {
                recorder.handle(event);
            }
            recorder.hear(now, &[0.0; LIVE_FRAME]);
            if let Some(end) = recorder.end() {
                assert!(recorder.samples.len() as u64 >= (piece - 1) * LIVE_FRAME as u64);
                return (now - START, end);
            }
        }
        unreachable!()
    }

    #[test]
    fn silence_pauses_length_and_keys_end_a_recording() {
        let start = |at| {
            (
                at,
                MediaEvent::SpeechStart {
                    start_ms: 5_000 + at,
                },
            )
        };
        let stop = |at| {
            let (start_ms, end_ms) = (5_000, 5_000 + at - 200);
            (at, MediaEvent::SpeechEnd { start_ms, end_ms })
        };
        let key = |key| MediaEvent::DigitStart {
            digit: Digit::from_char(key).unwrap(),
            source: DigitSource::Rtp,
            start_ms: 0,
        };
        assert_eq!(run(plan(2, 1, 9), &[]), (2_000, RecordEnd::NothingSaid));
        let spoken = [start(500), stop(3_000)];
        assert_eq!(run(plan(2, 1, 9), &spoken), (3_800, RecordEnd::Pause));
        assert_eq!(
            run(plan(2, 1, 3), &[start(500)]),
            (3_000, RecordEnd::Longest)
        );
        let keys = [start(500), (1_000, key('1')), (1_500, key('#'))];
        let (took, end) = run(plan(2, 1, 9), &keys);
        assert_eq!(end, RecordEnd::StopTone);
        assert_eq!(took, 1_500);
    }

    #[test]
    fn a_recorder_of_a_mix_hears_keys_and_silence_itself() {
        let mut recorder = Recorder::of_a_mix(plan(2, 1, 9));
        let mut pieces = 0;
        while recorder.end().is_none() {
            recorder.hear_mix(&[0.0; LIVE_FRAME]);
            pieces += 1;
        }
        assert_eq!(
            (pieces, recorder.end()),
            (100, Some(RecordEnd::NothingSaid))
        );
        let mut recorder = Recorder::of_a_mix(plan(5, 1, 9));
        let tone = DtmfTone::new(Digit::from_char('#').unwrap());
        let key = dial(RATE, "#", &tone);
        let (pieces, _) = key.as_chunks::<LIVE_FRAME>();
        for piece in pieces {
            recorder.hear_mix(piece);
        }
        assert_eq!(recorder.end(), Some(RecordEnd::StopTone));
        let mut recorder = Recorder::of_a_mix(plan(5, 1, 9));
        recorder.cancel();
        recorder.hear_mix(&[0.0; LIVE_FRAME]);
        assert_eq!(recorder.end(), Some(RecordEnd::Cancelled));
    }

    #[test]
    fn a_clip_is_given_once_and_to_its_token_alone() {
        let mut clips = Clips::default();
        let add = |clips: &mut Clips, id: &str| {
            clips.add(Waiting {
                id: id.to_owned(),
                call: "call".to_owned(),
                token: Zeroizing::new("token".to_owned()),
                wav: Zeroizing::new(vec![1]),
            });
        };
        add(&mut clips, "a");
        assert_eq!(clips.take("b", Some("token")), Err(StatusCode::NOT_FOUND));
        assert_eq!(clips.take("a", None), Err(StatusCode::UNAUTHORIZED));
        assert_eq!(
            clips.take("a", Some("tokem")),
            Err(StatusCode::UNAUTHORIZED)
        );
        assert_eq!(*clips.take("a", Some("token")).unwrap(), [1]);
        assert_eq!(clips.take("a", Some("token")), Err(StatusCode::NOT_FOUND));
        for n in 0..=MAX_CLIPS {
            add(&mut clips, &n.to_string());
        }
        assert_eq!(clips.take("0", Some("token")), Err(StatusCode::NOT_FOUND));
        clips.discard("call");
        assert!(clips.0.is_empty());
    }
}
