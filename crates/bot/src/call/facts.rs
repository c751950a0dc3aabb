//! What Graph's objects say about a call, in the flow's and the hook's own terms.

use jiff::Timestamp;
use switchboard_media::event::Digit;
use switchboard_nlp::{Direction, Party, SessionStart};
use switchboard_signaling::types::{
    Call, Identity, IdentitySet, InvitationParticipantInfo, ParticipantInfo, Tone,
};

use crate::flow::{Contact, Facts};

/// Who calls, in what language, for flow and hook.
pub(crate) fn facts_of(call: &Call, language: &str) -> (Facts, SessionStart) {
    let source = call.source.clone().unwrap_or_default();
    let spoken = source.language_id.clone().unwrap_or_default();
    let caller = party(source.identity.as_ref());
    let target = call.targets.as_ref().and_then(|targets| targets.first());
    let facts = Facts {
        caller: source.identity.as_ref().and_then(user_of),
        number: caller.number.clone(),
        language: spoken,
        time: Timestamp::now(),
        ..Facts::default()
    };
    let start = SessionStart {
        call: call.id.clone().unwrap_or_default(),
        direction: Direction::Incoming,
        caller,
        called: party(target.and_then(|target| target.identity.as_ref())),
        language: language.to_owned(),
        ..SessionStart::default()
    };
    (facts, start)
}

fn user_of(identity: &IdentitySet) -> Option<String> {
    identity.user.as_ref()?.id.clone()
}

/// Whom an identity stands for, in the hook's terms.
pub(super) fn party(identity: Option<&IdentitySet>) -> Party {
    let Some(identity) = identity else {
        return Party::default();
    };
    let any = identity.any();
    let number = identity.phone.as_ref().and_then(|phone| phone.id.clone());
    Party {
        id: any.and_then(|any| any.id.clone()),
        name: any.and_then(|any| any.display_name.clone()),
        number,
    }
}

/// The key of a tone.
pub(super) fn digit(tone: &Tone) -> Option<Digit> {
    Digit::from_char(match tone {
        Tone::Tone0 => '0',
        Tone::Tone1 => '1',
        Tone::Tone2 => '2',
        Tone::Tone3 => '3',
        Tone::Tone4 => '4',
        Tone::Tone5 => '5',
        Tone::Tone6 => '6',
        Tone::Tone7 => '7',
        Tone::Tone8 => '8',
        Tone::Tone9 => '9',
        Tone::Star => '*',
        Tone::Pound => '#',
        Tone::A => 'A',
        Tone::B => 'B',
        Tone::C => 'C',
        Tone::D => 'D',
        _ => return None,
    })
}

/// A contact as Graph addresses it; a team is nobody until one is picked.
pub(crate) fn invitation(contact: &Contact) -> Option<InvitationParticipantInfo> {
    Some(InvitationParticipantInfo::new(match contact {
        Contact::User(user) => IdentitySet::user(Identity::new(user)),
        Contact::Phone(phone) => IdentitySet::phone(Identity::new(phone)),
        Contact::Bot(bot) => IdentitySet::application(Identity::new(bot)),
        Contact::Team(_) => return None,
    }))
}

/// Who is at the other end of a call that came in.
pub(crate) fn peer_of(facts: &Facts) -> Option<Contact> {
    let user = facts.caller.clone().map(Contact::User);
    user.or_else(|| facts.number.clone().map(Contact::Phone))
}

/// The source of a call to a phone number: the application's instance.
pub(crate) fn instance(id: &str) -> ParticipantInfo {
    ParticipantInfo::new(IdentitySet::application_instance(Identity::new(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_users_or_numbers() {
        let call = |identity| Call {
            source: Some(ParticipantInfo {
                language_id: Some("nl-NL".to_owned()),
                ..ParticipantInfo::new(identity)
            }),
            ..Call::default()
        };
        let user = call(IdentitySet::user(Identity::new("u1").named("Ada")));
        let (facts, start) = facts_of(&user, "en-US");
        assert_eq!((facts.caller.as_deref(), facts.number), (Some("u1"), None));
        assert_eq!(
            (facts.language.as_str(), start.language.as_str()),
            ("nl-NL", "en-US")
        );
        assert_eq!(start.caller.name.as_deref(), Some("Ada"));
        let phone = call(IdentitySet::phone(Identity::new("+31201234567")));
        let (facts, start) = facts_of(&phone, "en-US");
        assert_eq!(
            (facts.caller, facts.number.as_deref()),
            (None, Some("+31201234567"))
        );
        assert_eq!(start.caller.number.as_deref(), Some("+31201234567"));
        let (facts, _) = facts_of(&Call::default(), "en-US");
        assert_eq!((facts.caller, facts.number), (None, None));
    }

    #[test]
    fn every_tone_is_a_key() {
        let tones = Tone::KNOWN.iter().filter_map(digit);
        assert_eq!(tones.count(), 16);
    }
}
