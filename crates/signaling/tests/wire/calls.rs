use switchboard_signaling::request;
use switchboard_signaling::types::{
    AnswerRequest, AppHostedMediaConfig, AudioRoutingGroup, Call, CallId, CallOptions,
    EndpointType, Identity, IdentitySet, InvitationParticipantInfo, MediaConfig, MediaInfo,
    Modality, ParticipantInfo, RedirectRequest, RejectReason, RejectRequest, RoutingMode,
    ServiceHostedMediaConfig, TransferRequest,
};

use crate::{CALL, CALLBACK, CONTEXT, PARTICIPANT, TENANT, USER, Wire, id};

const INSTANCE: &str = "3d913abb-aec0-4964-8fa6-3c6850c4f278";
const MEETING: &str = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_Win6@thread.v2/0?context=%7b%22Tid%22%3a%22aa67bd4c-8475-432d-bd41-39f255720e0a%22%2c%22Oid%22%3a%225810cede-f3cc-42eb-b2c1-e9bd5d53ec96%22%7d";

fn service() -> ServiceHostedMediaConfig {
    ServiceHostedMediaConfig::default()
}

fn with_prompts() -> ServiceHostedMediaConfig {
    let beep = MediaInfo {
        uri: Some("https://cdn.contoso.com/beep.wav".to_owned()),
        resource_id: Some("f8971b04-b53e-418c-9222-c82ce681a582".to_owned()),
        ..MediaInfo::default()
    };
    ServiceHostedMediaConfig {
        pre_fetch_media: Some(vec![beep]),
        ..service()
    }
}

fn user(name: &str) -> IdentitySet {
    IdentitySet::user(Identity::new(USER).named(name))
}

fn phone() -> IdentitySet {
    IdentitySet::phone(Identity::new("+12345678901"))
}

fn call_id() -> CallId {
    id(CALL)
}

#[test]
fn calls_are_created_in_all_forms() {
    let mut wire = Wire::default();
    let new = || Call::outgoing(CALLBACK, service());

    let mut to_user = new().to(user("John"));
    to_user.call_options = Some(CallOptions {
        is_content_sharing_notification_enabled: Some(true),
        ..CallOptions::outgoing()
    });
    wire.checked(
        "to a user, media with Graph",
        request::create_call(&to_user),
    );

    let mut ours = Call::outgoing(CALLBACK, AppHostedMediaConfig::new("<session>"));
    let bot = IdentitySet::application(Identity::new(INSTANCE).named("Calling Bot"));
    ours.source = Some(ParticipantInfo::new(bot));
    wire.checked(
        "to a user, media with the bot",
        request::create_call(&ours.to(user("John"))),
    );

    let to_bot = new().to(IdentitySet::application(Identity::new(INSTANCE)));
    wire.checked("to another bot", request::create_call(&to_bot));

    let instance = Identity::new(INSTANCE).named("Calling Bot");
    let to_phone = new().to(phone()).from_instance(instance, TENANT);
    wire.checked("to a phone", request::create_call(&to_phone));

    let mut group = new().to(user("user1")).to(user("user2"));
    group.subject = Some("Create a group call".to_owned());
    wire.checked("to a group", request::create_call(&group));
    insta::assert_snapshot!(wire.text());
}

#[test]
fn meetings_are_joined_in_all_forms() {
    let mut wire = Wire::default();
    let new = || Call::outgoing(CALLBACK, with_prompts());

    let by_address = new().joining(id(MEETING));
    wire.checked("by organizer", request::create_call(&by_address));
    let as_guest = by_address.as_guest("d7a3b999-17ac-4bca-9e77-e6a730d2ec2e", "Guest");
    wire.checked("as a guest", request::create_call(&as_guest));
    let by_token = new().joining_by_token("token".into(), TENANT);
    wire.checked("by token", request::create_call(&by_token));
    let by_id = new().joining_by_id("1234567", Some("psw123".into()), TENANT);
    wire.checked("by id and passcode", request::create_call(&by_id));
    let by_id = new().joining_by_id("1234567", None, TENANT);
    wire.checked("by id", request::create_call(&by_id));
    insta::assert_snapshot!(wire.text());
}

#[test]
fn calls_are_read_kept_and_ended() {
    let mut wire = Wire::default();
    wire.sent("", &request::get_call(&call_id()));
    wire.sent("", &request::keep_alive(&call_id()));
    wire.sent("", &request::delete_call(&call_id()));
    insta::assert_snapshot!(wire.text());
}

#[test]
fn incoming_calls_are_answered_and_turned_down() {
    let mut wire = Wire::default();
    let answer = |media: MediaConfig| AnswerRequest {
        callback_uri: Some(CALLBACK.to_owned()),
        media_config: Some(media),
        accepted_modalities: Some(vec![Modality::Audio]),
        ..AnswerRequest::default()
    };
    let hosted = answer(with_prompts().into());
    wire.checked("media with Graph", request::answer(&call_id(), &hosted));
    let policy = AnswerRequest {
        participant_capacity: Some(200),
        call_options: Some(CallOptions {
            is_content_sharing_notification_enabled: Some(true),
            is_delta_roster_enabled: Some(true),
            ..CallOptions::incoming()
        }),
        ..answer(AppHostedMediaConfig::new("<session>").into())
    };
    wire.checked(
        "media with a policy recorder",
        request::answer(&call_id(), &policy),
    );

    for reason in [
        RejectReason::None,
        RejectReason::Busy,
        RejectReason::Forbidden,
    ] {
        let what = reason.to_string();
        let reject = RejectRequest {
            reason: Some(reason),
            callback_uri: Some(CALLBACK.to_owned()),
            ..RejectRequest::default()
        };
        wire.checked(&what, request::reject(&call_id(), &reject));
    }
    insta::assert_snapshot!(wire.text());
}

#[test]
fn incoming_calls_are_sent_elsewhere() {
    let mut wire = Wire::default();
    let application = IdentitySet::application(Identity::new(INSTANCE).named("test bot 2"));
    for (what, targets) in [
        ("to a bot", vec![application]),
        ("to a user", vec![user("test user")]),
        ("to several", vec![user("test user"), user("test user 2")]),
        ("to a phone", vec![phone()]),
    ] {
        let targets = targets.into_iter().map(InvitationParticipantInfo::new);
        let redirect = RedirectRequest {
            targets: Some(targets.collect()),
            callback_uri: Some(CALLBACK.to_owned()),
            ..RedirectRequest::default()
        };
        wire.checked(what, request::redirect(&call_id(), &redirect));
    }
    let masked = RedirectRequest {
        targets: Some(vec![InvitationParticipantInfo::new(user("test user"))]),
        timeout: Some(15),
        mask_callee: Some(false),
        mask_caller: Some(true),
        ..RedirectRequest::default()
    };
    wire.checked("masked, for 15 s", request::redirect(&call_id(), &masked));
    insta::assert_snapshot!(wire.text());
}

#[test]
fn established_calls_are_transferred() {
    let mut wire = Wire::default();
    let to = |identity: IdentitySet, endpoint| InvitationParticipantInfo {
        endpoint_type: Some(endpoint),
        ..InvitationParticipantInfo::new(identity)
    };
    let transfer = |target| TransferRequest {
        transfer_target: Some(target),
        ..TransferRequest::default()
    };
    let blind = transfer(to(user("Heidi Steen"), EndpointType::Default));
    wire.checked("blind", request::transfer(&call_id(), &blind));

    let mut target = to(user("Heidi Steen"), EndpointType::Default);
    target.replaces_call_id = Some("e5d39592-99bd-4db8-bca8-30fb894ec51d".to_owned());
    let consultative = transfer(target);
    wire.checked("consultative", request::transfer(&call_id(), &consultative));

    let mut target = to(phone(), EndpointType::Default);
    (target.language_id, target.region) = (Some("en-us".to_owned()), Some("amer".to_owned()));
    let to_phone = TransferRequest {
        client_context: Some(CONTEXT.to_owned()),
        ..transfer(target)
    };
    wire.checked("to a phone", request::transfer(&call_id(), &to_phone));

    let voicemail = transfer(to(user("Heidi Steen"), EndpointType::Voicemail));
    wire.checked("to voicemail", request::transfer(&call_id(), &voicemail));

    let mut transferee = ParticipantInfo::new(user("Transferee"));
    transferee.participant_id = Some(PARTICIPANT.to_owned());
    let from_group = TransferRequest {
        transferee: Some(transferee),
        ..blind
    };
    wire.checked(
        "from a group call",
        request::transfer(&call_id(), &from_group),
    );
    insta::assert_snapshot!(wire.text());
}

#[test]
fn what_lies_below_a_call() {
    let mut wire = Wire::default();
    let operation = id("17e3b46c-f61d-4f4d-9635-c626ef18e6ad");
    wire.sent("", &request::list_operations(&call_id()));
    wire.sent("", &request::get_operation(&call_id(), &operation));
    let session = id("7e1b4346-85a6-4bdd-abe3-d11c5d420efe");
    wire.sent("", &request::list_content_sharing_sessions(&call_id()));
    wire.sent(
        "",
        &request::get_content_sharing_session(&call_id(), &session),
    );

    let group = |mode: RoutingMode, receivers: &[&str]| AudioRoutingGroup {
        id: Some(mode.to_string()),
        routing_mode: Some(mode),
        sources: Some(vec![PARTICIPANT.to_owned()]),
        receivers: Some(receivers.iter().map(ToString::to_string).collect()),
        ..AudioRoutingGroup::default()
    };
    let one = group(
        RoutingMode::OneToOne,
        &["550fae72-d251-43ec-868c-373732c2704f"],
    );
    wire.checked(
        "one to one",
        request::create_audio_routing_group(&call_id(), &one),
    );
    let many = group(
        RoutingMode::Multicast,
        &[USER, "72f988bf-86f1-41af-91ab-2d7cd011db47"],
    );
    wire.checked(
        "multicast",
        request::create_audio_routing_group(&call_id(), &many),
    );
    let name = id("multicast");
    wire.sent("", &request::list_audio_routing_groups(&call_id()));
    wire.sent("", &request::get_audio_routing_group(&call_id(), &name));
    let more = AudioRoutingGroup {
        receivers: Some(vec![USER.to_owned()]),
        ..AudioRoutingGroup::default()
    };
    wire.checked(
        "receivers",
        request::update_audio_routing_group(&call_id(), &name, &more),
    );
    wire.sent("", &request::delete_audio_routing_group(&call_id(), &name));
    insta::assert_snapshot!(wire.text());
}
