//! An agent's audio on its way into the call.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use switchboard_media::codec::mulaw;
use switchboard_media::engine::{LIVE_FRAME, Voice, VoiceError};
use switchboard_media::resample::Stream;
use switchboard_nlp::adapter::{Agent, AgentEnd, Protocol};
use tokio::sync::OwnedMutexGuard;
use zeroize::{Zeroize, Zeroizing};

/// Frames that are in the media engine's hands: enough for a task that is late by two,
/// and what an agent's `clear` has to take back there.
const AHEAD: usize = 3;
/// How often to look whether the engine has room.
const TICK: Duration = Duration::from_millis(10);
/// Samples that may wait here: a frame, and what a block of the resampler makes of more.
const ROOM: usize = 4 * LIVE_FRAME;

/// Plays what an agent says, as fast as it is sent, and tells the agent when its marks
/// are reached. Falls silent when dropped.
pub(super) struct Player {
    agent: Arc<Agent>,
    voice: OwnedMutexGuard<Voice>,
    resampler: Option<Stream>,
    bytes: Zeroizing<Vec<u8>>,
    samples: Zeroizing<Vec<f32>>,
    /// Frames given to the engine.
    said: u64,
    /// Marks, and the frame each lies behind.
    marks: VecDeque<(u64, String)>,
    /// Whether the filter still holds something back.
    held_back: bool,
}

impl Player {
    pub(super) fn new(
        agent: Arc<Agent>,
        voice: OwnedMutexGuard<Voice>,
        resampler: Option<Stream>,
    ) -> Self {
        let protocol = agent.protocol();
        Self {
            bytes: Zeroizing::new(vec![0; protocol.frame_size()]),
            samples: Zeroizing::new(Vec::with_capacity(ROOM)),
            agent,
            voice,
            resampler,
            said: 0,
            marks: VecDeque::new(),
            held_back: false,
        }
    }

    /// Plays until the agent's part is over and all of it was sent, or the call is gone.
    pub(super) async fn run(mut self) -> AgentEnd {
        loop {
            // Asked first: what came before the end is then known to be all.
            let end = self.agent.end();
            if self.voice.is_closed() {
                return AgentEnd::Lost;
            }
            let idle = self.advance();
            match (idle, end) {
                (true, Some(end)) => return end,
                (true, None) => self.agent.changed().await,
                (false, _) => {
                    // A clear is obeyed at once.
                    tokio::select! {
                        () = self.agent.changed() => {}
                        () = tokio::time::sleep(TICK) => {}
                    }
                }
            }
        }
    }

    /// Does what can be done now; whether nothing is left to do.
    fn advance(&mut self) -> bool {
        if self.agent.take_cleared() {
            self.forget();
        }
        while self.voice.waiting() < AHEAD && self.next_frame() {}
        let sent = self.said - self.voice.waiting() as u64;
        while self
            .marks
            .front()
            .is_some_and(|(behind, _)| *behind <= sent)
        {
            if let Some((_, mark)) = self.marks.pop_front() {
                self.agent.played(mark);
            }
        }
        self.voice.is_idle() && self.samples.is_empty() && !self.held_back
    }

    /// What the agent took back is not said; its marks count as reached.
    fn forget(&mut self) {
        self.voice.hush();
        self.samples.zeroize();
        self.held_back = false;
        if let Some(resampler) = &mut self.resampler {
            resampler.reset();
        }
        for (_, mark) in self.marks.drain(..) {
            self.agent.played(mark);
        }
    }

    /// Gives the engine another frame; `false` when there is none, or no room.
    fn next_frame(&mut self) -> bool {
        while self.samples.len() < LIVE_FRAME && self.pull() {}
        if self.samples.is_empty() && !self.held_back {
            return false;
        }
        if self.samples.len() < LIVE_FRAME {
            // More may come while something else is still to be sent.
            if !self.voice.is_idle() {
                return false;
            }
            self.flush();
        }
        let mut frame = Zeroizing::new([0.0; LIVE_FRAME]);
        frame.copy_from_slice(&self.samples[..LIVE_FRAME]);
        match self.voice.say(&frame) {
            Ok(()) => {}
            Err(VoiceError::Full | VoiceError::Closed) => return false,
            Err(VoiceError::Encode(error)) => {
                tracing::warn!(%error, "a frame of a voice agent was not said");
            }
        }
        self.said += 1;
        self.samples.drain(..LIVE_FRAME);
        true
    }

    /// Takes 20 ms from the agent, as far as they are there.
    fn pull(&mut self) -> bool {
        let mut marks = Vec::new();
        let count = self.agent.play(&mut self.bytes, &mut marks);
        let bytes = Zeroizing::new(self.bytes[..count].to_vec());
        let samples = Zeroizing::new(decode(self.agent.protocol(), &bytes));
        self.take(&samples);
        let partial = self.held_back || !self.samples.is_empty();
        let behind = self.said + u64::from(partial);
        let marks = marks.into_iter().map(|mark| (behind, mark));
        self.marks.extend(marks);
        count > 0
    }

    fn take(&mut self, samples: &[f32]) {
        let out = &mut self.samples;
        match &mut self.resampler {
            Some(resampler) => resampler.push(samples, &mut |block| out.extend_from_slice(block)),
            None => out.extend_from_slice(samples),
        }
        self.held_back |= self.resampler.is_some() && !samples.is_empty();
    }

    /// Gets out what the filter holds back, and fills the last frame with silence.
    fn flush(&mut self) {
        if std::mem::take(&mut self.held_back) {
            let silence = self.agent.protocol().sample_rate() as usize / 50;
            self.take(&vec![0.0; silence]);
            self.held_back = false;
        }
        let whole = self.samples.len().next_multiple_of(LIVE_FRAME);
        self.samples.resize(whole.max(LIVE_FRAME), 0.0);
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        if !self.voice.is_idle() {
            self.voice.hush();
        }
    }
}

fn decode(protocol: Protocol, bytes: &[u8]) -> Vec<f32> {
    match protocol {
        Protocol::Twilio => bytes.iter().map(|byte| mulaw(*byte)).collect(),
        Protocol::Acs { .. } => {
            let pairs = bytes.chunks_exact(2);
            let samples = pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
            samples.map(|sample| f32::from(sample) / 32_768.0).collect()
        }
    }
}
