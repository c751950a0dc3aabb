//! A caller's response where Graph handles the media: recorded by Graph, fetched once,
//! handed to the engine as if it were heard now, and gone.

use std::time::{Duration, Instant};

use switchboard_media::resample;
use switchboard_nlp::{Event, SpeechFrame, Transient};
use switchboard_signaling::call::{Command, Failure};
use switchboard_signaling::clock;
use switchboard_signaling::request::{self, RecordingHosts, recording_of};
use switchboard_signaling::types::{CommsOperation, RecordResponseRequest};
use tokio::task::JoinHandle;
use tracing::Instrument as _;
use url::Url;
use zeroize::Zeroizing;

use super::{Awaited, LISTEN_EVERY, Media, Task};
use crate::flow::{Action, Input, Response, Told};
use crate::prompts::Sound;

/// Samples of a frame: 20 ms at 16 kHz.
const FRAME: usize = 320;
/// Events of a response that an engine gets at once, 16 times as fast as they were said: more
/// would overrun what waits for its connection when that is held up.
const AT_ONCE: usize = 8;
/// Nobody spoke (cloud communications, error codes).
const NOTHING_SAID: i32 = 8510;
/// A key has ended a recording.
const STOP_TONE: i32 = 8514;

/// A recording on its way from Graph.
pub(super) struct Fetching {
    sound: JoinHandle<Option<Sound>>,
    /// It is kept for the call, not for the engine.
    pub(super) keep: bool,
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.sound.abort();
    }
}

impl Fetching {
    /// Waits for it; `None` if it can't be had. Cancel-safe.
    pub(super) async fn sound(&mut self) -> Option<Sound> {
        (&mut self.sound).await.ok().flatten()
    }
}

impl Task {
    /// Has Graph record what the caller says, once an engine wants to hear it. Media of
    /// our own is heard anyway.
    pub(super) fn record(&mut self, response: Response) {
        if let Media::Service(service) = &mut self.media {
            service.to_record = Some(response);
        }
    }

    /// Begins what is to be recorded, if there is somebody to hear it.
    pub(super) fn begin_response(&mut self, now: Instant) {
        let wanted = self.talk.wants().audio;
        let Media::Service(service) = &mut self.media else {
            return;
        };
        let Some(response) = service.to_record.take_if(|_| wanted) else {
            return;
        };
        service.keys_choose = response.keys_choose;
        let told = match self.have_response(&response, Awaited::Recording) {
            true => Told::Begun,
            false => Told::Lost,
        };
        let actions = self.talk.input(now, Input::Response(told));
        self.carry_out(actions);
    }

    /// Asks Graph to record; whether the order was taken.
    pub(super) fn have_response(&mut self, response: &Response, awaited: Awaited) -> bool {
        let seconds = |time: Duration| Some((time.as_secs_f64().ceil() as i32).clamp(1, 120));
        let keys = response.keys.chars();
        let body = RecordResponseRequest {
            initial_silence_timeout_in_seconds: seconds(response.initial),
            max_silence_timeout_in_seconds: seconds(response.pause),
            max_record_duration_in_seconds: seconds(response.most),
            play_beep: Some(response.beep),
            stop_tones: Some(keys.map(String::from).collect()),
            ..RecordResponseRequest::default()
        };
        let id = self.control.id();
        match id.map(|id| request::record_response(id, &body)) {
            Some(Ok(record)) => self.order_awaited(Command::Operation(record), awaited),
            _ => false,
        }
    }

    /// What is recorded, or was, is of no use any more.
    pub(super) fn end_recording(&mut self) -> Vec<Action> {
        let Media::Service(service) = &mut self.media else {
            return Vec::new();
        };
        service.to_record = None;
        service.hear_at = None;
        let end = service.response.pop_back();
        service.response.clear();
        self.fetching.take_if(|fetching| !fetching.keep);
        let before = self.awaited.len();
        self.awaited
            .retain(|(_, awaited)| *awaited != Awaited::Recording);
        if self.awaited.len() < before {
            self.cancel_media();
        }
        // An engine that has heard the beginning hears that it is over.
        let end = end.map(|end| self.talk.tell(clock::now(), end));
        end.unwrap_or_default()
    }

    /// Graph has recorded nothing: nobody spoke, or it could not.
    pub(super) fn not_recorded(&mut self, now: Instant, failure: &Failure) -> Vec<Action> {
        let subcode = match failure {
            Failure::Failed(Some(result)) => result.subcode,
            _ => None,
        };
        let told = match subcode {
            Some(NOTHING_SAID) => Told::Nothing,
            _ => {
                tracing::warn!(call = ?self.control.id(), ?failure, "a response was not recorded");
                Told::Lost
            }
        };
        self.talk.input(now, Input::Response(told))
    }

    /// Graph has recorded what was said, if anything was.
    pub(super) fn responded(&mut self, now: Instant, operation: &CommsOperation) -> Vec<Action> {
        let result = operation.result_info.as_ref();
        let by_key = result.and_then(|result| result.subcode) == Some(STOP_TONE);
        // The key itself is told, too.
        let chosen = by_key && matches!(&self.media, Media::Service(now) if now.keys_choose);
        if !chosen && self.fetch(operation, false) {
            return Vec::new();
        }
        let told = if chosen { Told::Said } else { Told::Lost };
        self.talk.input(now, Input::Response(told))
    }

    /// What was recorded is there: an engine hears it as if it were said now, faster.
    pub(super) fn response_is_there(&mut self, now: Instant, sound: Option<&Sound>) -> Vec<Action> {
        let Media::Service(service) = &mut self.media else {
            return Vec::new();
        };
        service.response = sound.map(events).unwrap_or_default().into();
        match service.response.is_empty() {
            true => self.talk.input(now, Input::Response(Told::Lost)),
            false => self.hear_response(now),
        }
    }

    /// Gives the engine the next part.
    pub(super) fn hear_response(&mut self, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        for _ in 0..AT_ONCE {
            let Media::Service(service) = &mut self.media else {
                return actions;
            };
            let Some(event) = service.response.pop_front() else {
                break;
            };
            // Who is told first has the answer's time begin before there is one.
            if service.response.is_empty() {
                actions.extend(self.talk.input(now, Input::Response(Told::Said)));
            }
            actions.extend(self.talk.tell(now, event));
        }
        if let Media::Service(service) = &mut self.media {
            service.hear_at = (!service.response.is_empty()).then(|| now + LISTEN_EVERY);
        }
        actions
    }

    /// Graph has recorded a response; whether it is being fetched.
    pub(super) fn fetch(&mut self, operation: &CommsOperation, keep: bool) -> bool {
        let Ok(base) = Url::parse(&self.shared.graph_base) else {
            return false;
        };
        let (location, token) = match recording_of(operation, &base, &RecordingHosts::default()) {
            Ok((location, token)) => (location, token.clone()),
            Err(error) => {
                tracing::warn!(%error, "a response is not fetched");
                return false;
            }
        };
        let hooks = self.shared.hooks.clone();
        let fetch = async move {
            let bytes = hooks.fetch(location, token.expose()).await;
            let bytes = bytes
                .inspect_err(|error| tracing::warn!(%error, "a response could not be fetched"))
                .ok()?;
            Sound::read(&bytes).ok()
        };
        let sound = tokio::spawn(fetch.in_current_span());
        self.fetching = Some(Fetching { sound, keep });
        true
    }
}

/// A response as an engine hears speech.
pub(super) fn events(sound: &Sound) -> Vec<Event> {
    let Ok(samples) = resample::to_16k(sound.rate, &sound.samples) else {
        return Vec::new();
    };
    let frames = samples.chunks(FRAME).enumerate().map(|(index, frame)| {
        let values = frame.iter();
        let values = values.map(|value| (value * 32_768.0).clamp(-32_768.0, 32_767.0) as i16);
        let values = Zeroizing::new(values.collect::<Vec<_>>());
        Event::Speech(Transient::new(SpeechFrame {
            t_ms: index as u64 * 20,
            samples: values.as_slice().into(),
        }))
    });
    let t_ms = samples.len() as u64 / 16;
    let end = Event::SpeechEnd {
        t_ms,
        duration_ms: t_ms,
    };
    let start = Event::SpeechStart { t_ms: 0 };
    std::iter::once(start).chain(frames).chain([end]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_one_utterance() {
        let sound = Sound {
            rate: 8_000,
            samples: Zeroizing::new(vec![0.1; 8_000]),
        };
        let events = events(&sound);
        assert_eq!(events.len(), 52, "a second of frames, a start and an end");
        assert!(matches!(events[0], Event::SpeechStart { t_ms: 0 }));
        assert!(matches!(
            events[51],
            Event::SpeechEnd {
                t_ms: 1000,
                duration_ms: 1000
            }
        ));
        let Event::Speech(last) = &events[50] else {
            panic!("no frame before the end")
        };
        last.with(|last| assert_eq!((last.t_ms, last.samples.len()), (980, 320)));
    }
}
