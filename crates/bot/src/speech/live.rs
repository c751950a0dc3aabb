//! Texts spoken into a call while they are being made: one task for each call, beside
//! the call's own and the media threads.

use std::sync::Arc;
use std::time::Duration;

use switchboard_media::engine::{LIVE_FRAME, Voice, VoiceError};
use switchboard_media::resample::Stream;
use tokio::sync::mpsc;
use tracing::Instrument as _;
use zeroize::Zeroizing;

use super::{Sink, SpeechError, Synthesizer};
use crate::agent::SharedVoice;
use crate::flow::Words;

/// A frame of live audio.
const FRAME: Duration = Duration::from_millis(20);
const ORDERS: usize = 16;

/// What became of an utterance, by its number.
#[derive(Debug)]
pub(crate) enum Spoken {
    /// Its first audio is on its way.
    Started(u64),
    /// It was spoken to its end, or couldn't be.
    Finished(u64),
}

enum Order {
    Say(u64, Words),
    Stop,
}

/// The voice of a call. Dropping it silences it.
pub(crate) struct Line {
    orders: mpsc::Sender<Order>,
    events: mpsc::Receiver<Spoken>,
    last: u64,
}

impl Line {
    /// Gives a call a voice.
    pub(crate) fn new(voice: SharedVoice, synthesizer: Arc<Synthesizer>, language: String) -> Self {
        let (orders, todo) = mpsc::channel(ORDERS);
        let (tell, events) = mpsc::channel(ORDERS);
        let speaker = Speaker {
            voice,
            synthesizer,
            language,
            tell,
        };
        tokio::spawn(speaker.run(todo).in_current_span());
        Self {
            orders,
            events,
            last: 0,
        }
    }

    /// Says words in place of what is being said; `None` when it can't.
    pub(crate) fn say(&mut self, words: Words) -> Option<u64> {
        self.last += 1;
        let sent = self.orders.try_send(Order::Say(self.last, words));
        sent.ok().map(|()| self.last)
    }

    /// Falls silent, by the next frame.
    pub(crate) fn stop(&mut self) {
        // A full queue ends with newer words, which silence the old ones too.
        let _ = self.orders.try_send(Order::Stop);
    }

    /// What happened next; waits for ever once the voice is gone. Cancel-safe.
    pub(crate) async fn event(&mut self) -> Spoken {
        match self.events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }
}

struct Speaker {
    voice: SharedVoice,
    synthesizer: Arc<Synthesizer>,
    language: String,
    tell: mpsc::Sender<Spoken>,
}

impl Speaker {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut next = orders.recv().await;
        while let Some(order) = next.take() {
            let Order::Say(id, words) = order else {
                next = orders.recv().await;
                continue;
            };
            let heard = tokio::select! {
                biased;
                order = orders.recv() => Some(order),
                () = self.say(id, &words) => None,
            };
            next = match heard {
                Some(order) => order,
                None => orders.recv().await,
            };
        }
    }

    async fn say(&mut self, id: u64, words: &Words) {
        let mut voice = self.voice.lock().await;
        let mut utterance = Utterance {
            id,
            voice: &mut voice,
            tell: &self.tell,
            stream: None,
            frame: Zeroizing::new([0.0; LIVE_FRAME]),
            filled: 0,
            begun: false,
            ended: false,
        };
        let spoken = self
            .synthesizer
            .speak(words.as_str(), &self.language, &mut utterance)
            .await;
        if let Err(error) = spoken {
            tracing::warn!(%error, "words were not spoken");
        }
        if utterance.end().await.is_ok() {
            // Nobody to tell: the call is over.
            let _ = self.tell.send(Spoken::Finished(id)).await;
        }
    }
}

/// Resamples what comes and says it as fast as it is sent. Falls silent when dropped
/// before its end.
struct Utterance<'a> {
    id: u64,
    voice: &'a mut Voice,
    tell: &'a mpsc::Sender<Spoken>,
    stream: Option<(u32, Stream)>,
    frame: Zeroizing<[f32; LIVE_FRAME]>,
    filled: usize,
    begun: bool,
    ended: bool,
}

impl Drop for Utterance<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.voice.hush();
        }
    }
}

impl Sink for Utterance<'_> {
    async fn take(&mut self, rate: u32, samples: &[f32]) -> Result<(), SpeechError> {
        let mut stream = match self.stream.take() {
            Some((known, stream)) if known == rate => stream,
            _ => {
                Stream::new(rate).map_err(|_| SpeechError::Audio("its rate can't be converted"))?
            }
        };
        let mut out = Zeroizing::new(Vec::with_capacity(samples.len() * 2));
        stream.push(samples, &mut |piece| out.extend_from_slice(piece));
        self.stream = Some((rate, stream));
        self.say(&out).await
    }
}

impl Utterance<'_> {
    async fn say(&mut self, mut samples: &[f32]) -> Result<(), SpeechError> {
        while !samples.is_empty() {
            let now = samples.len().min(LIVE_FRAME - self.filled);
            self.frame[self.filled..][..now].copy_from_slice(&samples[..now]);
            samples = &samples[now..];
            self.filled += now;
            if self.filled == LIVE_FRAME {
                self.send().await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), SpeechError> {
        self.filled = 0;
        loop {
            match self.voice.say(&self.frame) {
                Ok(()) => break,
                Err(VoiceError::Full) => tokio::time::sleep(FRAME).await,
                Err(VoiceError::Closed) => return Err(SpeechError::Gone),
                Err(VoiceError::Encode(_)) => return Err(SpeechError::Audio("libopus refused it")),
            }
        }
        if !std::mem::replace(&mut self.begun, true) {
            let _ = self.tell.send(Spoken::Started(self.id)).await;
        }
        Ok(())
    }

    /// Says what is left, with silence for what the filter holds back, and waits until
    /// it is sent.
    async fn end(mut self) -> Result<(), SpeechError> {
        if let Some(&(rate, _)) = self.stream.as_ref() {
            let silence = vec![0.0; rate as usize / 50];
            self.take(rate, &silence).await?;
        }
        if self.filled > 0 {
            let filled = self.filled;
            self.frame[filled..].fill(0.0);
            self.send().await?;
        }
        while !self.voice.is_idle() {
            if self.voice.is_closed() {
                return Err(SpeechError::Gone);
            }
            tokio::time::sleep(FRAME).await;
        }
        self.ended = true;
        Ok(())
    }
}
