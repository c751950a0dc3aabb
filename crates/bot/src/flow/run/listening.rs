//! What the caller's keys and words lead to.

use std::sync::Arc;
use std::time::Instant;

use switchboard_media::event::Digit;
use switchboard_nlp::Slot;
use zeroize::Zeroizing;

use super::{Action, Input, Run, Stage};
use crate::flow::plan::{Collect, Listen, NodeId, Step, Stream};
use crate::patience::UNDERSTANDING;

impl Run {
    pub(super) fn heard(&mut self, now: Instant, stage: Stage, input: Input<'_>) {
        let flow = Arc::clone(&self.flow);
        let node = flow.node(self.at);
        if stage == Stage::PlayingBack {
            return self.played_back(now, input);
        }
        if matches!(
            input,
            Input::Digit(_) | Input::SpeechStart | Input::Intent { .. } | Input::Text(_)
        ) {
            self.unheard = 0;
        }
        let speaking = matches!(stage, Stage::Speaking | Stage::Apologising);
        if speaking && !node.interruptible && !matches!(input, Input::PromptFinished) {
            return;
        }
        if let (Some(wanted), Input::Digit(digit)) = (self.wanted, input) {
            return self.wanted_key(now, wanted, digit, speaking);
        }
        match (&node.step, input) {
            (_, Input::PromptFinished) => match stage {
                Stage::Apologising => self.speak(now),
                Stage::Speaking => self.act(now),
                _ => {}
            },
            (Step::Listen(_) | Step::Record { .. }, Input::Wish(wish)) => {
                self.wish(now, wish, speaking);
            }
            (_, Input::Response(told)) => self.response(now, told),
            (Step::Listen(listen), input) => self.listen(now, listen, input, speaking),
            (Step::Collect(collect), Input::Digit(digit)) => {
                self.key(now, collect, digit, speaking);
            }
            (Step::Next(next), Input::Digit(_)) if speaking && self.is_silent_choice(*next) => {
                self.leave(now, *next);
                self.heard(now, Stage::Waiting, input);
            }
            (Step::Stream(stream), Input::Digit(digit)) if !speaking => {
                if let Some(to) = stream.keys.get(&digit.as_char()) {
                    self.enter(now, *to);
                }
            }
            (Step::Keep { keep, .. }, Input::Digit(digit))
                if !speaking && keep.stop == Some(digit.as_char()) =>
            {
                self.actions.push(Action::EndKeeping);
            }
            (
                Step::Record {
                    own: true,
                    response,
                    ..
                },
                Input::Digit(digit),
            ) if !speaking && response.keys.contains(digit.as_char()) => {
                self.deadline = Some(now + UNDERSTANDING);
            }
            (_, Input::Digit(_) | Input::SpeechStart | Input::SpeechEnd) => {}
            (Step::Stream(stream), Input::Streamed(finished)) if !speaking => {
                let Stream { next, failed, .. } = stream;
                self.enter(now, if finished { *next } else { *failed });
            }
            (Step::Transfer { failed, .. }, Input::TransferFailed) if !speaking => {
                self.enter(now, *failed);
            }
            (_, Input::Done(done)) if !speaking => self.done_with(now, done),
            (Step::Keep { next, empty, .. }, Input::Kept(kept)) if !speaking => {
                self.unheard = 0;
                self.enter(now, if kept { *next } else { *empty });
            }
            (Step::Invite { next, .. }, Input::Invited(true)) if !speaking => {
                self.enter(now, *next);
            }
            (Step::Invite { failed, .. }, Input::Invited(false)) if !speaking => {
                self.enter(now, *failed);
            }
            (
                Step::Record { next, .. },
                Input::Text(_) | Input::Intent { .. } | Input::EndOfTurn,
            ) if !speaking => {
                self.enter(now, *next);
            }
            (Step::Webhook(webhook) | Step::Deliver(webhook), Input::Webhook(Some(result)))
                if !speaking =>
            {
                self.enter(
                    now,
                    webhook.results.get(result).copied().unwrap_or(webhook.next),
                );
            }
            (Step::Webhook(webhook) | Step::Deliver(webhook), Input::Webhook(None))
                if !speaking =>
            {
                self.enter(now, webhook.failed);
            }
            _ => {}
        }
    }

    /// Whether keys may be pressed ahead of a node: it waits for some, and says nothing
    /// that the caller would miss.
    pub(super) fn is_silent_choice(&self, node: NodeId) -> bool {
        let node = self.flow.node(node);
        node.say.is_none() && matches!(node.step, Step::Listen(_) | Step::Collect(_))
    }

    fn listen(&mut self, now: Instant, listen: &Listen, input: Input<'_>, speaking: bool) {
        if speaking && !listen.barge_in && !matches!(input, Input::Digit(_)) {
            return;
        }
        let to = match input {
            Input::Digit(digit) => listen.keys.get(&digit.as_char()).copied(),
            // Whoever speaks where keys or keywords are waited for chooses nothing wrong.
            Input::Intent { .. } if listen.intents.is_empty() => return,
            Input::Intent { confidence, .. } if confidence < listen.confidence => None,
            Input::Intent { name, slots, .. } => {
                let to = listen.intents.get(name).copied();
                self.understood(slots.iter().filter(|_| to.is_some()));
                to
            }
            Input::Text(text) => {
                let said = words(text);
                let mut keywords = listen.keywords.iter();
                let keyword = keywords.find(|(keyword, _)| contains(&said, keyword));
                match keyword {
                    // What was said may yet be an intent.
                    None if !listen.intents.is_empty() || listen.keywords.is_empty() => return,
                    keyword => keyword.map(|(_, to)| *to),
                }
            }
            Input::Sentiment(score) => match listen.sentiment {
                Some((below, to)) if score < below => Some(to),
                _ => return,
            },
            Input::SpeechStart if listen.needs_engine() && speaking => {
                self.actions.push(Action::StopPlaying);
                return self.act(now);
            }
            _ => return,
        };
        match to {
            Some(to) => self.leave(now, to),
            None => self.again(
                now,
                listen.retries,
                sorry(listen.sorry.as_deref()),
                listen.on_invalid,
            ),
        }
    }

    /// What was understood with an intent counts as collected, but never in place of keys:
    /// what a caller has entered no engine changes.
    fn understood<'a>(&mut self, slots: impl Iterator<Item = &'a Slot>) {
        for Slot { name, value } in slots {
            if !self.flow.collects(name) && self.values.has_room_for(name) {
                self.values.set(name, Zeroizing::new(value.clone()));
            }
        }
    }

    fn key(&mut self, now: Instant, collect: &Collect, digit: Digit, speaking: bool) {
        if speaking {
            self.actions.push(Action::StopPlaying);
            self.act(now);
        }
        if collect.terminator == Some(digit.as_char()) {
            return self.collected(now, collect);
        }
        self.keys.push(digit.as_char());
        self.deadline = Some(now + collect.between);
        if self.keys.len() >= collect.max {
            self.collected(now, collect);
        }
    }

    pub(super) fn collected(&mut self, now: Instant, collect: &Collect) {
        if self.keys.len() < collect.min {
            return self.again(
                now,
                collect.retries,
                sorry(collect.sorry.as_deref()),
                collect.on_invalid,
            );
        }
        let fresh = Zeroizing::new(String::with_capacity(32));
        let keys = std::mem::replace(&mut self.keys, fresh);
        self.values.set(&collect.into, keys);
        self.enter(now, collect.next);
    }
}

/// The apology precedes the node's own prompt.
fn sorry(prompt: Option<&str>) -> Option<(&str, Stage)> {
    prompt.map(|prompt| (prompt, Stage::Apologising))
}

/// Lower-case words with single spaces between.
pub(in crate::flow) fn words(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    for word in text
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
    {
        if !words.is_empty() {
            words.push(' ');
        }
        words.extend(word.chars().flat_map(char::to_lowercase));
    }
    words
}

/// Whether whole words of `said` are the phrase.
fn contains(said: &str, phrase: &str) -> bool {
    said.match_indices(phrase).any(|(at, _)| {
        let (before, after) = (&said[..at], &said[at + phrase.len()..]);
        (before.is_empty() || before.ends_with(' ')) && (after.is_empty() || after.starts_with(' '))
    })
}
