//! A caller's response where Graph handles the media: recorded by Graph, fetched once,
//! handed to the engine as if it were heard now, and gone.

use switchboard_media::resample;
use switchboard_nlp::{Event, SpeechFrame, Transient};
use switchboard_signaling::call::Command;
use switchboard_signaling::request::{self, RecordingHosts, recording_of};
use switchboard_signaling::types::{CommsOperation, RecordResponseRequest};
use tokio::task::JoinHandle;
use tracing::Instrument as _;
use url::Url;
use zeroize::Zeroizing;

use super::{Awaited, Media, Task};
use crate::prompts::Sound;

/// The longest response Graph records; the flow's own limit ends it before.
const LONGEST_SECONDS: i32 = 120;
/// Silence that ends a response.
const PAUSE_SECONDS: i32 = 2;
/// Samples of a frame: 20 ms at 16 kHz.
const FRAME: usize = 320;

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
    /// Has Graph record what the caller says, if an engine wants to hear it. Media of
    /// our own is heard anyway.
    pub(super) fn record(&mut self, begin: bool) {
        if !matches!(self.media, Media::Service(_)) || !self.talk.wants().audio {
            return;
        }
        if !begin {
            let open = |(_, awaited): &(_, Awaited)| *awaited == Awaited::Recording;
            if self.awaited.iter().any(open) {
                self.cancel_media();
            }
            return;
        }
        let body = RecordResponseRequest {
            max_record_duration_in_seconds: Some(LONGEST_SECONDS),
            max_silence_timeout_in_seconds: Some(PAUSE_SECONDS),
            play_beep: Some(true),
            stop_tones: Some(vec!["#".to_owned()]),
            ..RecordResponseRequest::default()
        };
        if let Some(Ok(record)) = self
            .control
            .id()
            .map(|id| request::record_response(id, &body))
        {
            self.order_awaited(Command::Operation(record), Awaited::Recording);
        }
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
