//! What rules can be about: all requests and notifications by their names.

use crate::scenario::problem::did_you_mean;

/// Requests that aren't Graph's own: a rule for them names them.
pub(super) const BESIDE_GRAPH: [&str; 4] = ["token", "openidConfiguration", "keys", "recording"];

/// Graph's own about a call, as `Asked` names them.
const OF_CALLS: [&str; 26] = [
    "addLargeGalleryView",
    "answer",
    "audioRoutingGroups",
    "cancelMediaProcessing",
    "changeScreenSharingRole",
    "contentSharingSessions",
    "delete",
    "deleteParticipant",
    "get",
    "invite",
    "keepAlive",
    "mute",
    "muteParticipant",
    "operations",
    "participants",
    "playPrompt",
    "recordResponse",
    "redirect",
    "reject",
    "sendDtmfTones",
    "startHoldMusic",
    "stopHoldMusic",
    "subscribeToTone",
    "transfer",
    "unmute",
    "updateRecordingStatus",
];

/// Graph's own about none, or none yet.
const WITHOUT_CALL: [&str; 25] = [
    "attendanceReports",
    "clearAutomaticLocation",
    "clearLocation",
    "clearPresence",
    "clearUserPreferredPresence",
    "create",
    "createMeeting",
    "createOrGetMeeting",
    "deleteMeeting",
    "getAllOnlineMeetingMessages",
    "getAllRecordings",
    "getAllTranscripts",
    "getMeeting",
    "getPresence",
    "getPresencesByUserId",
    "getVirtualAppointmentJoinWebUrl",
    "logTeleconferenceDeviceQuality",
    "sendVirtualAppointmentReminderSms",
    "sendVirtualAppointmentSms",
    "setAutomaticLocation",
    "setManualLocation",
    "setPresence",
    "setStatusMessage",
    "setUserPreferredPresence",
    "updateMeeting",
];

/// Notifications: a call's states, and what else is told of one.
const NOTIFICATIONS: [&str; 10] = [
    "notification:contentSharing",
    "notification:established",
    "notification:establishing",
    "notification:incoming",
    "notification:operation",
    "notification:roster",
    "notification:terminated",
    "notification:tone",
    "notification:transferAccepted",
    "notification:transferring",
];

fn all() -> impl Iterator<Item = &'static str> {
    let lists: [&[&str]; 4] = [&OF_CALLS, &WITHOUT_CALL, &BESIDE_GRAPH, &NOTIFICATIONS];
    lists.into_iter().flatten().copied()
}

/// Whether there is such a request or notification.
pub(crate) fn exists(operation: &str) -> bool {
    all().any(|name| name == operation)
}

/// The name of this request, if it is about no call.
pub(super) fn without_call(operation: &str) -> Option<&'static str> {
    let mut names = WITHOUT_CALL.into_iter().chain(BESIDE_GRAPH);
    names.find(|name| *name == operation)
}

/// A name that stands for nothing, with what was meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no operation \"{0}\"")]
pub(crate) struct NoSuch(String);

impl NoSuch {
    pub(crate) fn suggestion(&self) -> String {
        let meant = did_you_mean(self.0.trim_end_matches('*'), all());
        meant.unwrap_or_else(|| {
            "docs/emulator.md names all under \"Faults, clock, keys and judge\"".to_owned()
        })
    }
}

/// Refuses what stands for no request and no notification; `*` ends a prefix.
pub(crate) fn check(operation: &str) -> Result<(), NoSuch> {
    let is_there = match operation.strip_suffix('*') {
        Some(prefix) => all().any(|name| name.starts_with(prefix)),
        None => exists(operation),
    };
    is_there
        .then_some(())
        .ok_or_else(|| NoSuch(operation.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_about_what_there_is() {
        for there in [
            "answer",
            "*",
            "notification:*",
            "set*",
            "token",
            "updateMeeting",
        ] {
            assert_eq!(check(there), Ok(()), "{there}");
        }
        let no_such = |operation| check(operation).unwrap_err().suggestion();
        assert_eq!(no_such("anwser"), "did you mean \"answer\"?");
        assert!(no_such("brew").starts_with("docs/emulator.md"));
        assert_eq!(
            no_such("notification:establishd*"),
            "did you mean \"notification:established\"?"
        );
    }

    #[test]
    fn the_documents_name_them_all() {
        let guide = include_str!("../../../../docs/emulator.md");
        for name in all() {
            let bare = name.trim_start_matches("notification:");
            let named = [name, bare].map(|name| format!("`{name}`"));
            assert!(named.iter().any(|name| guide.contains(name)), "{name}");
        }
    }
}
