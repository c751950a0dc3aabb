//! The speakers of a conference who are heard apart, each in a line beside the mix.

use std::sync::Arc;
use std::time::Instant;

use switchboard_media::engine::{Ears, LIVE_FRAME, LiveAudio};
use switchboard_media::event::MediaEvent;
use switchboard_nlp::{Event, Heard, Speaker, Wants};
use switchboard_signaling::call::Roster;
use switchboard_signaling::types::Participant;
use zeroize::{Zeroize, Zeroizing};

use super::ears::{Analysis, FeatureChoice};
use super::facts::party;
use super::{Media, Task};
use crate::flow::Action;

/// What was heard, and of whom.
type Told = Vec<(Arc<Speaker>, Heard)>;

/// A call's lines; there are none unless they were agreed on.
#[derive(Default)]
pub(super) struct Speakers {
    lines: Vec<Line>,
    listening: bool,
    /// Who speaks, in the order in which they began.
    speaking: Vec<Arc<Speaker>>,
    frame: Zeroizing<Vec<f32>>,
}

/// In which one at a time is heard.
struct Line {
    ears: Ears,
    choice: FeatureChoice,
    analysis: Analysis,
    who: Option<Arc<Speaker>>,
    speech_probability: f32,
}

impl Line {
    /// It is somebody else's from now on, who may speak already.
    fn hand_over(&mut self, who: Speaker, speaking: bool) {
        self.analysis = Analysis::new(self.choice);
        // Of a new analysis nothing is kept.
        let _ = self.analysis.speech(speaking);
        self.speech_probability = 0.0;
        self.who = Some(Arc::new(who));
    }

    fn is_of(&self, source: u32) -> bool {
        self.who.as_ref().is_some_and(|who| who.source == source)
    }
}

impl Speakers {
    pub(super) fn new(lines: Vec<LiveAudio>, choice: FeatureChoice) -> Self {
        let line = |audio: LiveAudio| Line {
            ears: audio.ears,
            choice,
            analysis: Analysis::new(choice),
            who: None,
            speech_probability: 0.0,
        };
        Self {
            lines: lines.into_iter().map(line).collect(),
            ..Self::default()
        }
    }

    pub(super) fn is_listening(&self) -> bool {
        self.listening
    }

    /// Listens while the engine has a use for it.
    pub(super) fn attend(&mut self, wants: Wants) {
        let wanted = wants.speakers && (wants.audio || wants.features) && !self.lines.is_empty();
        if wanted == self.listening {
            return;
        }
        self.listening = wanted;
        for line in &mut self.lines {
            // What was kept may be of a secret.
            line.analysis.forget();
            line.ears.rest();
            if wanted {
                line.ears.listen();
            }
        }
    }

    /// What came since the last time.
    pub(super) fn hear(&mut self, wants: Wants, who: impl Fn(u32) -> Speaker) -> Told {
        let mut told = Told::new();
        let (frame, speaking) = (&mut self.frame, &self.speaking);
        frame.resize(LIVE_FRAME, 0.0);
        for line in &mut self.lines {
            while let Some((source, end_ms)) = line.ears.receive_of(|source, end_ms, samples| {
                frame.copy_from_slice(samples);
                (source.unwrap_or_default(), end_ms)
            }) {
                if !line.is_of(source) {
                    let speaks = speaking.iter().any(|one| one.source == source);
                    line.hand_over(who(source), speaks);
                }
                let (Some(who), Some(samples)) = (&line.who, frame.first_chunk()) else {
                    continue;
                };
                let probability = line.speech_probability;
                let heard = line.analysis.hear(end_ms, samples, probability, wants);
                told.extend(heard.into_iter().map(|heard| (Arc::clone(who), heard)));
            }
        }
        frame.as_mut_slice().zeroize();
        told
    }

    /// Takes what happened in the line of whoever has a source.
    fn event(&mut self, source: u32, event: MediaEvent, who: impl Fn(u32) -> Speaker) -> Told {
        match event {
            MediaEvent::SpeechStart { start_ms } => {
                let who = Arc::new(who(source));
                self.began(Arc::clone(&who));
                let mut told = vec![Heard::SpeechStart { t_ms: start_ms }];
                if let Some(line) = self.line(source) {
                    line.who = Some(Arc::clone(&who));
                    told.extend(line.analysis.speech(true));
                }
                let told = told.into_iter();
                told.map(|heard| (Arc::clone(&who), heard)).collect()
            }
            MediaEvent::SpeechEnd { start_ms, end_ms } => {
                if let Some(line) = self.line(source) {
                    line.analysis.speech(false);
                }
                let end = Heard::SpeechEnd {
                    t_ms: end_ms,
                    duration_ms: end_ms.saturating_sub(start_ms),
                };
                let ended = self.ended(source);
                vec![(ended.unwrap_or_else(|| Arc::new(who(source))), end)]
            }
            MediaEvent::Vad { p, .. } => {
                if let Some(line) = self.line(source) {
                    line.speech_probability = p;
                }
                Told::new()
            }
            // Keys are heard in the mix.
            _ => Told::new(),
        }
    }

    fn line(&mut self, source: u32) -> Option<&mut Line> {
        self.lines.iter_mut().find(|line| line.is_of(source))
    }

    fn began(&mut self, who: Arc<Speaker>) {
        self.ended(who.source);
        // A full ring may have lost somebody's end.
        if self.speaking.len() >= switchboard_transport::sdp::MAX_SPEAKERS {
            self.speaking.remove(0);
        }
        self.speaking.push(who);
    }

    fn ended(&mut self, source: u32) -> Option<Arc<Speaker>> {
        let mut speaking = self.speaking.iter();
        let place = speaking.position(|one| one.source == source)?;
        Some(self.speaking.remove(place))
    }
}

impl Task {
    /// Something happened in the line of whoever has this source.
    pub(super) fn spoke(&mut self, now: Instant, source: u32, event: MediaEvent) -> Vec<Action> {
        // What was said before is to be known as theirs.
        let mut actions = self.hear_speakers(now);
        let roster = self.control.roster();
        let Media::Application(ours) = &mut self.media else {
            return actions;
        };
        let who = |source| speaker(roster, source);
        let told = ours.speakers.event(source, event, who);
        if !told.is_empty() {
            self.talk.speaking(&ours.speakers.speaking);
            actions.extend(self.tell_of(now, told));
        }
        actions
    }

    /// Tells the engine what was said in the lines since the last time.
    pub(super) fn hear_speakers(&mut self, now: Instant) -> Vec<Action> {
        let roster = self.control.roster();
        let told = match &mut self.media {
            Media::Application(ours) if ours.speakers.is_listening() => {
                let wants = self.talk.wants();
                ours.speakers.hear(wants, |source| speaker(roster, source))
            }
            _ => return Vec::new(),
        };
        self.tell_of(now, told)
    }

    fn tell_of(&mut self, now: Instant, told: Told) -> Vec<Action> {
        if !self.talk.wants().speakers {
            return Vec::new();
        }
        let told = told.into_iter();
        let events = told.map(|(who, heard)| Event::Speaker(who, heard));
        self.tell(now, events.collect())
    }
}

/// Who has a source, as far as the roster tells by now.
fn speaker(roster: Option<&Roster>, source: u32) -> Speaker {
    let mut people = roster.into_iter().flat_map(Roster::participants);
    let found = people.find(|one| has(one, source));
    let info = found.and_then(|one| one.info.as_ref());
    Speaker {
        source,
        participant: found.and_then(|one| one.id.clone()),
        party: party(info.and_then(|info| info.identity.as_ref())),
    }
}

fn has(participant: &Participant, source: u32) -> bool {
    let streams = participant.media_streams.iter().flatten();
    let mut sources = streams.filter_map(|stream| stream.source_id.as_ref());
    sources.any(|id| id.parse() == Ok(source))
}
