//! Who was in a meeting, and for how long.

use std::collections::BTreeMap;
use std::time::Instant;

use switchboard_signaling::types::{
    AttendanceInterval, AttendanceRecord, Identity, IdentitySet, MeetingAttendanceReport,
};

use super::written;
use crate::cloud::Cloud;
use crate::cloud::room::{Attendance, Room};

impl Cloud {
    /// Everyone has left: the session is over and reported on.
    pub(in crate::cloud) fn adjourn(&mut self, room: &Room, now: Instant) {
        let Some(id) = &room.meeting else { return };
        let mut people: BTreeMap<&str, Vec<&Attendance>> = BTreeMap::new();
        for one in &room.attended {
            let identity = one.identity.any();
            let who = identity.and_then(|identity| identity.id.as_deref());
            people.entry(who.unwrap_or_default()).or_default().push(one);
        }
        let owner = self
            .meetings
            .all
            .get(id)
            .map(|meeting| meeting.owner.clone());
        let owner = owner.unwrap_or_default();
        let records: Vec<_> = people
            .into_iter()
            .map(|(who, stays)| self.record(&stays, who == owner, now))
            .collect();
        let begun = room.attended.iter().map(|one| one.from).min();
        let report = MeetingAttendanceReport {
            id: Some(self.ids.guid()),
            meeting_start_date_time: written(self.wall(begun.unwrap_or(now))),
            meeting_end_date_time: written(self.wall(now)),
            total_participant_count: i32::try_from(records.len()).ok(),
            attendance_records: Some(records),
            ..MeetingAttendanceReport::default()
        };
        let Some(meeting) = self.meetings.all.get_mut(id) else {
            return;
        };
        meeting.room = None;
        if begun.is_some() {
            meeting.reports.push(report);
        }
    }

    fn record(&mut self, stays: &[&Attendance], organizes: bool, now: Instant) -> AttendanceRecord {
        let seconds = |from: Instant, to: Option<Instant>| {
            let length = to.unwrap_or(now).saturating_duration_since(from);
            i32::try_from(length.as_secs()).unwrap_or(i32::MAX)
        };
        let interval = |stay: &&Attendance| AttendanceInterval {
            join_date_time: written(self.wall(stay.from)),
            leave_date_time: written(self.wall(stay.to.unwrap_or(now))),
            duration_in_seconds: Some(seconds(stay.from, stay.to)),
            ..AttendanceInterval::default()
        };
        let intervals: Vec<_> = stays.iter().map(interval).collect();
        let total = intervals.iter().filter_map(|one| one.duration_in_seconds);
        let role = if organizes { "Organizer" } else { "Attendee" };
        let identity = stays
            .first()
            .and_then(|stay| IdentitySet::any(&stay.identity));
        AttendanceRecord {
            total_attendance_in_seconds: Some(total.fold(0, i32::saturating_add)),
            attendance_intervals: Some(intervals),
            identity: identity.map(|one| Identity {
                id: one.id.clone(),
                display_name: one.display_name.clone(),
                tenant_id: one.tenant_id.clone(),
                ..Identity::default()
            }),
            role: Some(role.to_owned()),
            id: Some(self.ids.guid()),
            ..AttendanceRecord::default()
        }
    }
}
