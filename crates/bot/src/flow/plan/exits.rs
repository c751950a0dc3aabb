//! Where a step may lead.

use super::{NodeId, Step, Webhook};

impl Step {
    /// Where a node may lead, and by what.
    pub(in crate::flow) fn exits(&self) -> Vec<(String, NodeId)> {
        let mut exits = Vec::new();
        let mut add = |label: &str, to: NodeId| exits.push((label.to_owned(), to));
        match self {
            Self::Next(next) => add("", *next),
            Self::Listen(listen) => {
                listen
                    .keys
                    .iter()
                    .for_each(|(key, to)| add(&key.to_string(), *to));
                listen
                    .intents
                    .iter()
                    .for_each(|(intent, to)| add(intent, *to));
                listen
                    .keywords
                    .iter()
                    .for_each(|(word, to)| add(&format!("\"{word}\""), *to));
                if let Some((below, to)) = listen.sentiment {
                    add(&format!("mood below {below}"), to);
                }
                add("time-out", listen.on_timeout);
                add("invalid", listen.on_invalid);
                if let Some(to) = listen.on_engine_down {
                    add("engine down", to);
                }
            }
            Self::Collect(collect) => {
                add(&collect.into, collect.next);
                add("time-out", collect.on_timeout);
                add("invalid", collect.on_invalid);
            }
            Self::Branch(cases, otherwise) => {
                cases
                    .iter()
                    .enumerate()
                    .for_each(|(index, (_, to))| add(&format!("case {}", index + 1), *to));
                add("else", *otherwise);
            }
            Self::Transfer { failed, .. } => add("failed", *failed),
            Self::Invite { next, failed, .. } => {
                add("joined", *next);
                add("failed", *failed);
            }
            Self::Open { failed, .. } | Self::Join { failed } => add("failed", *failed),
            Self::Summon {
                ask, next, failed, ..
            } => {
                add("asks", *ask);
                add("enough came", *next);
                add("failed", *failed);
            }
            Self::Attend(attend) => {
                if let Some((people, to)) = attend.enough {
                    add(&format!("{people} are there"), to);
                }
                add("alone", attend.on_alone);
                add("time-out", attend.on_timeout);
            }
            Self::Mute { next, failed, .. }
            | Self::Hold { next, failed, .. }
            | Self::Resume { next, failed, .. } => {
                add("done", *next);
                add("failed", *failed);
            }
            Self::Record { next, .. } => add("said", *next),
            Self::Keep { next, empty, .. } => {
                add("said", *next);
                add("nothing said", *empty);
            }
            Self::PlayBack { next } => add("played", *next),
            Self::Stream(stream) => {
                let keys = stream.keys.iter();
                keys.for_each(|(key, to)| add(&key.to_string(), *to));
                add("finished", stream.next);
                add("failed", stream.failed);
            }
            Self::Webhook(webhook) | Self::Deliver(webhook) => answers(webhook, &mut add),
            Self::HangUp | Self::Reject(_) | Self::Redirect { .. } => {}
        }
        exits
    }

    /// Whether a call may end here.
    pub(in crate::flow) fn is_end(&self) -> bool {
        matches!(
            self,
            Self::HangUp
                | Self::Reject(_)
                | Self::Redirect { .. }
                | Self::Transfer { .. }
                | Self::Open { .. }
                | Self::Join { .. }
        )
    }

    /// Whether it goes on at once, with nothing to wait for.
    pub(in crate::flow) fn is_instant(&self) -> bool {
        matches!(self, Self::Next(_) | Self::Branch(..))
    }
}

fn answers(webhook: &Webhook, add: &mut impl FnMut(&str, NodeId)) {
    for (result, to) in &webhook.results {
        add(result, *to);
    }
    add("else", webhook.next);
    add("failed", webhook.failed);
}
