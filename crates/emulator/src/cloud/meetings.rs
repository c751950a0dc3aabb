//! Online meetings: kept while the emulator runs, held in rooms, and reported on.

mod attendance;
mod door;
mod lobby;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use switchboard_signaling::types::{
    AttendanceRecord, AudioConferencing, CreateOrGetRequest, Identity, IdentitySet,
    JoinMeetingIdSettings, LobbyBypassScope, LobbyBypassSettings, MeetingAttendanceReport,
    MeetingParticipantInfo, MeetingParticipants, OnlineMeeting, OnlineMeetingPresenters,
    OnlineMeetingRole,
};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::group::chat;
use super::{Cloud, Fault};
pub(super) use lobby::Comer;

/// How long a meeting is planned for, unless the request says so (createOrGet).
const DEFAULT_LENGTH: Duration = Duration::from_secs(60 * 60);
/// More meetings than this need another emulator.
const MAX_MEETINGS: usize = 10_000;

/// All meetings, by id.
#[derive(Default)]
pub(crate) struct Meetings {
    all: BTreeMap<String, Meeting>,
    /// What the clock on the wall said, and when.
    epoch: Option<(Instant, OffsetDateTime)>,
}

struct Meeting {
    tenant: String,
    owner: String,
    whole: OnlineMeeting,
    /// Where it is held, while anybody is there.
    room: Option<String>,
    reports: Vec<MeetingAttendanceReport>,
}

/// Whose meetings a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    User(String),
    /// Everybody's, below `/communications`.
    All,
}

/// By what a meeting is sought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filter {
    JoinWebUrl(String),
    JoinMeetingId(String),
    VideoTeleconferenceId(String),
}

impl Meetings {
    /// None yet, by a clock on the wall.
    pub(super) fn since(now: Instant, wall: OffsetDateTime) -> Self {
        Self {
            epoch: Some((now, wall)),
            ..Self::default()
        }
    }
}

impl Cloud {
    /// The same with a clock on the wall, for the dates of meetings.
    pub(crate) fn dated(mut self, now: Instant, wall: OffsetDateTime) -> Self {
        self.meetings = Meetings::since(now, wall);
        self
    }

    fn wall(&self, now: Instant) -> OffsetDateTime {
        let (then, wall) = self
            .meetings
            .epoch
            .unwrap_or((now, OffsetDateTime::UNIX_EPOCH));
        wall + now.saturating_duration_since(then)
    }

    fn tenant_of(&self, app: &str) -> Result<String, Fault> {
        let app = self.apps.get(app).ok_or_else(Fault::no_meeting)?;
        Ok(app.tenant.clone())
    }

    /// Create onlineMeeting
    pub(crate) fn create_meeting(
        &mut self,
        app: &str,
        owner: &Owner,
        mut request: OnlineMeeting,
        now: Instant,
    ) -> Result<OnlineMeeting, Fault> {
        let tenant = self.tenant_of(app)?;
        let owner = organizer(owner, &request)?;
        if self.meetings.all.len() >= MAX_MEETINGS {
            let message = "There are as many meetings as the emulator keeps; delete some.";
            return Err(Fault::too_many(message));
        }
        no_passcode(&request)?;
        self.plan(&mut request, now)?;
        let whole = self.furnish(request, &owner, &tenant, now);
        let meeting = Meeting {
            tenant,
            owner,
            whole: whole.clone(),
            room: None,
            reports: Vec::new(),
        };
        let id = whole.id.clone().unwrap_or_default();
        self.meetings.all.insert(id, meeting);
        Ok(whole)
    }

    /// onlineMeeting: createOrGet; whether it is new, and the meeting.
    pub(crate) fn create_or_get(
        &mut self,
        app: &str,
        owner: &Owner,
        request: CreateOrGetRequest,
        now: Instant,
    ) -> Result<(bool, OnlineMeeting), Fault> {
        let external = request.external_id.as_deref().unwrap_or_default();
        if external.is_empty() {
            let rule = "it is what the meeting is found by";
            return Err(Fault::property("externalId", rule));
        }
        let tenant = self.tenant_of(app)?;
        let same = |meeting: &&Meeting| {
            meeting.whole.external_id.as_deref() == Some(external)
                && meeting.belongs_to(owner, &tenant)
        };
        if let Some(found) = self.meetings.all.values().find(same) {
            return Ok((false, found.whole.clone()));
        }
        let meeting = OnlineMeeting {
            external_id: request.external_id,
            start_date_time: request.start_date_time,
            end_date_time: request.end_date_time,
            participants: request.participants,
            subject: request.subject,
            ..OnlineMeeting::default()
        };
        let created = self.create_meeting(app, owner, meeting, now)?;
        Ok((true, created))
    }

    /// Get onlineMeeting, by organizer or invited attendee.
    pub(crate) fn get_meeting(
        &self,
        app: &str,
        owner: &Owner,
        id: &str,
    ) -> Result<OnlineMeeting, Fault> {
        let tenant = self.tenant_of(app)?;
        let meeting = self.meetings.all.get(id);
        let meeting = meeting.filter(|meeting| meeting.is_seen_by(owner, &tenant));
        Ok(meeting.ok_or_else(Fault::no_meeting)?.whole.clone())
    }

    /// Get onlineMeeting with a filter: a list of one, or of none.
    pub(crate) fn find_meetings(
        &self,
        app: &str,
        owner: &Owner,
        filter: &Filter,
    ) -> Result<Vec<OnlineMeeting>, Fault> {
        let tenant = self.tenant_of(app)?;
        let fits =
            |meeting: &&Meeting| meeting.is_seen_by(owner, &tenant) && filter.fits(&meeting.whole);
        let found = self.meetings.all.values().filter(fits);
        Ok(found.map(|meeting| meeting.whole.clone()).collect())
    }

    /// Update onlineMeeting, by the organizer alone.
    pub(crate) fn update_meeting(
        &mut self,
        app: &str,
        owner: &Owner,
        id: &str,
        changes: OnlineMeeting,
    ) -> Result<OnlineMeeting, Fault> {
        no_passcode(&changes)?;
        if changes.start_date_time.is_some() != changes.end_date_time.is_some() {
            let missing = if changes.end_date_time.is_none() {
                "endDateTime"
            } else {
                "startDateTime"
            };
            let rule = "start and end can be changed together only";
            return Err(Fault::property(missing, rule));
        }
        let times = times(&changes)?;
        if times.is_some_and(|(start, end)| end < start) {
            let rule = "the end can't be before the start";
            return Err(Fault::property("endDateTime", rule));
        }
        let people = changes.participants.as_ref();
        if people.is_some_and(|people| people.organizer.is_some()) {
            let rule = "the organizer can't be changed";
            return Err(Fault::property("participants/organizer", rule));
        }
        let passcode = self.ids.letters(6);
        let whole = &mut self.own_meeting(app, owner, id)?.whole;
        merge(whole, changes);
        settle_passcode(whole, passcode);
        Ok(whole.clone())
    }

    /// Delete onlineMeeting; who is in it stays.
    pub(crate) fn delete_meeting(
        &mut self,
        app: &str,
        owner: &Owner,
        id: &str,
    ) -> Result<(), Fault> {
        self.own_meeting(app, owner, id)?;
        self.meetings.all.remove(id);
        Ok(())
    }

    fn own_meeting(&mut self, app: &str, owner: &Owner, id: &str) -> Result<&mut Meeting, Fault> {
        let tenant = self.tenant_of(app)?;
        let meeting = self.meetings.all.get_mut(id);
        let meeting = meeting.filter(|meeting| meeting.belongs_to(owner, &tenant));
        meeting.ok_or_else(Fault::no_meeting)
    }

    /// List meetingAttendanceReports, without records.
    pub(crate) fn attendance_reports(
        &mut self,
        app: &str,
        owner: &Owner,
        id: &str,
    ) -> Result<Vec<MeetingAttendanceReport>, Fault> {
        let bare = |report: &MeetingAttendanceReport| MeetingAttendanceReport {
            attendance_records: None,
            ..report.clone()
        };
        let meeting = self.own_meeting(app, owner, id)?;
        Ok(meeting.reports.iter().map(bare).collect())
    }

    /// Get meetingAttendanceReport, with its records.
    pub(crate) fn attendance_report(
        &mut self,
        app: &str,
        owner: &Owner,
        id: &str,
        report: &str,
    ) -> Result<MeetingAttendanceReport, Fault> {
        let reports = self.own_meeting(app, owner, id)?.reports.iter();
        let mut found = reports.filter(|one| one.id.as_deref() == Some(report));
        let not_found = || Fault {
            message: "Attendance report not found.".to_owned(),
            ..Fault::no_meeting()
        };
        found.next().cloned().ok_or_else(not_found)
    }

    /// List attendanceRecords.
    pub(crate) fn attendance_records(
        &mut self,
        app: &str,
        owner: &Owner,
        id: &str,
        report: &str,
    ) -> Result<Vec<AttendanceRecord>, Fault> {
        let report = self.attendance_report(app, owner, id, report)?;
        Ok(report.attendance_records.unwrap_or_default())
    }

    /// Where a meeting is held; opened by the first who comes.
    pub(super) fn meeting_room(&mut self, id: &str, now: Instant) -> String {
        let meeting = self.meetings.all.get(id);
        if let Some(room) = meeting.and_then(|meeting| meeting.room.clone()) {
            return room;
        }
        let whole = meeting.map(|meeting| meeting.whole.clone());
        let subject = whole.as_ref().and_then(|whole| whole.subject.clone());
        let room = self.open_room("Meeting", subject, now);
        if let Some(place) = self.rooms.get_mut(&room) {
            place.meeting = Some(id.to_owned());
            if let Some(chat) = whole.and_then(|whole| whole.chat_info) {
                place.chat = chat;
            }
        }
        if let Some(meeting) = self.meetings.all.get_mut(id) {
            meeting.room = Some(room.clone());
        }
        room
    }

    /// Fills in when a meeting is (createOrGet, notes).
    fn plan(&self, request: &mut OnlineMeeting, now: Instant) -> Result<(), Fault> {
        if request.start_date_time.is_none() && request.end_date_time.is_some() {
            let rule = "an end needs a start";
            return Err(Fault::property("startDateTime", rule));
        }
        let start = date_time("startDateTime", request.start_date_time.as_deref())?;
        let start = start.unwrap_or_else(|| self.wall(now));
        let end = date_time("endDateTime", request.end_date_time.as_deref())?;
        let end = end.unwrap_or(start + DEFAULT_LENGTH);
        if end < start {
            let rule = "the end can't be before the start";
            return Err(Fault::property("endDateTime", rule));
        }
        request.start_date_time = written(start);
        request.end_date_time = written(end);
        Ok(())
    }

    /// What Graph itself says of a new meeting.
    fn furnish(
        &mut self,
        request: OnlineMeeting,
        owner: &str,
        tenant: &str,
        now: Instant,
    ) -> OnlineMeeting {
        let name = self.ids.guid().replace('-', "");
        let thread = format!("19:meeting_{name}@thread.v2");
        let id = BASE64_STANDARD.encode(format!("1*{owner}*0**{thread}"));
        let url = format!(
            "https://teams.microsoft.com/l/meetup-join/19%3ameeting_{name}%40thread.v2/0?context=%7b%22Tid%22%3a%22{tenant}%22%2c%22Oid%22%3a%22{owner}%22%7d"
        );
        let mut user = Identity::new(owner);
        user.tenant_id = Some(tenant.to_owned());
        let organizer = MeetingParticipantInfo {
            identity: Some(IdentitySet::user(user)),
            role: Some(OnlineMeetingRole::Presenter),
            ..MeetingParticipantInfo::default()
        };
        let attendees = request.participants.and_then(|people| people.attendees);
        let settings = request.join_meeting_id_settings.unwrap_or_default();
        let bypass = LobbyBypassSettings {
            scope: Some(LobbyBypassScope::Organization),
            is_dial_in_bypass_enabled: Some(false),
            ..LobbyBypassSettings::default()
        };
        let mut whole = OnlineMeeting {
            id: Some(id),
            creation_date_time: written(self.wall(now)),
            join_web_url: Some(url),
            chat_info: Some(chat(&thread)),
            participants: Some(MeetingParticipants {
                organizer: Some(organizer),
                attendees: Some(attendees.unwrap_or_default()),
                ..MeetingParticipants::default()
            }),
            join_meeting_id_settings: Some(JoinMeetingIdSettings {
                join_meeting_id: Some(self.ids.digits(12)),
                is_passcode_required: Some(settings.is_passcode_required.unwrap_or(false)),
                ..JoinMeetingIdSettings::default()
            }),
            video_teleconference_id: Some(self.ids.digits(9)),
            audio_conferencing: Some(AudioConferencing {
                conference_id: Some(self.ids.digits(9)),
                ..AudioConferencing::default()
            }),
            lobby_bypass_settings: request.lobby_bypass_settings.or(Some(bypass)),
            allowed_presenters: request
                .allowed_presenters
                .or(Some(OnlineMeetingPresenters::Everyone)),
            is_broadcast: request.is_broadcast.or(Some(false)),
            is_entry_exit_announced: request.is_entry_exit_announced.or(Some(false)),
            ..request
        };
        let passcode = self.ids.letters(6);
        settle_passcode(&mut whole, passcode);
        whole
    }
}

impl Meeting {
    fn belongs_to(&self, owner: &Owner, tenant: &str) -> bool {
        let own = match owner {
            Owner::User(user) => user.eq_ignore_ascii_case(&self.owner),
            Owner::All => true,
        };
        own && self.tenant == tenant
    }

    /// Organizers and those invited see a meeting.
    fn is_seen_by(&self, owner: &Owner, tenant: &str) -> bool {
        let Owner::User(user) = owner else {
            return self.tenant == tenant;
        };
        self.belongs_to(owner, tenant) || (self.has_invited(user) && self.tenant == tenant)
    }

    fn has_invited(&self, user: &str) -> bool {
        let people = self.whole.participants.as_ref();
        let attendees = people.and_then(|people| people.attendees.as_deref());
        attendees.unwrap_or_default().iter().any(|one| {
            let identity = one.identity.as_ref().and_then(IdentitySet::any);
            let id = identity.and_then(|identity| identity.id.as_deref());
            [id, one.upn.as_deref()]
                .into_iter()
                .flatten()
                .any(|own| own.eq_ignore_ascii_case(user))
        })
    }
}

impl Filter {
    fn fits(&self, meeting: &OnlineMeeting) -> bool {
        let (wanted, found) = match self {
            Self::JoinWebUrl(url) => (url, meeting.join_web_url.as_ref()),
            Self::JoinMeetingId(id) => {
                let settings = meeting.join_meeting_id_settings.as_ref();
                (
                    id,
                    settings.and_then(|settings| settings.join_meeting_id.as_ref()),
                )
            }
            Self::VideoTeleconferenceId(id) => (id, meeting.video_teleconference_id.as_ref()),
        };
        found == Some(wanted)
    }
}

/// Who holds a new meeting.
fn organizer(owner: &Owner, request: &OnlineMeeting) -> Result<String, Fault> {
    if let Owner::User(user) = owner {
        return Ok(user.clone());
    }
    let people = request.participants.as_ref();
    let organizer = people.and_then(|people| people.organizer.as_ref());
    let identity = organizer.and_then(|one| one.identity.as_ref()?.any());
    let id = identity.and_then(|identity| identity.id.clone());
    let rule = "a meeting below /communications needs its organizer";
    id.ok_or_else(|| Fault::property("participants/organizer", rule))
}

/// Graph makes passcodes itself (Create onlineMeeting, example 3).
fn no_passcode(meeting: &OnlineMeeting) -> Result<(), Fault> {
    let settings = meeting.join_meeting_id_settings.as_ref();
    if settings.is_some_and(|settings| settings.passcode.is_some()) {
        let rule = "a custom passcode is not supported; set isPasscodeRequired";
        return Err(Fault::property("joinMeetingIdSettings/passcode", rule));
    }
    Ok(())
}

/// A passcode where one is required, none where none is.
fn settle_passcode(whole: &mut OnlineMeeting, passcode: String) {
    if let Some(settings) = &mut whole.join_meeting_id_settings {
        match settings.is_passcode_required {
            Some(true) => drop(settings.passcode.get_or_insert(passcode.into())),
            _ => settings.passcode = None,
        }
    }
}

/// What may be changed (Update onlineMeeting), if `changes` has it.
fn merge(whole: &mut OnlineMeeting, changes: OnlineMeeting) {
    macro_rules! take {
        ($($property:ident),+ $(,)?) => {
            $(if changes.$property.is_some() { whole.$property = changes.$property; })+
        };
    }
    take!(
        allow_attendee_to_enable_camera,
        allow_attendee_to_enable_mic,
        allow_breakout_rooms,
        allow_copying_and_sharing_meeting_content,
        allowed_lobby_admitters,
        allowed_presenters,
        allow_live_share,
        allow_meeting_chat,
        allow_participants_to_change_name,
        allow_power_point_sharing,
        allow_recording,
        allow_teamwork_reactions,
        allow_transcription,
        allow_whiteboard,
        chat_restrictions,
        end_date_time,
        is_end_to_end_encryption_enabled,
        is_entry_exit_announced,
        lobby_bypass_settings,
        meeting_spoken_language_tag,
        record_automatically,
        sensitivity_label_assignment,
        share_meeting_chat_history_default,
        start_date_time,
        subject,
        watermark_protection,
    );
    let attendees = changes.participants.and_then(|people| people.attendees);
    if let (Some(people), Some(attendees)) = (&mut whole.participants, attendees) {
        people.attendees = Some(attendees);
    }
    let required = changes
        .join_meeting_id_settings
        .and_then(|settings| settings.is_passcode_required);
    if let (Some(settings), Some(required)) = (&mut whole.join_meeting_id_settings, required) {
        settings.is_passcode_required = Some(required);
    }
}

fn times(meeting: &OnlineMeeting) -> Result<Option<(OffsetDateTime, OffsetDateTime)>, Fault> {
    let start = date_time("startDateTime", meeting.start_date_time.as_deref())?;
    let end = date_time("endDateTime", meeting.end_date_time.as_deref())?;
    Ok(start.zip(end))
}

fn date_time(property: &str, text: Option<&str>) -> Result<Option<OffsetDateTime>, Fault> {
    let Some(text) = text else { return Ok(None) };
    let rule = "a time such as 2026-06-01T14:30:00+02:00 is needed";
    let time = OffsetDateTime::parse(text, &Rfc3339);
    let time = time.map_err(|_| Fault::property(property, rule))?;
    Ok(Some(time))
}

fn written(time: OffsetDateTime) -> Option<String> {
    time.to_offset(time::UtcOffset::UTC).format(&Rfc3339).ok()
}
