//! A caller's words that are kept for the call alone: played back for approval, handed
//! to a web service, and gone.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use switchboard_media::engine::LIVE_FRAME;
use switchboard_media::prompt::Prompt;
use switchboard_signaling::clock;
use tokio::task::JoinHandle;
use tracing::Instrument as _;
use zeroize::Zeroizing;

use super::{Awaited, Hook, Media, Task};
use crate::conversation::Saying;
use crate::flow::{Action, Input, Keep, Response};
use crate::prompts::{Recording, Sound};

const RATE: u32 = 16_000;
/// How long a caller may think before the first word.
const BEFORE_THE_FIRST_WORD: Duration = Duration::from_secs(10);
/// What watchers see of what was kept.
const NAME: &str = "what was kept";

/// Keeps what is heard, without IO.
pub(super) struct Recorder {
    samples: Zeroizing<Vec<f32>>,
    most: usize,
    pause: usize,
    speaking: bool,
    spoken: bool,
    /// Samples since somebody spoke.
    quiet: usize,
}

impl Recorder {
    pub(super) fn new(keep: &Keep) -> Self {
        let samples = |time: Duration| (time.as_secs_f64() * f64::from(RATE)) as usize;
        let most = samples(keep.most);
        Self {
            // All of it at once, so that no unwiped copy is left.
            samples: Zeroizing::new(Vec::with_capacity(most + LIVE_FRAME)),
            most,
            pause: samples(keep.pause),
            speaking: false,
            spoken: false,
            quiet: 0,
        }
    }

    pub(super) fn speech(&mut self, speaking: bool) {
        self.speaking = speaking;
        self.spoken |= speaking;
        self.quiet = 0;
    }

    pub(super) fn push(&mut self, samples: &[f32]) {
        if !self.is_over() {
            self.samples.extend_from_slice(samples);
            self.quiet += samples.len();
        }
    }

    pub(super) fn is_over(&self) -> bool {
        let patience = match self.spoken {
            true => self.pause,
            false => BEFORE_THE_FIRST_WORD.as_secs() as usize * RATE as usize,
        };
        self.samples.len() >= self.most || !self.speaking && self.quiet >= patience
    }

    /// What was said, if anything was.
    pub(super) fn finish(self) -> Option<Sound> {
        self.spoken.then_some(Sound {
            rate: RATE,
            samples: self.samples,
        })
    }
}

/// What was kept, on its way to be played.
pub(super) struct Preparing(JoinHandle<Option<Recording>>);

impl Preparing {
    /// Waits for it; `None` if it can't be played. Cancel-safe.
    pub(super) async fn recording(&mut self) -> Option<Recording> {
        (&mut self.0).await.ok().flatten()
    }
}

impl Task {
    pub(super) fn begin_keeping(&mut self, keep: &Keep) -> Vec<Action> {
        self.kept = None;
        let begun = match &mut self.media {
            Media::Application(ours) => {
                if let (Some(session), Some(beep)) = (&mut ours.session, beep()) {
                    // The caller can speak without it, too.
                    let _ = session.play(beep);
                }
                let listener = ours.listener.as_mut();
                listener.map(|listener| listener.record(Recorder::new(keep)))
            }
            Media::Service(_) => self.have_recorded(keep),
        };
        match begun {
            Some(()) => Vec::new(),
            None => {
                tracing::warn!(call = ?self.control.id(), "nothing can be kept");
                self.talk.input(clock::now(), Input::Kept(false))
            }
        }
    }

    fn have_recorded(&mut self, keep: &Keep) -> Option<()> {
        let response = Response {
            initial: BEFORE_THE_FIRST_WORD,
            pause: keep.pause,
            most: keep.most,
            beep: true,
            keys: keep.stop.into_iter().collect(),
            keys_choose: false,
        };
        self.have_response(&response, Awaited::Keeping)
            .then_some(())
    }

    /// That is enough. Where Graph records, its own stop tone ends it.
    pub(super) fn end_keeping(&mut self, now: Instant) -> Vec<Action> {
        let Media::Application(ours) = &mut self.media else {
            return Vec::new();
        };
        let recorder = ours
            .listener
            .as_mut()
            .and_then(|listener| listener.recorder.take());
        match recorder {
            Some(recorder) => self.keep(now, recorder.finish()),
            None => Vec::new(),
        }
    }

    pub(super) fn keep(&mut self, now: Instant, sound: Option<Sound>) -> Vec<Action> {
        self.kept = sound.map(Arc::new);
        self.talk.input(now, Input::Kept(self.kept.is_some()))
    }

    /// Whether the recording has come to its end by itself.
    pub(super) fn look_after_keeping(&mut self, now: Instant) -> Vec<Action> {
        let Media::Application(ours) = &self.media else {
            return Vec::new();
        };
        let recorder = ours
            .listener
            .as_ref()
            .and_then(|listener| listener.recorder.as_ref());
        match recorder.is_some_and(Recorder::is_over) {
            true => self.end_keeping(now),
            false => Vec::new(),
        }
    }

    pub(super) fn play_back(&mut self) -> Vec<Action> {
        let Some(sound) = self.kept.clone() else {
            return self.said(None, None);
        };
        self.hush();
        match self.media {
            Media::Application(_) => {
                // Two minutes take a while to encode.
                let encode = move || sound.packets().ok();
                self.preparing = Some(Preparing(tokio::task::spawn_blocking(encode)));
                Vec::new()
            }
            Media::Service(_) => {
                let path = self.shared.serve_once(|path| sound.file(path).ok());
                let saying = self.play_once(path);
                self.said(saying, Some(NAME.to_owned()))
            }
        }
    }

    pub(super) fn prepared(&mut self, recording: Option<&Recording>) -> Vec<Action> {
        self.preparing = None;
        let saying = match (&mut self.media, recording) {
            (Media::Application(ours), Some(Recording::Packets(prompt))) => {
                let session = ours.session.as_mut();
                let played = session.map(|session| session.play(Arc::clone(prompt)));
                played.and_then(Result::ok).map(Saying::Prompt)
            }
            _ => None,
        };
        self.said(saying, Some(NAME.to_owned()))
    }

    /// Hands what was kept to a web service.
    pub(super) fn deliver(&mut self, url: &str) {
        let (question, hooks) = (self.question(), self.shared.hooks.clone());
        let (node, call) = (question.node.to_owned(), question.call.to_owned());
        let posted = self
            .kept
            .clone()
            .map(|sound| hooks.deliver(url, &question, sound));
        let post = async move {
            let result = posted?.await;
            result
                .inspect_err(
                    |error| tracing::warn!(call, %error, "what was kept was not delivered"),
                )
                .ok()
        };
        let answer = tokio::spawn(post.in_current_span());
        self.hook = Some(Hook {
            node,
            answer,
            delivers: true,
        });
    }
}

/// 200 ms of 1 kHz, as answering machines have it.
fn beep() -> Option<Arc<Prompt>> {
    static BEEP: OnceLock<Option<Arc<Prompt>>> = OnceLock::new();
    let make = || {
        let tone = (0..RATE / 5).map(|n| {
            let t = n as f32 / RATE as f32;
            0.2 * (std::f32::consts::TAU * 1_000.0 * t).sin()
        });
        Prompt::from_samples(RATE, &tone.collect::<Vec<_>>()).ok()
    };
    BEEP.get_or_init(make).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder() -> Recorder {
        Recorder::new(&Keep {
            most: Duration::from_secs(20),
            pause: Duration::from_secs(2),
            stop: None,
        })
    }

    fn hear(recorder: &mut Recorder, seconds: usize) {
        for _ in 0..seconds * 50 {
            recorder.push(&[0.1; LIVE_FRAME]);
        }
    }

    #[test]
    fn a_pause_ends_it_but_not_while_somebody_speaks() {
        let mut recorder = recorder();
        hear(&mut recorder, 3);
        recorder.speech(true);
        hear(&mut recorder, 5);
        recorder.speech(false);
        hear(&mut recorder, 1);
        recorder.speech(true);
        recorder.speech(false);
        hear(&mut recorder, 1);
        assert!(!recorder.is_over());
        hear(&mut recorder, 1);
        assert!(recorder.is_over());
        hear(&mut recorder, 1);
        let kept = recorder.finish().unwrap();
        assert_eq!(kept.samples.len(), 11 * RATE as usize);
    }

    #[test]
    fn it_has_a_longest_duration_and_silence_is_nothing() {
        let mut long = recorder();
        long.speech(true);
        hear(&mut long, 30);
        assert_eq!(long.finish().unwrap().samples.len(), 20 * RATE as usize);
        let mut silent = recorder();
        hear(&mut silent, 9);
        assert!(!silent.is_over());
        hear(&mut silent, 1);
        assert!(silent.is_over() && silent.finish().is_none());
    }
}
