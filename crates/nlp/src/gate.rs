//! Keeps secrets from engines.

use crate::Event;

/// What stands between a call and its engine while the caller enters a secret.
///
/// Keys are audible: whoever has the samples, or features of them, has the keys.
/// So a closed gate holds back analysis as well as digits.
///
/// ```
/// use switchboard_nlp::{Digits, Event, Gate};
///
/// let mut gate = Gate::default();
/// gate.close();
/// let event = gate.pass(Event::Digits(Digits::open("4711".into())));
/// assert!(matches!(event, Some(Event::Digits(digits)) if digits.with(|keys| keys.is_none())));
/// ```
#[derive(Debug, Default, Clone, Copy)]
pub struct Gate {
    closed: bool,
}

impl Gate {
    /// A secret may follow.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// The secret is over.
    pub fn open(&mut self) {
        self.closed = false;
    }

    /// Whether a secret is being entered.
    pub fn is_closed(self) -> bool {
        self.closed
    }

    /// What of an event an engine may know.
    pub fn pass(self, event: Event) -> Option<Event> {
        match event {
            event if !self.closed => Some(event),
            event if event.is_analysis() => None,
            Event::Digits(_) => Some(Event::Digits(crate::Digits::secret())),
            event => Some(event),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Features, Heard, SpeechFrame, Transient};

    fn heard() -> [Heard; 2] {
        let frame = SpeechFrame {
            t_ms: 0,
            samples: Box::new([1; 160]),
        };
        [
            Heard::Features(Transient::new(Features::default())),
            Heard::Speech(Transient::new(frame)),
        ]
    }

    fn analysis() -> Vec<Event> {
        let apart = heard().map(|heard| Event::Speaker(Default::default(), heard));
        heard().map(Event::from).into_iter().chain(apart).collect()
    }

    #[test]
    fn a_closed_gate_passes_neither_features_nor_samples() {
        let mut gate = Gate::default();
        assert!(
            analysis()
                .into_iter()
                .all(|event| gate.pass(event).is_some())
        );
        gate.close();
        assert!(
            analysis()
                .into_iter()
                .all(|event| gate.pass(event).is_none())
        );
        assert!(matches!(
            gate.pass(Event::SpeechStart { t_ms: 3 }),
            Some(Event::SpeechStart { t_ms: 3 })
        ));
        gate.open();
        assert!(
            analysis()
                .into_iter()
                .all(|event| gate.pass(event).is_some())
        );
    }
}
