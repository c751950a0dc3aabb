//! How phones and applications find into a meeting: what is dialled, and what a new call
//! says of it (`meetingInfo`).

use switchboard_signaling::types::{Call, IdentitySet, MeetingInfo};

use super::{Meeting, Meetings};
use crate::cloud::{Cloud, Fault, Target};

/// What a phone dialled.
pub(in crate::cloud) struct Dialled {
    /// The meeting's id.
    pub(in crate::cloud) meeting: String,
    /// By its conference id, which is for callers from telephones.
    pub(in crate::cloud) by_number: bool,
}

impl Cloud {
    /// The meeting that a phone dials: by its address, by its join id, with a comma
    /// and the passcode if it has one, or by its conference id, as from a number.
    pub(in crate::cloud) fn meeting_dialled(&self, target: &str) -> Option<Dialled> {
        let (id, passcode) = match target.split_once(',') {
            Some((id, passcode)) => (id, Some(passcode)),
            None => (target, None),
        };
        self.meetings.all.values().find_map(|meeting| {
            let by_number = meeting.conference_id() == Some(target);
            let meant = by_number
                || meeting.whole.join_web_url.as_deref() == Some(target)
                || meeting.opens_by(id, passcode) == Some(true);
            let meeting = meeting.whole.id.clone().filter(|_| meant)?;
            Some(Dialled { meeting, by_number })
        })
    }

    /// The meeting that a new call is to join, by its id.
    pub(in crate::cloud) fn meeting_to_join(
        &self,
        tenant: &str,
        request: &Call,
    ) -> Result<String, Fault> {
        let here = |meeting: &&Meeting| meeting.tenant == tenant;
        let mut meetings = self.meetings.all.values().filter(here);
        let found = match &request.meeting_info {
            Some(MeetingInfo::Organizer(info)) => {
                let organizer = info.organizer.as_ref().and_then(IdentitySet::any);
                let organizer = organizer.and_then(|one| one.id.as_deref());
                let chat = request.chat_info.as_ref();
                let thread = chat.and_then(|chat| chat.thread_id.as_deref());
                if thread.is_none() {
                    let rule = "joining by organizer needs the meeting's chat";
                    return Err(Fault::property("chatInfo/threadId", rule));
                }
                meetings.find(|meeting| {
                    meeting.thread() == thread && Some(meeting.owner.as_str()) == organizer
                })
            }
            Some(MeetingInfo::Token(info)) => {
                let token = info.token.as_ref().map(|token| token.expose());
                meetings.find(|meeting| meeting.whole.id.as_deref() == token)
            }
            Some(MeetingInfo::JoinMeetingId(info)) => {
                let id = info.join_meeting_id.as_deref().unwrap_or_default();
                let passcode = info.passcode.as_ref().map(|passcode| passcode.expose());
                let found = meetings.find(|meeting| meeting.opens_by(id, passcode).is_some());
                if found.is_some_and(|meeting| meeting.opens_by(id, passcode) == Some(false)) {
                    let message = "The passcode of the meeting is wrong or missing.";
                    let status = axum::http::StatusCode::FORBIDDEN;
                    return Err(Fault::new(status, "Forbidden", message));
                }
                found
            }
            _ => {
                let rule = "its @odata.type must be #microsoft.graph.organizerMeetingInfo, #microsoft.graph.tokenMeetingInfo or #microsoft.graph.joinMeetingIdMeetingInfo";
                return Err(Fault::property("meetingInfo", rule));
            }
        };
        let found = found.and_then(|meeting| meeting.whole.id.clone());
        found.ok_or_else(Fault::no_meeting)
    }
}

impl Meetings {
    /// What a phone dials for each, by name.
    pub(in crate::cloud) fn targets(&self) -> impl Iterator<Item = Target> {
        self.all.values().filter_map(|meeting| {
            let subject = meeting.whole.subject.as_deref();
            Some(Target {
                target: meeting.whole.join_web_url.clone()?,
                name: subject.unwrap_or("Meeting").to_owned(),
            })
        })
    }
}

impl Meeting {
    fn conference_id(&self) -> Option<&str> {
        let conferencing = self.whole.audio_conferencing.as_ref()?;
        conferencing.conference_id.as_deref()
    }

    fn thread(&self) -> Option<&str> {
        self.whole.chat_info.as_ref()?.thread_id.as_deref()
    }

    /// Whether a passcode opens it; `None` if the join id is another meeting's.
    fn opens_by(&self, id: &str, passcode: Option<&str>) -> Option<bool> {
        let settings = self.whole.join_meeting_id_settings.as_ref()?;
        if settings.join_meeting_id.as_deref() != Some(id) {
            return None;
        }
        let needed = settings.passcode.as_ref().map(|passcode| passcode.expose());
        Some(needed.is_none() || needed == passcode)
    }
}
