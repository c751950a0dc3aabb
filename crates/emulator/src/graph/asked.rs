//! What a request asks for, from its method and path alone, and which permissions
//! that takes.

use axum::http::{Method, StatusCode};
use switchboard_signaling::types::{Call, MediaConfig};

use super::{artifacts, meetings, presence};
use crate::cloud::Fault;
use crate::identity::Access;

/// An operation by its name in the API reference, and the call it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// `create`, `get`, `delete`, `answer`, …
    pub(crate) operation: String,
    /// Empty if it is about none yet.
    pub(crate) call: String,
}

impl Asked {
    pub(crate) fn read(method: &Method, path: &str) -> Self {
        let presence = || presence::operation(path);
        let artifacts = artifacts::operation(path);
        let known = artifacts.or_else(|| meetings::operation(method, path));
        if let Some(operation) = known.or_else(presence) {
            return Self {
                operation: operation.chars().take(64).collect(),
                call: String::new(),
            };
        }
        let below = ["/v1.0/communications/calls", "/v1.0/app/calls"]
            .iter()
            .find_map(|calls| path.strip_prefix(calls))
            .unwrap_or_default();
        let mut segments = below.split('/').filter(|segment| !segment.is_empty());
        let call = segments.next().unwrap_or_default().to_owned();
        if call == LOG_QUALITY {
            return Self {
                operation: call,
                call: String::new(),
            };
        }
        let operation = match (segments.next(), method) {
            (Some("audioRoutingGroups"), _) => "audioRoutingGroups",
            (Some("participants"), _) => of_participants(&segments.collect::<Vec<_>>(), method),
            (None, &Method::GET) => "get",
            (None, &Method::DELETE) => "delete",
            (None, _) => "create",
            (Some(part), &Method::GET) => part,
            (Some(action), _) => action.strip_prefix("microsoft.graph.").unwrap_or(action),
        };
        Self {
            operation: operation.chars().take(64).collect(),
            call,
        }
    }

    /// Any one of these permissions is enough (API reference, "Permissions"); none
    /// are needed if there are none.
    fn permissions(&self) -> &'static [&'static str] {
        match self.operation.as_str() {
            "create" => &[INITIATE, GROUP, JOIN, GUEST],
            "answer" => &[MEDIA, INITIATE],
            "redirect" | "transfer" => &[INITIATE],
            "mute" | "unmute" | "playPrompt" => &[INITIATE, GROUP, JOIN, GUEST, MEDIA],
            "subscribeToTone" | "cancelMediaProcessing" | "sendDtmfTones" => &[MEDIA, INITIATE],
            "recordResponse" | LOG_QUALITY => &[MEDIA],
            "updateRecordingStatus" => &[MEDIA, JOIN, GUEST],
            "participants" | "contentSharingSessions" => &[JOIN, GUEST, INITIATE, GROUP],
            "invite" => &[GROUP, JOIN, GUEST],
            "muteParticipant" => &[JOIN, GUEST, INITIATE, GROUP],
            "deleteParticipant" => &[GUEST, JOIN],
            "createMeeting" | "createOrGetMeeting" | "updateMeeting" | "deleteMeeting" => {
                &["OnlineMeetings.ReadWrite.All"]
            }
            "getMeeting" => &["OnlineMeetings.Read.All", "OnlineMeetings.ReadWrite.All"],
            "audioRoutingGroups" => &[JOIN, GROUP],
            "changeScreenSharingRole" => &[MEDIA],
            "addLargeGalleryView" => &[JOIN, GUEST, GROUP],
            "getPresence" | "getPresencesByUserId" => {
                &["Presence.Read.All", "Presence.ReadWrite.All"]
            }
            "setPresence"
            | "clearPresence"
            | "setUserPreferredPresence"
            | "clearUserPreferredPresence"
            | "setStatusMessage"
            | "setManualLocation"
            | "setAutomaticLocation"
            | "clearLocation"
            | "clearAutomaticLocation" => &["Presence.ReadWrite.All"],
            "attendanceReports" => &["OnlineMeetingArtifact.Read.All"],
            "getAllRecordings" => &["OnlineMeetingRecording.Read.All"],
            "getAllTranscripts" => &["OnlineMeetingTranscript.Read.All"],
            "getAllOnlineMeetingMessages" => &["EngagementMeetingConversation.Read.All"],
            "getVirtualAppointmentJoinWebUrl" => &[
                "VirtualAppointment.Read.All",
                "VirtualAppointment.ReadWrite.All",
            ],
            "sendVirtualAppointmentSms" | "sendVirtualAppointmentReminderSms" => {
                &["VirtualAppointmentNotification.Send"]
            }
            _ => &[],
        }
    }

    /// Refuses an application that lacks every permission that would do.
    pub(crate) fn permitted(&self, access: &Access) -> Result<(), Fault> {
        lacks(&[self.permissions()], access).map_or(Ok(()), Err)
    }
}

/// An action of the collection, where the others have a call's id.
const LOG_QUALITY: &str = "logTeleconferenceDeviceQuality";

const INITIATE: &str = "Calls.Initiate.All";
const GROUP: &str = "Calls.InitiateGroupCall.All";
const MEDIA: &str = "Calls.AccessMedia.All";
const JOIN: &str = "Calls.JoinGroupCall.All";
const GUEST: &str = "Calls.JoinGroupCallAsGuest.All";

fn of_participants(below: &[&str], method: &Method) -> &'static str {
    match (below, method) {
        (["invite" | "microsoft.graph.invite"], &Method::POST) => "invite",
        ([_], &Method::DELETE) => "deleteParticipant",
        ([_, action], &Method::POST) => {
            match action.strip_prefix("microsoft.graph.").unwrap_or(action) {
                "mute" => "muteParticipant",
                "startHoldMusic" => "startHoldMusic",
                "stopHoldMusic" => "stopHoldMusic",
                _ => "participants",
            }
        }
        _ => "participants",
    }
}

/// What a new call takes: one permission of each list (Create call, notes of the
/// examples).
pub(super) fn for_call(call: &Call) -> Vec<&'static [&'static str]> {
    let source = call
        .source
        .as_ref()
        .and_then(|source| source.identity.as_ref());
    let guest = source.is_some_and(|identity| identity.guest.is_some());
    let targets = call.targets.as_ref().map_or(0, Vec::len);
    let mut needed: Vec<&[&str]> = vec![match (&call.meeting_info, guest) {
        (Some(_), true) => &[GUEST],
        (Some(_), false) => &[JOIN],
        (None, _) if targets > 1 => &[GROUP],
        (None, _) => &[INITIATE],
    }];
    if let Some(MediaConfig::AppHosted(_)) = call.media_config {
        needed.push(&[MEDIA]);
    }
    needed
}

/// The refusal of an application that lacks all of one of the lists.
pub(super) fn lacks(needed: &[&[&str]], access: &Access) -> Option<Fault> {
    let granted = |role: &&str| access.roles.iter().any(|own| own == role);
    let lacking = |list: &&&[&str]| !list.is_empty() && !list.iter().any(granted);
    let lacking = needed.iter().find(lacking)?;
    let message = format!(
        "Insufficient enterprise tenant permissions, cannot access this API. It takes one of: {}.",
        lacking.join(", ")
    );
    Some(Fault::new(StatusCode::FORBIDDEN, "7504", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_read_from_method_and_path() {
        for (method, path, operation, call) in [
            (Method::POST, "/v1.0/communications/calls", "create", ""),
            (Method::POST, "/v1.0/communications/calls/", "create", ""),
            (Method::GET, "/v1.0/communications/calls/1", "get", "1"),
            (Method::DELETE, "/v1.0/app/calls/1", "delete", "1"),
            (
                Method::POST,
                "/v1.0/communications/calls/1/answer",
                "answer",
                "1",
            ),
            (
                Method::POST,
                "/v1.0/communications/calls/1/microsoft.graph.mute",
                "mute",
                "1",
            ),
            (
                Method::GET,
                "/v1.0/communications/calls/1/operations/2",
                "operations",
                "1",
            ),
            (
                Method::POST,
                "/v1.0/communications/calls/logTeleconferenceDeviceQuality",
                "logTeleconferenceDeviceQuality",
                "",
            ),
            (Method::GET, "/v1.0/me", "get", ""),
        ] {
            let asked = Asked::read(&method, path);
            let found = (asked.operation.as_str(), asked.call.as_str());
            assert_eq!(found, (operation, call), "{path}");
        }
    }

    #[test]
    fn an_application_without_the_permission_is_refused() {
        let asked = Asked::read(&Method::POST, "/v1.0/communications/calls/1/transfer");
        let access = |role: &str| Access {
            app: "app".to_owned(),
            roles: vec![role.to_owned()],
        };
        assert!(asked.permitted(&access("Calls.Initiate.All")).is_ok());
        let fault = asked.permitted(&access("Calls.AccessMedia.All")).err();
        assert_eq!(fault.map(|fault| fault.code), Some("7504"));
        let free = Asked::read(&Method::POST, "/v1.0/communications/calls/1/reject");
        assert!(free.permitted(&access("none")).is_ok());
    }
}
