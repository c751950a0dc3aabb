//! The bodies of notifications, as the API reference shows them.

use serde_json::{Value, json};
use switchboard_signaling::types::{
    Call, CallMediaState, CallState, ChangeType, CommsNotification, CommsNotifications,
    CommsOperation, ContentSharingSession, Identity, IdentitySet, InvitationParticipantInfo,
    MediaDirection, MediaState, MediaStream, Modality, OperationKind, OperationStatus, Participant,
    ParticipantInfo, RecordingInfo, RecordingStatus, ResultInfo, Tone, ToneInfo,
};

use super::conversation::{BotLeg, Conversation};
use super::effect::{Correlation, Notice};
use crate::config::client_id;
use crate::phone::is_telephone;

/// The resource path of a call.
pub(crate) fn call_path(call: &str) -> String {
    format!("/communications/calls/{call}")
}

/// A result for programs and people.
pub(crate) fn result(code: i32, subcode: i32, message: &str) -> ResultInfo {
    ResultInfo {
        code: Some(code),
        subcode: Some(subcode),
        message: Some(message.to_owned()),
        ..ResultInfo::default()
    }
}

/// A user or a telephone, as source or target.
pub(crate) fn person(id: &str, name: &str, tenant: &str) -> IdentitySet {
    if is_telephone(id) {
        return IdentitySet::phone(Identity::new(id));
    }
    let mut identity = Identity::new(id).named(name);
    identity.tenant_id = Some(tenant.to_owned());
    IdentitySet::user(identity)
}

/// The call as the first notification and `GET` show it.
pub(crate) fn whole(call: &Conversation, bot: &BotLeg, caller: Option<IdentitySet>) -> Call {
    let people = match &call.group {
        Some(group) => group.inviter.clone(),
        None => caller,
    };
    let application = match &call.instance {
        Some(instance) => {
            let mut identity = Identity::new(instance);
            identity.tenant_id = Some(bot.tenant.clone());
            IdentitySet::application_instance(identity)
        }
        None => bot.identity(),
    };
    let incoming = call.direction == switchboard_signaling::types::CallDirection::Incoming;
    let (source, target) = if incoming {
        (people, Some(application))
    } else {
        (Some(application), people)
    };
    let mut whole = Call {
        id: Some(call.id.clone()),
        state: Some(call.state()),
        direction: Some(call.direction.clone()),
        callback_uri: Some(bot.callback.to_string()),
        source: source.map(|identity| ParticipantInfo {
            identity: Some(identity),
            language_id: Some("en-US".to_owned()),
            ..ParticipantInfo::default()
        }),
        targets: target.map(|identity| vec![InvitationParticipantInfo::new(identity)]),
        requested_modalities: Some(vec![Modality::Audio]),
        my_participant_id: Some(bot.participant.clone()),
        call_chain_id: Some(bot.chain.clone()),
        tenant_id: Some(bot.tenant.clone()),
        ..Call::default()
    };
    if let Some(group) = &call.group {
        group.describe(&mut whole);
    }
    if call.state() == CallState::Established {
        whole.media_state = Some(audio(MediaState::Active));
    }
    whole
}

/// The call as later notifications show it: its state and what is new.
pub(crate) fn change(state: CallState) -> Call {
    Call {
        state: Some(state),
        ..Call::default()
    }
}

pub(crate) fn audio(state: MediaState) -> CallMediaState {
    CallMediaState {
        audio: Some(state),
        ..CallMediaState::default()
    }
}

/// A tone pressed by the caller.
pub(crate) fn tone(sequence_id: i64, tone: Tone) -> Call {
    Call {
        tone_info: Some(ToneInfo {
            sequence_id: Some(sequence_id),
            tone: Some(tone),
            ..ToneInfo::default()
        }),
        ..change(CallState::Established)
    }
}

/// A fresh operation.
pub(crate) fn operation(
    kind: OperationKind,
    id: String,
    status: OperationStatus,
    client_context: Option<String>,
) -> CommsOperation {
    CommsOperation {
        kind: Some(kind),
        id: Some(id),
        status: Some(status),
        client_context,
        ..CommsOperation::default()
    }
}

/// A notification about the call itself.
pub(crate) fn about_call(
    call: &Conversation,
    bot: &BotLeg,
    message: String,
    change: ChangeType,
    data: &Call,
) -> Notice {
    let last = change == ChangeType::Deleted;
    let kind = match (&data.tone_info, &data.state) {
        (Some(_), _) => "tone",
        (None, Some(state)) => state.as_str(),
        (None, None) => "call",
    };
    let path = call_path(&call.id);
    let mut notice = notice(call, bot, message, change, path, data);
    notice.kind = kind.to_owned();
    notice.last = last;
    notice
}

/// A notification about one of its operations, which then is over.
pub(crate) fn about_operation(
    call: &Conversation,
    bot: &BotLeg,
    message: String,
    operation: &CommsOperation,
) -> Notice {
    let id = operation.id.as_deref().unwrap_or_default();
    let path = format!("{}/operations/{id}", call_path(&call.id));
    notice(call, bot, message, ChangeType::Deleted, path, operation)
}

/// A notification about who is in it.
pub(crate) fn about_roster(
    call: &Conversation,
    bot: &BotLeg,
    message: String,
    people: &[Participant],
) -> Notice {
    let path = format!("{}/participants", call_path(&call.id));
    let mut notice = notice(call, bot, message, ChangeType::Updated, path, &people);
    notice.kind = "roster".to_owned();
    notice
}

/// A notification about what is shared in it.
pub(crate) fn about_sharing(
    call: &Conversation,
    bot: &BotLeg,
    message: String,
    change: ChangeType,
    sessions: &[ContentSharingSession],
) -> Notice {
    let path = format!("{}/contentsharingsessions", call_path(&call.id));
    let mut notice = notice(call, bot, message, change, path, &sessions);
    notice.kind = "contentSharing".to_owned();
    notice
}

/// A new call as the former Skype protocol told it: its `Conversation`. Graph documents that
/// it comes (Incoming call notifications), not what is in it.
pub(crate) fn legacy(notice: &Notice) -> Value {
    let told = notice.body.value.as_deref().unwrap_or_default();
    let call = told.first().and_then(|told| told.resource_data.as_ref());
    let caller = call.and_then(|call| call["source"]["identity"]["user"]["id"].as_str());
    json!({
        "id": notice.call,
        "appId": client_id(&notice.app),
        "participants": [
            {"identity": format!("8:orgid:{}", caller.unwrap_or_default()), "originator": true},
            {"identity": format!("28:{}", client_id(&notice.app)), "originator": false},
        ],
        "isMultiparty": false,
        "presentedModalityTypes": ["audio"],
        "callState": "incoming",
    })
}

/// Who has muted somebody.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Muted {
    pub(crate) by_server: bool,
    pub(crate) by_self: bool,
}

/// One on the roster, whose only stream is audio.
pub(crate) fn participant(id: &str, identity: IdentitySet, muted: Muted) -> Participant {
    Participant {
        id: Some(id.to_owned()),
        info: Some(ParticipantInfo {
            identity: Some(identity),
            ..ParticipantInfo::default()
        }),
        is_in_lobby: Some(false),
        is_muted: Some(muted.by_server || muted.by_self),
        media_streams: Some(vec![MediaStream {
            media_type: Some(Modality::Audio),
            direction: Some(MediaDirection::SendReceive),
            server_muted: Some(muted.by_server),
            ..MediaStream::default()
        }]),
        ..Participant::default()
    }
}

/// What an application says of its own recording.
pub(crate) fn recording(initiator: IdentitySet, status: RecordingStatus) -> RecordingInfo {
    RecordingInfo {
        initiator: Some(initiator),
        recording_status: Some(status),
        ..RecordingInfo::default()
    }
}

fn notice(
    call: &Conversation,
    bot: &BotLeg,
    message: String,
    change: ChangeType,
    path: String,
    data: &impl serde::Serialize,
) -> Notice {
    // Our own types always serialise: string keys and plain numbers.
    let mut data = serde_json::to_value(data).unwrap_or(Value::Null);
    if data.is_object() {
        data["@odata.id"] = json!(path);
    }
    let notification = CommsNotification {
        change_type: Some(change),
        resource_url: Some(path),
        resource_data: Some(data),
        ..CommsNotification::default()
    };
    Notice {
        call: call.id.clone(),
        kind: "operation".to_owned(),
        app: bot.app.clone(),
        tenant: bot.tenant.clone(),
        to: bot.callback.clone(),
        body: CommsNotifications {
            value: Some(vec![notification]),
            ..CommsNotifications::default()
        },
        correlation: Correlation {
            chain: bot.chain.clone(),
            scenario: bot.scenario.clone(),
            message,
        },
        last: false,
    }
}
