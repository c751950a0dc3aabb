//! Types and enumerations.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use switchboard_signaling::types::*;

use crate::facts::{Member, Schema};
use crate::sample::{FUTURE, with_new_properties};

/// What is to be found out about one of our types, whatever it is.
pub(crate) struct Subject {
    /// Reads and writes again; `Err` if it can't be read.
    again: fn(&Value) -> Result<Value, String>,
    /// Reads and prints.
    shown: fn(&Value) -> String,
}

impl Subject {
    pub(crate) fn of<T: Serialize + DeserializeOwned + Debug>() -> Self {
        Self {
            again: |value| {
                let read = T::deserialize(value).map_err(|error| error.to_string())?;
                serde_json::to_value(&read).map_err(|error| error.to_string())
            },
            shown: |value| format!("{:?}", T::deserialize(value).unwrap()),
        }
    }

    fn keeps(&self, what: &str, value: &Value) {
        assert_eq!((self.again)(value).as_ref(), Ok(value), "{what}");
    }

    /// Every member of `value` has a place of its own and of its kind.
    pub(crate) fn walk(&self, what: &str, schema: &Schema, members: &[Member], value: &Value) {
        self.keeps(what, value);
        self.keeps(what, &with_new_properties(value));
        let shown = (self.shown)(value).replace("call_records: Some([UnknownObject", "");
        for sign in ["extra: {\"", "UnknownObject"] {
            assert!(
                !shown.contains(sign),
                "{what} does not name a property: {shown}"
            );
        }
        for (name, kind) in members {
            let mut wrong = value.clone();
            wrong[name] = schema.wrong(kind);
            let read = (self.again)(&wrong);
            assert!(
                read.is_err(),
                "{what}.{name} takes {} for a {kind}",
                wrong[name]
            );
        }
        self.keeps_new_members(what, schema, members, value);
    }

    /// Enumerations grow: what they don't know is kept.
    fn keeps_new_members(&self, what: &str, schema: &Schema, members: &[Member], value: &Value) {
        for (name, kind) in members {
            let mut newer = value.clone();
            match kind
                .strip_prefix('[')
                .map(|kind| kind.trim_end_matches(']'))
            {
                Some(item) if schema.enums.contains_key(item) => newer[name] = json!([FUTURE]),
                None if schema.enums.contains_key(kind) => newer[name] = json!(FUTURE),
                _ => continue,
            }
            self.keeps(what, &newer);
        }
    }
}

/// Our type for one of the schema's.
fn subject(name: &str) -> Option<Subject> {
    Some(match name {
        "adhocCall" => Subject::of::<AdhocCall>(),
        "appHostedMediaConfig" => Subject::of::<AppHostedMediaConfig>(),
        "attendanceInterval" => Subject::of::<AttendanceInterval>(),
        "attendanceRecord" => Subject::of::<AttendanceRecord>(),
        "audioConferencing" => Subject::of::<AudioConferencing>(),
        "audioRoutingGroup" => Subject::of::<AudioRoutingGroup>(),
        "broadcastMeetingCaptionSettings" => Subject::of::<BroadcastMeetingCaptionSettings>(),
        "broadcastMeetingSettings" => Subject::of::<BroadcastMeetingSettings>(),
        "call" => Subject::of::<Call>(),
        "callMediaState" => Subject::of::<CallMediaState>(),
        "callRecording" => Subject::of::<CallRecording>(),
        "callRoute" => Subject::of::<CallRoute>(),
        "callTranscript" => Subject::of::<CallTranscript>(),
        "callTranscriptionInfo" => Subject::of::<CallTranscriptionInfo>(),
        "chatInfo" => Subject::of::<ChatInfo>(),
        "chatRestrictions" => Subject::of::<ChatRestrictions>(),
        "cloudCommunications" => Subject::of::<CloudCommunications>(),
        "cloudVideoInteropInfo" => Subject::of::<CloudVideoInteropInfo>(),
        "commsNotification" => Subject::of::<CommsNotification>(),
        "commsNotifications" => Subject::of::<CommsNotifications>(),
        "contentSharingSession" | "entity" => Subject::of::<ContentSharingSession>(),
        "dateTimeTimeZone" => Subject::of::<DateTimeTimeZone>(),
        "engagementConversation" => Subject::of::<EngagementConversation>(),
        "engagementConversationMessage" => Subject::of::<EngagementConversationMessage>(),
        "engagementConversationMessageReaction" => {
            Subject::of::<EngagementConversationMessageReaction>()
        }
        "engagementIdentitySet" => Subject::of::<EngagementIdentitySet>(),
        "callOptions" | "incomingCallOptions" | "outgoingCallOptions" => {
            Subject::of::<CallOptions>()
        }
        "identitySet" | "communicationsIdentitySet" => Subject::of::<IdentitySet>(),
        "incomingContext" => Subject::of::<IncomingContext>(),
        "invitationParticipantInfo" => Subject::of::<InvitationParticipantInfo>(),
        "itemBody" => Subject::of::<ItemBody>(),
        "joinMeetingIdMeetingInfo" => Subject::of::<JoinMeetingIdMeetingInfo>(),
        "joinMeetingIdSettings" => Subject::of::<JoinMeetingIdSettings>(),
        "lobbyBypassSettings" => Subject::of::<LobbyBypassSettings>(),
        "mediaConfig" => Subject::of::<MediaConfig>(),
        "mediaInfo" => Subject::of::<MediaInfo>(),
        "mediaPrompt" => Subject::of::<MediaPrompt>(),
        "mediaStream" => Subject::of::<MediaStream>(),
        "meetingAttendanceReport" => Subject::of::<MeetingAttendanceReport>(),
        "meetingInfo" => Subject::of::<MeetingInfo>(),
        "meetingParticipantInfo" => Subject::of::<MeetingParticipantInfo>(),
        "meetingParticipants" => Subject::of::<MeetingParticipants>(),
        "onlineMeeting" | "onlineMeetingBase" => Subject::of::<OnlineMeeting>(),
        "onlineMeetingEngagementConversation" => {
            Subject::of::<OnlineMeetingEngagementConversation>()
        }
        "onlineMeetingRestricted" => Subject::of::<OnlineMeetingRestricted>(),
        "onlineMeetingSensitivityLabelAssignment" => {
            Subject::of::<OnlineMeetingSensitivityLabelAssignment>()
        }
        "organizerMeetingInfo" => Subject::of::<OrganizerMeetingInfo>(),
        "outOfOfficeSettings" => Subject::of::<OutOfOfficeSettings>(),
        "participant" => Subject::of::<Participant>(),
        "participantInfo" => Subject::of::<ParticipantInfo>(),
        "presence" => Subject::of::<Presence>(),
        "presenceStatusMessage" => Subject::of::<PresenceStatusMessage>(),
        "prompt" => Subject::of::<Prompt>(),
        "recordingInfo" => Subject::of::<RecordingInfo>(),
        "removedState" => Subject::of::<RemovedState>(),
        "resultInfo" => Subject::of::<ResultInfo>(),
        "serviceHostedMediaConfig" => Subject::of::<ServiceHostedMediaConfig>(),
        "teleconferenceDeviceMediaQuality" => Subject::of::<MediaQuality>(),
        "teleconferenceDeviceQuality" => Subject::of::<TeleconferenceDeviceQuality>(),
        "tokenMeetingInfo" => Subject::of::<TokenMeetingInfo>(),
        "toneInfo" => Subject::of::<ToneInfo>(),
        "userWorkLocation" => Subject::of::<UserWorkLocation>(),
        "virtualEventExternalInformation" => Subject::of::<VirtualEventExternalInformation>(),
        "virtualEventExternalRegistrationInformation" => {
            Subject::of::<VirtualEventExternalRegistrationInformation>()
        }
        "virtualEventSession" => Subject::of::<VirtualEventSession>(),
        "watermarkProtectionValues" => Subject::of::<WatermarkProtectionValues>(),
        name if name == "identity" || name.ends_with("Identity") => Subject::of::<Identity>(),
        name if name.ends_with("Operation") => Subject::of::<CommsOperation>(),
        _ => return None,
    })
}

#[test]
fn every_property_has_a_place_and_comes_back() {
    let schema = Schema::read();
    for (name, of) in &schema.types {
        let subject = subject(name).unwrap_or_else(|| panic!("no type for {name}"));
        let members = schema.properties(name);
        for depth in 1..=3 {
            let value = schema.object_of(name, depth);
            if of.is_abstract && !schema.concrete(name).is_empty() && members.is_empty() {
                continue;
            }
            subject.walk(name, &schema, &members, &value);
        }
    }
}

#[test]
fn every_descendant_is_read_as_its_base() {
    let schema = Schema::read();
    for base in [
        "mediaConfig",
        "meetingInfo",
        "prompt",
        "callOptions",
        "commsOperation",
        "identity",
    ] {
        let descendants = schema.concrete(base);
        assert!(!descendants.is_empty());
        for name in descendants {
            let value = schema.object_of(name, 3);
            let subject = subject(base).unwrap();
            subject.walk(name, &schema, &schema.properties(name), &value);
        }
    }
}

#[test]
fn every_operation_kind_is_known() {
    let schema = Schema::read();
    for name in schema.concrete("commsOperation") {
        let kind = OperationKind::from(format!("#microsoft.graph.{name}").as_str());
        assert!(OperationKind::KNOWN.contains(&kind), "{name}");
    }
}

#[test]
fn objects_of_new_types_are_kept_whole() {
    let new = json!({"@odata.type": "#microsoft.graph.newThing", "a": {"b": [1, 2.5, "c"]}});
    for base in [
        "mediaConfig",
        "meetingInfo",
        "prompt",
        "teleconferenceDeviceMediaQuality",
    ] {
        subject(base).unwrap().keeps(base, &new);
    }
    let call =
        json!({"@odata.type": "#microsoft.graph.call", "mediaConfig": new, "meetingInfo": new});
    subject("call").unwrap().keeps("call", &call);
}

/// Reads a text as a member and writes it; the second is whether the member is known.
fn member_of<T: for<'a> From<&'a str> + PartialEq + Serialize + 'static>(
    known: &[T],
    text: &str,
) -> (Value, bool) {
    let read = T::from(text);
    (serde_json::to_value(&read).unwrap(), known.contains(&read))
}

macro_rules! enumerations {
    ($name:expr, $text:expr; $($schema:literal => $type:ty,)*) => {
        match $name {
            $($schema => member_of::<$type>(<$type>::KNOWN, $text),)*
            other => panic!("no enumeration for {other}"),
        }
    };
}

fn member(name: &str, text: &str) -> (Value, bool) {
    enumerations! { name, text;
        "allowedLobbyAdmitterRoles" => AllowedLobbyAdmitterRoles,
        "bodyType" => BodyType,
        "broadcastMeetingAudience" => BroadcastMeetingAudience,
        "callDirection" => CallDirection,
        "callState" => CallState,
        "callTranscriptionState" => CallTranscriptionState,
        "changeType" => ChangeType,
        "endpointType" => EndpointType,
        "engagementConversationMessageReactionType" => ReactionType,
        "engagementConversationModerationState" => ModerationState,
        "engagementCreationMode" => EngagementCreationMode,
        "lobbyBypassScope" => LobbyBypassScope,
        "mediaDirection" => MediaDirection,
        "mediaState" => MediaState,
        "meetingChatHistoryDefaultMode" => MeetingChatHistoryDefaultMode,
        "meetingChatMode" => MeetingChatMode,
        "meetingLiveShareOptions" => MeetingLiveShareOptions,
        "modality" => Modality,
        "onlineMeetingContentSharingDisabledReason" => ContentSharingDisabledReason,
        "onlineMeetingPresenters" => OnlineMeetingPresenters,
        "onlineMeetingRole" => OnlineMeetingRole,
        "onlineMeetingType" => OnlineMeetingType,
        "onlineMeetingVideoDisabledReason" => VideoDisabledReason,
        "operationStatus" => OperationStatus,
        "recordingStatus" => RecordingStatus,
        "routingMode" => RoutingMode,
        "routingType" => RoutingType,
        "sendDtmfCompletionReason" => SendDtmfCompletionReason,
        "tone" => Tone,
        "workLocationSource" => WorkLocationSource,
        "workLocationType" => WorkLocationType,
    }
}

#[test]
fn every_enumeration_member_is_known_and_comes_back() {
    for (name, members) in &Schema::read().enums {
        for text in members {
            let (written, known) = member(name, text);
            assert!(known, "{name} does not know {text}");
            let written = written.as_str().unwrap();
            // The schema's `NotStarted` is `notStarted` in the documented examples, which are
            // what Graph sends.
            let same = match name.as_str() {
                "operationStatus" => written.eq_ignore_ascii_case(text),
                _ => written == text,
            };
            assert!(same, "{name}: {text} became {written}");
        }
        assert_eq!(member(name, FUTURE), (json!(FUTURE), false), "{name}");
    }
}
