use switchboard_signaling::request::participants;
use switchboard_signaling::types::{
    CallId, Identity, IdentitySet, InvitationParticipantInfo, InviteRequest, MediaPrompt,
    MuteAllRequest, ParticipantId, StartHoldMusicRequest,
};

use crate::{CALL, CONTEXT, PARTICIPANT, USER, Wire, id};

fn ids() -> (CallId, ParticipantId) {
    (id(CALL), id(PARTICIPANT))
}

fn user(user: &str) -> InvitationParticipantInfo {
    let mut identity = Identity::new(user);
    identity.identity_provider = Some("AAD".to_owned());
    InvitationParticipantInfo::new(IdentitySet::user(identity))
}

#[test]
fn participants_are_invited() {
    let (call, _) = ids();
    let mut wire = Wire::default();
    let mut replacing = user(USER);
    replacing.replaces_call_id = Some("a7ebfb2d-871e-419c-87af-27290b22e8db".to_owned());
    let phone = InvitationParticipantInfo::new(IdentitySet::phone(Identity::new("+12345678901")));
    for (what, invited) in [
        ("one", vec![user(USER)]),
        (
            "several",
            vec![user(USER), user("1e126418-44a0-4a94-a6f8-0efe1ad71acb")],
        ),
        ("from a peer-to-peer call", vec![replacing]),
        ("a phone", vec![phone]),
    ] {
        let invite = InviteRequest {
            participants: Some(invited),
            client_context: Some(CONTEXT.to_owned()),
            ..InviteRequest::default()
        };
        wire.checked(what, participants::invite(&call, &invite));
    }
    insta::assert_snapshot!(wire.text());
}

#[test]
fn participants_are_read_muted_held_and_removed() {
    let (call, one) = ids();
    let mut wire = Wire::default();
    wire.sent("", &participants::list(&call));
    wire.sent("", &participants::get(&call, &one));
    wire.checked("", participants::mute(&call, &one, Some(CONTEXT)));
    let all = MuteAllRequest {
        participants: Some(vec![PARTICIPANT.to_owned()]),
        client_context: Some(CONTEXT.to_owned()),
        ..MuteAllRequest::default()
    };
    wire.checked("beta", participants::mute_all(&call, &all));
    let hold = StartHoldMusicRequest {
        custom_prompt: Some(MediaPrompt::new("https://bot.contoso.com/onHold.wav", None).into()),
        client_context: Some(CONTEXT.to_owned()),
        ..StartHoldMusicRequest::default()
    };
    wire.checked("", participants::start_hold_music(&call, &one, &hold));
    wire.checked(
        "",
        participants::stop_hold_music(&call, &one, Some(CONTEXT)),
    );
    wire.sent("", &participants::delete(&call, &one));
    insta::assert_snapshot!(wire.text());
}
