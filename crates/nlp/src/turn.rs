//! The engine that needs no speech recognition: it notices that the caller has
//! said something.

use crate::{Engine, Event, Reply};

/// Answers every finished utterance with the intent `spoke`.
///
/// Coughs and clicks are left out by a minimum length.
#[derive(Debug, Clone)]
pub struct TurnTaking {
    /// The shortest utterance that counts, in milliseconds.
    pub shortest_ms: u64,
}

impl Default for TurnTaking {
    /// 400 ms: longer than a cough, shorter than "yes please".
    fn default() -> Self {
        Self { shortest_ms: 400 }
    }
}

impl Engine for TurnTaking {
    fn handle(&mut self, event: &Event, reply: &mut dyn FnMut(Reply)) {
        if let Event::SpeechEnd { duration_ms, .. } = event
            && *duration_ms >= self.shortest_ms
        {
            reply(Reply::intent("spoke", 1.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replies(event: &Event) -> Vec<Reply> {
        let mut replies = Vec::new();
        TurnTaking::default().handle(event, &mut |reply| replies.push(reply));
        replies
    }

    #[test]
    fn an_utterance_is_an_intent_and_a_cough_is_not() {
        let said = |duration_ms| {
            replies(&Event::SpeechEnd {
                t_ms: 1_000,
                duration_ms,
            })
        };
        let utterance = said(400);
        assert!(utterance.len() == 1 && utterance[0].is_intent("spoke"));
        assert!(said(399).is_empty());
        assert!(replies(&Event::SpeechStart { t_ms: 0 }).is_empty());
    }
}
