//! Which properties request bodies may have. Graph ignores nothing: a misspelt
//! property is an error with a pointer to it.

mod meeting;
mod quality;
#[cfg(test)]
mod schema;

use axum::http::StatusCode;
use serde_json::Value;

use crate::cloud::Fault;

/// The properties of a type and what they hold.
struct Shape {
    name: &'static str,
    properties: &'static [(&'static str, Holds)],
}

#[derive(Clone, Copy)]
enum Holds {
    /// Anything; its own type is checked where it is read.
    Value,
    /// An object, or a list of such objects.
    Of(&'static Shape),
    /// A member of an enumeration, or a list of them.
    One(&'static [&'static str]),
    /// Something that requests of its own are for.
    Apart,
}

use Holds::{Apart, Of, One, Value as Plain};

const MODALITY: Holds = One(&["audio", "video", "videoBasedScreenSharing", "data"]);

const IDENTITY: Shape = Shape {
    name: "identity",
    properties: &[
        ("id", Plain),
        ("displayName", Plain),
        ("tenantId", Plain),
        ("identityProvider", Plain),
        ("hidden", Plain),
        ("applicationType", Plain),
        ("email", Plain),
        ("azureCommunicationServicesResourceId", Plain),
    ],
};

const IDENTITY_SET: Shape = Shape {
    name: "identitySet",
    properties: &[
        ("application", Of(&IDENTITY)),
        ("applicationInstance", Of(&IDENTITY)),
        ("assertedIdentity", Of(&IDENTITY)),
        ("azureCommunicationServicesUser", Of(&IDENTITY)),
        ("device", Of(&IDENTITY)),
        ("encrypted", Of(&IDENTITY)),
        ("endpointType", Plain),
        ("guest", Of(&IDENTITY)),
        ("onPremises", Of(&IDENTITY)),
        ("phone", Of(&IDENTITY)),
        ("user", Of(&IDENTITY)),
    ],
};

/// `invitationParticipantInfo`; the examples of transfers to phones also have a
/// language and a region.
const INVITATION: Shape = Shape {
    name: "invitationParticipantInfo",
    properties: &[
        ("identity", Of(&IDENTITY_SET)),
        ("endpointType", Plain),
        ("hidden", Plain),
        ("participantId", Plain),
        ("removeFromDefaultAudioRoutingGroup", Plain),
        ("replacesCallId", Plain),
        ("languageId", Plain),
        ("region", Plain),
        ("id", Plain),
    ],
};

const PARTICIPANT_INFO: Shape = Shape {
    name: "participantInfo",
    properties: &[
        ("identity", Of(&IDENTITY_SET)),
        ("countryCode", Plain),
        ("endpointType", Plain),
        ("languageId", Plain),
        ("participantId", Plain),
        ("region", Plain),
    ],
};

const MEDIA_INFO: Shape = Shape {
    name: "mediaInfo",
    properties: &[("uri", Plain), ("resourceId", Plain)],
};

const PROMPT: Shape = Shape {
    name: "mediaPrompt",
    properties: &[("mediaInfo", Of(&MEDIA_INFO))],
};

const MEDIA_CONFIG: Shape = Shape {
    name: "mediaConfig",
    properties: &[
        ("blob", Plain),
        ("preFetchMedia", Of(&MEDIA_INFO)),
        ("removeFromDefaultAudioGroup", Plain),
    ],
};

const CALL_OPTIONS: Shape = Shape {
    name: "callOptions",
    properties: &[
        ("hideBotAfterEscalation", Plain),
        ("isContentSharingNotificationEnabled", Plain),
        ("isDeltaRosterEnabled", Plain),
        ("isInteractiveRosterEnabled", Plain),
    ],
};

const CHAT_INFO: Shape = Shape {
    name: "chatInfo",
    properties: &[
        ("threadId", Plain),
        ("messageId", Plain),
        ("replyChainMessageId", Plain),
    ],
};

/// `organizerMeetingInfo`, `tokenMeetingInfo` and `joinMeetingIdMeetingInfo` in one.
const MEETING_INFO: Shape = Shape {
    name: "meetingInfo",
    properties: &[
        ("allowConversationWithoutHost", Plain),
        ("organizer", Of(&IDENTITY_SET)),
        ("token", Plain),
        ("joinMeetingId", Plain),
        ("passcode", Plain),
    ],
};

/// What Graph alone sets may be there as well and changes nothing: so OData has it, and a
/// documented request (Create call, example 3) holds `direction`, which is read-only.
const CALL: Shape = Shape {
    name: "call",
    properties: &[
        ("audioRoutingGroups", Apart),
        ("callbackUri", Plain),
        ("callChainId", Plain),
        ("callOptions", Of(&CALL_OPTIONS)),
        ("callRoutes", Plain),
        ("chatInfo", Of(&CHAT_INFO)),
        ("contentSharingSessions", Apart),
        ("direction", One(&["incoming", "outgoing"])),
        ("id", Plain),
        ("incomingContext", Plain),
        ("mediaConfig", Of(&MEDIA_CONFIG)),
        ("mediaState", Plain),
        ("meetingInfo", Of(&MEETING_INFO)),
        ("myParticipantId", Plain),
        ("operations", Apart),
        ("participants", Apart),
        ("requestedModalities", MODALITY),
        ("resultInfo", Plain),
        ("ringingTimeoutInSeconds", Plain),
        ("source", Of(&PARTICIPANT_INFO)),
        ("state", Plain),
        ("subject", Plain),
        ("targets", Of(&INVITATION)),
        ("tenantId", Plain),
        ("toneInfo", Plain),
        ("transcription", Plain),
    ],
};

const ANSWER: Shape = Shape {
    name: "answer",
    properties: &[
        ("callbackUri", Plain),
        ("mediaConfig", Of(&MEDIA_CONFIG)),
        ("acceptedModalities", MODALITY),
        ("participantCapacity", Plain),
        ("callOptions", Of(&CALL_OPTIONS)),
    ],
};

const REJECT: Shape = Shape {
    name: "reject",
    properties: &[("reason", Plain), ("callbackUri", Plain)],
};

const REDIRECT: Shape = Shape {
    name: "redirect",
    properties: &[
        ("targets", Of(&INVITATION)),
        ("timeout", Plain),
        ("maskCallee", Plain),
        ("maskCaller", Plain),
        ("callbackUri", Plain),
        ("routingPolicies", Plain),
        ("targetDisposition", Plain),
    ],
};

const TRANSFER: Shape = Shape {
    name: "transfer",
    properties: &[
        ("transferTarget", Of(&INVITATION)),
        ("transferee", Of(&PARTICIPANT_INFO)),
        ("clientContext", Plain),
    ],
};

const PLAY_PROMPT: Shape = Shape {
    name: "playPrompt",
    properties: &[("prompts", Of(&PROMPT)), ("clientContext", Plain)],
};

const RECORDING_STATUS: Shape = Shape {
    name: "updateRecordingStatus",
    properties: &[("clientContext", Plain), ("status", Plain)],
};

const TONES: Shape = Shape {
    name: "sendDtmfTones",
    properties: &[
        ("clientContext", Plain),
        ("tones", Plain),
        ("delayBetweenTonesMs", Plain),
    ],
};

const RECORD: Shape = Shape {
    name: "recordResponse",
    properties: &[
        ("bargeInAllowed", Plain),
        ("clientContext", Plain),
        ("initialSilenceTimeoutInSeconds", Plain),
        ("maxRecordDurationInSeconds", Plain),
        ("maxSilenceTimeoutInSeconds", Plain),
        ("playBeep", Plain),
        ("prompts", Of(&PROMPT)),
        ("stopTones", Plain),
    ],
};

const ROLE: Shape = Shape {
    name: "changeScreenSharingRole",
    properties: &[("role", Plain)],
};

const ROUTE: Shape = Shape {
    name: "audioRoutingGroup",
    properties: &[
        ("id", Plain),
        ("receivers", Plain),
        ("routingMode", Plain),
        ("sources", Plain),
    ],
};

const INVITE: Shape = Shape {
    name: "invite",
    properties: &[("participants", Of(&INVITATION)), ("clientContext", Plain)],
};

const HOLD_MUSIC: Shape = Shape {
    name: "startHoldMusic",
    properties: &[("customPrompt", Of(&PROMPT)), ("clientContext", Plain)],
};

const MARK: Shape = Shape {
    name: "action",
    properties: &[("clientContext", Plain)],
};

/// Refuses the first property that the operation's body doesn't have.
pub(super) fn check(operation: &str, body: &Value) -> Result<(), Fault> {
    walk(of(operation), body, "")
}

fn of(operation: &str) -> &'static Shape {
    match operation {
        "create" => &CALL,
        "answer" => &ANSWER,
        "reject" => &REJECT,
        "redirect" => &REDIRECT,
        "transfer" => &TRANSFER,
        "playPrompt" => &PLAY_PROMPT,
        "updateRecordingStatus" => &RECORDING_STATUS,
        "sendDtmfTones" => &TONES,
        "recordResponse" => &RECORD,
        "changeScreenSharingRole" => &ROLE,
        "audioRoutingGroup" => &ROUTE,
        "logTeleconferenceDeviceQuality" => &quality::LOG,
        "getPresencesByUserId" => &meeting::PRESENCES,
        "setPresence" => &meeting::SET_PRESENCE,
        "clearPresence" => &meeting::CLEAR_PRESENCE,
        "setUserPreferredPresence" => &meeting::PREFERRED,
        "setStatusMessage" => &meeting::STATUS,
        "setManualLocation" | "setAutomaticLocation" => &meeting::LOCATION,
        "invite" => &INVITE,
        "startHoldMusic" => &HOLD_MUSIC,
        "createMeeting" | "updateMeeting" => &meeting::MEETING,
        "createOrGetMeeting" => &meeting::CREATE_OR_GET,
        "sendVirtualAppointmentSms" => &meeting::SMS,
        "sendVirtualAppointmentReminderSms" => &meeting::REMINDER_SMS,
        _ => &MARK,
    }
}

fn walk(shape: &Shape, value: &Value, path: &str) -> Result<(), Fault> {
    match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| walk(shape, item, &join(path, &index.to_string()))),
        Value::Object(properties) => properties.iter().try_for_each(|(name, value)| {
            // Annotations (`@odata.type`, `user@odata.bind`) are no properties.
            if name.contains('@') {
                return Ok(());
            }
            let known = shape.properties.iter().find(|(known, _)| known == name);
            match known {
                None => Err(unknown(shape, &join(path, name), name)),
                Some((_, Holds::Value)) => Ok(()),
                Some((_, Holds::Apart)) => Err(apart(shape, &join(path, name), name)),
                Some((_, Holds::Of(inner))) => walk(inner, value, &join(path, name)),
                Some((_, Holds::One(members))) => member(members, value, &join(path, name)),
            }
        }),
        _ => Ok(()),
    }
}

/// What isn't text is of the wrong type, which is found where it is read.
fn member(members: &[&str], value: &Value, path: &str) -> Result<(), Fault> {
    match value {
        Value::Array(values) => values
            .iter()
            .enumerate()
            .try_for_each(|(index, value)| member(members, value, &join(path, &index.to_string()))),
        Value::String(value) if !members.contains(&value.as_str()) => {
            let members = members.join(", ");
            let message = format!("The value is no member of the enumeration: {members}.");
            Err(at(path, message))
        }
        _ => Ok(()),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}/{name}")
    }
}

fn unknown(shape: &Shape, path: &str, name: &str) -> Fault {
    let name: String = name.chars().take(64).collect();
    let message = format!(
        "The property '{name}' does not exist on type 'microsoft.graph.{}'. Make sure to only use property names that are defined by the type.",
        shape.name
    );
    at(path, message)
}

/// Graph has no words for it.
fn apart(shape: &Shape, path: &str, name: &str) -> Fault {
    let message = format!(
        "The property '{name}' of type 'microsoft.graph.{}' can't be set here: it has requests of its own.",
        shape.name
    );
    at(path, message)
}

fn at(path: &str, message: String) -> Fault {
    Fault {
        target: Some(path.chars().take(256).collect()),
        ..Fault::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;
    use switchboard_signaling::types::{
        AnswerRequest, AppHostedMediaConfig, Call, CallOptions, Identity, IdentitySet,
        InvitationParticipantInfo, MediaConfig, MediaPrompt, PlayPromptRequest, Prompt,
        TransferRequest,
    };

    use super::*;

    #[test]
    fn a_misspelt_property_is_pointed_at() {
        for (operation, body, target) in [
            ("answer", json!({"callbackURI": "x"}), "callbackURI"),
            (
                "answer",
                json!({"mediaConfig": {"blub": "x"}}),
                "mediaConfig/blub",
            ),
            (
                "transfer",
                json!({"transferTarget": {"identity": {"user": {"name": "x"}}}}),
                "transferTarget/identity/user/name",
            ),
            (
                "playPrompt",
                json!({"prompts": [{}, {"mediaInfo": {"url": "x"}}]}),
                "prompts/1/mediaInfo/url",
            ),
            ("mute", json!({"context": "x"}), "context"),
            // Values that an enumeration does not have.
            (
                "create",
                json!({"requestedModalities": ["audio", "vdeo"]}),
                "requestedModalities/1",
            ),
            (
                "updateMeeting",
                json!({"lobbyBypassSettings": {"scope": "nobody"}}),
                "lobbyBypassSettings/scope",
            ),
            (
                "createMeeting",
                json!({"participants": {"attendees": [{"role": "boss"}]}}),
                "participants/attendees/0/role",
            ),
            // Of Graph's former versions.
            (
                "playPrompt",
                json!({"prompts": [{"loop": 2}]}),
                "prompts/0/loop",
            ),
            ("playPrompt", json!({"prompts": [], "loop": 2}), "loop"),
            (
                "setStatusMessage",
                json!({"statusMessage": {"message": {"text": "x"}}}),
                "statusMessage/message/text",
            ),
            (
                "setStatusMessage",
                json!({"statusMessage": {"expiryDateTime": {"zone": "x"}}}),
                "statusMessage/expiryDateTime/zone",
            ),
            (
                "logTeleconferenceDeviceQuality",
                json!({"quality": {"mediaQualityList": [{"jitter": 1}]}}),
                "quality/mediaQualityList/0/jitter",
            ),
            (
                "createMeeting",
                json!({"broadcastSettings": {"captions": {"isCaptionEnabld": true}}}),
                "broadcastSettings/captions/isCaptionEnabld",
            ),
            (
                "sendVirtualAppointmentSms",
                json!({"attendees": [{"number": "x"}]}),
                "attendees/0/number",
            ),
        ] {
            let fault = check(operation, &body).unwrap_err();
            assert_eq!(fault.target.as_deref(), Some(target));
            assert_eq!(fault.status.as_u16(), 400);
        }
    }

    #[test]
    fn what_graph_alone_sets_is_not_called_unknown() {
        let told = json!({"id": "x", "direction": "outgoing", "state": "establishing",
            "callRoutes": [], "incomingContext": null, "mediaState": {"audio": "active"},
            "myParticipantId": "x", "resultInfo": null, "toneInfo": null, "transcription": {}});
        check("create", &told).unwrap();
        let fault = check("create", &json!({"participants": []})).unwrap_err();
        assert_eq!(fault.target.as_deref(), Some("participants"));
        assert!(!fault.message.contains("does not exist"));
    }

    #[test]
    fn what_our_own_types_write_is_known() {
        let user = IdentitySet::user(Identity::new("id").named("name"));
        let target = InvitationParticipantInfo::new(user);
        let media = MediaConfig::AppHosted(AppHostedMediaConfig::new("blob"));
        let answer = AnswerRequest {
            callback_uri: Some("x".into()),
            media_config: Some(media.clone()),
            call_options: Some(CallOptions::incoming()),
            ..AnswerRequest::default()
        };
        check("answer", &serde_json::to_value(answer).unwrap()).unwrap();
        let call = Call {
            media_config: Some(media),
            targets: Some(vec![target.clone()]),
            ..Call::default()
        };
        check("create", &serde_json::to_value(call).unwrap()).unwrap();
        let transfer = TransferRequest {
            transfer_target: Some(target),
            ..TransferRequest::default()
        };
        check("transfer", &serde_json::to_value(transfer).unwrap()).unwrap();
        let play = PlayPromptRequest {
            prompts: Some(vec![Prompt::Media(MediaPrompt::new("x", None))]),
            ..PlayPromptRequest::default()
        };
        check("playPrompt", &serde_json::to_value(play).unwrap()).unwrap();
    }
}
