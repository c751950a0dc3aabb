//! `switchboard graph meeting`.

use clap::{Args, Subcommand};
use switchboard_signaling::request::meetings::{self, Between, Owner};
use switchboard_signaling::types::{
    CreateOrGetRequest, JoinMeetingIdSettings, MeetingId, OnlineMeeting, ReportId,
    SendVirtualAppointmentReminderSmsRequest, SendVirtualAppointmentSmsRequest, UserId,
};

use super::input::{BodyArg, set};
use super::session::Session;
use crate::Failure;

#[derive(Args)]
pub(super) struct MeetingArgs {
    /// Whose meetings (application tokens); without it the signed-in user's
    #[arg(long, global = true, value_name = "ID")]
    user: Option<UserId>,

    #[command(subcommand)]
    command: Meeting,
}

/// A meeting's plan.
#[derive(Args)]
struct Plan {
    /// The subject
    #[arg(long)]
    subject: Option<String>,

    /// When it begins, such as 2026-06-01T14:30:00+02:00
    #[arg(long, value_name = "TIME")]
    start: Option<String>,

    /// When it ends
    #[arg(long, value_name = "TIME")]
    end: Option<String>,

    #[command(flatten)]
    body: BodyArg,
}

impl Plan {
    fn meeting(&self) -> Result<OnlineMeeting, Failure> {
        let mut meeting: OnlineMeeting = self.body.read()?;
        set(&mut meeting.subject, self.subject.as_ref());
        set(&mut meeting.start_date_time, self.start.as_ref());
        set(&mut meeting.end_date_time, self.end.as_ref());
        Ok(meeting)
    }
}

/// Between which times.
#[derive(Args)]
struct Times {
    /// Not before
    #[arg(long, value_name = "TIME")]
    start: Option<String>,
    /// Not after
    #[arg(long, value_name = "TIME")]
    end: Option<String>,
    /// List what came since, too: the last page tells where
    #[arg(long)]
    delta: bool,
}

impl Times {
    fn between(&self) -> Between {
        Between {
            start_date_time: self.start.clone(),
            end_date_time: self.end.clone(),
        }
    }
}

#[derive(Subcommand)]
enum Meeting {
    /// Create a meeting that is in no calendar
    Create {
        #[command(flatten)]
        plan: Plan,
        /// Ask for a passcode
        #[arg(long)]
        passcode: bool,
    },
    /// Create a meeting with an id of one's own, or find the one that has it
    CreateOrGet {
        /// One's own id of the meeting
        external_id: String,
        /// The subject
        #[arg(long)]
        subject: Option<String>,
        /// When it begins
        #[arg(long, value_name = "TIME")]
        start: Option<String>,
        /// When it ends
        #[arg(long, value_name = "TIME")]
        end: Option<String>,
        #[command(flatten)]
        body: BodyArg,
    },
    /// Read a meeting
    Get {
        /// The meeting
        meeting: MeetingId,
    },
    /// Find a meeting by what people join it with
    Find(Find),
    /// Change a meeting
    Update {
        /// The meeting
        meeting: MeetingId,
        #[command(flatten)]
        plan: Plan,
    },
    /// Delete a meeting
    Delete {
        /// The meeting
        meeting: MeetingId,
    },
    /// List a meeting's attendance reports, or read one with its records
    Reports {
        /// The meeting
        meeting: MeetingId,
        /// The report
        report: Option<ReportId>,
    },
    /// List the records of an attendance report
    Records {
        /// The meeting
        meeting: MeetingId,
        /// The report
        report: ReportId,
    },
    /// List the recordings Teams has of meetings a user organized
    Recordings(Times),
    /// List the transcripts Teams has of meetings a user organized
    Transcripts(Times),
    /// List what was asked and answered beside meetings
    Messages,
    /// Tell where people outside join an appointment
    AppointmentUrl {
        /// The meeting
        meeting: MeetingId,
    },
    /// Send a text message about an appointment
    Sms {
        /// The meeting
        meeting: MeetingId,
        #[command(flatten)]
        body: BodyArg,
    },
    /// Send a reminder of an appointment
    ReminderSms {
        /// The meeting
        meeting: MeetingId,
        #[command(flatten)]
        body: BodyArg,
    },
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Find {
    /// The address
    #[arg(long, value_name = "URL")]
    join_url: Option<String>,
    /// The join id
    #[arg(long, value_name = "ID")]
    join_meeting_id: Option<String>,
    /// The id for conference rooms of other makers (application tokens)
    #[arg(long, value_name = "ID")]
    video_teleconference_id: Option<String>,
}

pub(super) async fn run(args: &MeetingArgs, session: &Session) -> Result<(), Failure> {
    let owner = &args.user.clone().map_or(Owner::Me, Owner::User);
    match &args.command {
        Meeting::Create { plan, passcode } => {
            let mut meeting = plan.meeting()?;
            if *passcode {
                let settings = &mut meeting.join_meeting_id_settings;
                let settings = settings.get_or_insert_with(JoinMeetingIdSettings::default);
                settings.is_passcode_required = Some(true);
            }
            session.send(&meetings::create(owner, &meeting)?).await
        }
        Meeting::CreateOrGet {
            external_id,
            subject,
            start,
            end,
            body,
        } => {
            let mut meeting: CreateOrGetRequest = body.read()?;
            set(&mut meeting.external_id, Some(external_id));
            set(&mut meeting.subject, subject.as_ref());
            set(&mut meeting.start_date_time, start.as_ref());
            set(&mut meeting.end_date_time, end.as_ref());
            session
                .send(&meetings::create_or_get(owner, &meeting)?)
                .await
        }
        Meeting::Get { meeting } => session.send(&meetings::get(owner, meeting)).await,
        Meeting::Find(find) => session.list(&find.request(owner)).await,
        Meeting::Update { meeting, plan } => {
            session
                .send(&meetings::update(owner, meeting, &plan.meeting()?)?)
                .await
        }
        Meeting::Delete { meeting } => session.send(&meetings::delete(owner, meeting)).await,
        kept => run_kept(kept, owner, session).await,
    }
}

impl Find {
    fn request(
        &self,
        owner: &Owner,
    ) -> switchboard_signaling::request::GraphRequest<
        switchboard_signaling::types::Page<OnlineMeeting>,
    > {
        match (&self.join_url, &self.join_meeting_id) {
            (Some(url), _) => meetings::find_by_join_web_url(owner, url),
            (None, Some(id)) => meetings::find_by_join_meeting_id(owner, id),
            (None, None) => {
                let id = self.video_teleconference_id.as_deref().unwrap_or_default();
                meetings::find_by_video_teleconference_id(id)
            }
        }
    }
}

/// What is kept of meetings, and appointments.
async fn run_kept(command: &Meeting, owner: &Owner, session: &Session) -> Result<(), Failure> {
    match command {
        Meeting::Reports {
            meeting,
            report: Some(report),
        } => {
            session
                .send(&meetings::get_attendance_report(owner, meeting, report))
                .await
        }
        Meeting::Reports {
            meeting,
            report: None,
        } => {
            session
                .list(&meetings::list_attendance_reports(owner, meeting))
                .await
        }
        Meeting::Records { meeting, report } => {
            session
                .list(&meetings::list_attendance_records(owner, meeting, report))
                .await
        }
        Meeting::Recordings(times) => {
            let (user, between) = (organizer(owner)?, times.between());
            match times.delta {
                true => {
                    session
                        .list(&meetings::recordings_delta(user, &between)?)
                        .await
                }
                false => {
                    session
                        .list(&meetings::get_all_recordings(user, &between)?)
                        .await
                }
            }
        }
        Meeting::Transcripts(times) => {
            let (user, between) = (organizer(owner)?, times.between());
            match times.delta {
                true => {
                    session
                        .list(&meetings::transcripts_delta(user, &between)?)
                        .await
                }
                false => {
                    session
                        .list(&meetings::get_all_transcripts(user, &between)?)
                        .await
                }
            }
        }
        Meeting::AppointmentUrl { meeting } => {
            let request = meetings::get_virtual_appointment_join_web_url(owner, meeting);
            session.send(&request).await
        }
        Meeting::Sms { meeting, body } => {
            let sms: SendVirtualAppointmentSmsRequest = body.read()?;
            session
                .send(&meetings::send_virtual_appointment_sms(
                    owner, meeting, &sms,
                )?)
                .await
        }
        Meeting::ReminderSms { meeting, body } => {
            let sms: SendVirtualAppointmentReminderSmsRequest = body.read()?;
            let request = meetings::send_virtual_appointment_reminder_sms(owner, meeting, &sms)?;
            session.send(&request).await
        }
        _ => session.list(&meetings::get_all_messages()).await,
    }
}

fn organizer(owner: &Owner) -> Result<&UserId, Failure> {
    match owner {
        Owner::User(id) => Ok(id),
        _ => Err("--user is needed: whose meetings?".into()),
    }
}
