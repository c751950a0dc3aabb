//! What Graph's objects say about a call, in the flow's and the hook's own terms.

use jiff::Timestamp;
use switchboard_media::event::Digit;
use switchboard_nlp::{Direction, Party, SessionStart};
use switchboard_signaling::types::{
    Call, Identity, IdentitySet, InvitationParticipantInfo, ParticipantInfo, Tone,
};

use crate::bot::ApplicationInstance;
use crate::flow::{Contact, Facts};

/// Who calls, in what language, for flow and hook.
pub(crate) fn facts_of(
    call: &Call,
    language: &str,
    instances: &[ApplicationInstance],
) -> (Facts, SessionStart) {
    let source = call.source.clone().unwrap_or_default();
    let spoken = source.language_id.clone().unwrap_or_default();
    let caller = party(source.identity.as_ref());
    let target = call.targets.as_ref().and_then(|targets| targets.first());
    let called = target.and_then(|target| target.identity.as_ref());
    let facts = Facts {
        caller: source.identity.as_ref().and_then(user_of),
        number: caller.number.clone(),
        called: called.and_then(|called| number_of(called, instances)),
        language: spoken,
        time: Timestamp::now(),
        ..Facts::default()
    };
    let start = SessionStart {
        call: call.id.clone().unwrap_or_default(),
        direction: Direction::Incoming,
        caller,
        called: party(called),
        language: language.to_owned(),
        ..SessionStart::default()
    };
    (facts, start)
}

/// The number of who was called: its own, or that of one of our instances.
fn number_of(called: &IdentitySet, instances: &[ApplicationInstance]) -> Option<String> {
    let instance = || {
        let id = called.application_instance.as_ref()?.id.as_deref()?;
        let mut instances = instances.iter();
        let found = instances.find(|one| one.id.eq_ignore_ascii_case(id))?;
        found.number.clone()
    };
    party(Some(called)).number.or_else(instance)
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
    let phone = identity.phone.as_ref().and_then(|phone| phone.id.clone());
    // Who hides theirs comes with a word in its place.
    let number = phone.filter(|phone| phone.contains(|c: char| c.is_ascii_digit()));
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
        let (facts, start) = facts_of(&user, "en-US", &[]);
        assert_eq!((facts.caller.as_deref(), facts.number), (Some("u1"), None));
        assert_eq!(
            (facts.language.as_str(), start.language.as_str()),
            ("nl-NL", "en-US")
        );
        assert_eq!(start.caller.name.as_deref(), Some("Ada"));
        let phone = call(IdentitySet::phone(Identity::new("+31201234567")));
        let (facts, start) = facts_of(&phone, "en-US", &[]);
        assert_eq!(
            (facts.caller, facts.number.as_deref()),
            (None, Some("+31201234567"))
        );
        assert_eq!(start.caller.number.as_deref(), Some("+31201234567"));
        let hidden = call(IdentitySet::phone(Identity::new("anonymous")));
        let (facts, _) = facts_of(&hidden, "en-US", &[]);
        assert_eq!((facts.caller, facts.number), (None, None));
        let (facts, _) = facts_of(&Call::default(), "en-US", &[]);
        assert_eq!((facts.caller, facts.number), (None, None));
    }

    #[test]
    fn the_number_that_was_called_is_its_own_or_the_instances() {
        let instances = [ApplicationInstance {
            name: "sales".to_owned(),
            id: "7629bdce-046c-4903-86b4-a8f718277e1a".to_owned(),
            number: Some("+31201111111".to_owned()),
        }];
        let called = |identity| {
            let call = Call {
                targets: Some(vec![InvitationParticipantInfo::new(identity)]),
                ..Call::default()
            };
            facts_of(&call, "en-US", &instances).0.called
        };
        let instance = |id: &str| IdentitySet::application_instance(Identity::new(id));
        let own = instance("7629BDCE-046C-4903-86B4-A8F718277E1A");
        assert_eq!(called(own).as_deref(), Some("+31201111111"));
        let phone = IdentitySet::phone(Identity::new("+31202222222"));
        assert_eq!(called(phone).as_deref(), Some("+31202222222"));
        assert_eq!(called(instance("another")), None);
    }

    #[test]
    fn every_tone_is_a_key() {
        let tones = Tone::KNOWN.iter().filter_map(digit);
        assert_eq!(tones.count(), 16);
    }
}
