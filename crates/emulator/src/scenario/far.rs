//! What a person hears of the far end, which a bot may mute.

use super::player::Event;

/// The level of digital silence, in dBov (RFC 6464).
const SILENCE: f32 = -127.0;

/// The far end of a call. Its audio goes on while it is muted: as on the page, it is not
/// played.
#[derive(Debug, Default)]
pub(super) struct FarEnd {
    muted: bool,
    speaks: bool,
}

impl FarEnd {
    /// The far end is muted, or no longer; what is heard of it by that.
    pub(super) fn mute(&mut self, muted: bool) -> Option<Event> {
        let changed = std::mem::replace(&mut self.muted, muted) != muted;
        (changed && self.speaks).then_some(Event::Speech(!muted))
    }

    pub(super) fn is_muted(&self) -> bool {
        self.muted
    }

    /// What is heard of something in its audio.
    pub(super) fn heard(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::Speech(speaks) => self.speaks = speaks,
            Event::Disconnected => *self = Self::default(),
            _ => {}
        }
        match event {
            Event::Speech(_) | Event::Key(_) if self.muted => None,
            Event::Level(_) if self.muted => Some(Event::Level(SILENCE)),
            event => Some(event),
        }
    }
}

#[cfg(test)]
mod tests {
    use switchboard_media::event::Digit;

    use super::*;

    #[test]
    fn nothing_is_heard_of_a_far_end_while_it_is_muted() {
        let mut far = FarEnd::default();
        assert_eq!(far.mute(false), None);
        assert_eq!(far.heard(Event::Speech(true)), Some(Event::Speech(true)));
        assert_eq!(far.mute(true), Some(Event::Speech(false)));
        assert_eq!(far.mute(true), None, "once");
        let key = Digit::from_char('5').into_iter().map(Event::Key);
        assert!(key.filter_map(|key| far.heard(key)).next().is_none());
        assert_eq!(far.heard(Event::Level(-9.0)), Some(Event::Level(SILENCE)));
        assert_eq!(far.heard(Event::Speech(false)), None);
        assert_eq!(far.heard(Event::Speech(true)), None);
        assert_eq!(far.heard(Event::Said), Some(Event::Said));
        // It speaks still.
        assert_eq!(far.mute(false), Some(Event::Speech(true)));
        assert_eq!(far.heard(Event::Level(-9.0)), Some(Event::Level(-9.0)));

        // Another session is another far end's.
        far.mute(true);
        far.heard(Event::Disconnected);
        assert_eq!(far.heard(Event::Speech(true)), Some(Event::Speech(true)));
    }
}
