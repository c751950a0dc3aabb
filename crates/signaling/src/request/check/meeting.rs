//! The rules of online meetings.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Check, Checked, InvalidRequest, shortened};
use crate::types::{
    AttendeeNotificationInfo, CreateOrGetRequest, OnlineMeeting, RemindBeforeTimeInMinutesType,
    SendVirtualAppointmentReminderSmsRequest, SendVirtualAppointmentSmsRequest,
    VirtualAppointmentMessageType,
};

impl Check {
    pub(in crate::request) fn new_meeting(self, meeting: &OnlineMeeting) -> Checked {
        let (start, end) = times(meeting);
        self.start_before_end(start, end)?;
        self.no_passcode(meeting)
    }

    pub(in crate::request) fn create_or_get(self, request: &CreateOrGetRequest) -> Checked {
        let id = request.external_id.as_deref();
        self.text("externalId", id, "it is what the meeting is found by")?;
        let start = request.start_date_time.as_deref();
        self.start_before_end(start, request.end_date_time.as_deref())
    }

    pub(in crate::request) fn changed_meeting(self, changes: &OnlineMeeting) -> Checked {
        let (start, end) = times(changes);
        let rule = "start and end can be changed together only";
        match (start, end) {
            (Some(_), None) => self.fail("endDateTime", "missing", rule)?,
            (None, Some(_)) => self.fail("startDateTime", "missing", rule)?,
            _ => self.start_before_end(start, end)?,
        }
        let participants = changes.participants.as_ref();
        if participants.is_some_and(|people| people.organizer.is_some()) {
            let rule = "the organizer can't be changed";
            return self.fail("participants.organizer", "present", rule);
        }
        self.no_passcode(changes)
    }

    fn no_passcode(self, meeting: &OnlineMeeting) -> Checked {
        let settings = meeting.join_meeting_id_settings.as_ref();
        if settings.is_some_and(|settings| settings.passcode.is_some()) {
            let rule = "Graph makes passcodes itself; set isPasscodeRequired";
            return self.fail("joinMeetingIdSettings.passcode", "present", rule);
        }
        Ok(())
    }

    fn start_before_end(self, start: Option<&str>, end: Option<&str>) -> Checked {
        if start.is_none() && end.is_some() {
            let rule = "an end needs a start";
            return self.fail("startDateTime", "missing", rule);
        }
        self.between(start, end)
    }

    /// A span of time of which either side may be open.
    pub(in crate::request) fn between(self, start: Option<&str>, end: Option<&str>) -> Checked {
        let start = self.date_time("startDateTime", start)?;
        let end_at = self.date_time("endDateTime", end)?;
        match (start, end_at) {
            (Some(start), Some(end_at)) if end_at < start => {
                let shown = shortened(end.unwrap_or_default());
                self.fail("endDateTime", shown, "the end can't be before the start")
            }
            _ => Ok(()),
        }
    }

    fn date_time(
        self,
        field: &str,
        text: Option<&str>,
    ) -> Result<Option<OffsetDateTime>, InvalidRequest> {
        let Some(text) = text else { return Ok(None) };
        let rule = "a time such as 2026-06-01T14:30:00+02:00 is needed";
        match OffsetDateTime::parse(text, &Rfc3339) {
            Ok(time) => Ok(Some(time)),
            Err(_) => self.fail(field, shortened(text), rule).map(|()| None),
        }
    }

    pub(in crate::request) fn appointment_sms(
        self,
        request: &SendVirtualAppointmentSmsRequest,
    ) -> Checked {
        use VirtualAppointmentMessageType::{Cancellation, Confirmation, Reschedule};
        self.attendees(request.attendees.as_deref())?;
        let rule = "confirmation, reschedule and cancellation can be sent";
        match &request.message_type {
            Some(Confirmation | Reschedule | Cancellation) => Ok(()),
            Some(other) => self.fail("messageType", shortened(other.as_str()), rule),
            None => self.fail("messageType", "missing", rule),
        }
    }

    pub(in crate::request) fn appointment_reminder(
        self,
        request: &SendVirtualAppointmentReminderSmsRequest,
    ) -> Checked {
        self.attendees(request.attendees.as_deref())?;
        let (field, rule) = ("remindBeforeTimeInMinutesType", "mins15 is supported");
        match &request.remind_before_time_in_minutes_type {
            Some(RemindBeforeTimeInMinutesType::Mins15) => Ok(()),
            Some(other) => self.fail(field, shortened(other.as_str()), rule),
            None => self.fail(field, "missing", rule),
        }
    }

    fn attendees(self, attendees: Option<&[AttendeeNotificationInfo]>) -> Checked {
        let attendees = attendees.unwrap_or_default();
        let rule = "at least one attendee is needed";
        self.count("attendees", attendees.len(), 1..=usize::MAX, rule)?;
        attendees.iter().enumerate().try_for_each(|(index, one)| {
            let field = format_args!("attendees[{index}].phoneNumber");
            self.phone(field, one.phone_number.as_deref().unwrap_or_default())
        })
    }
}

fn times(meeting: &OnlineMeeting) -> (Option<&str>, Option<&str>) {
    let start = meeting.start_date_time.as_deref();
    (start, meeting.end_date_time.as_deref())
}
