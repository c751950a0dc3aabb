//! The rules of presence.

use std::time::Duration;

use super::duration::parse;
use super::{Check, Checked, shortened};
use crate::types::{
    BodyType, SetLocationRequest, SetPresenceRequest, SetStatusMessageRequest,
    SetUserPreferredPresenceRequest, WorkLocationType,
};

const MAX_USERS: usize = 650;
const MINUTE: u64 = 60;

impl Check {
    pub(in crate::request) fn user_ids(self, count: usize) -> Checked {
        let rule = "1 to 650 users can be asked for at once";
        self.count("ids", count, 1..=MAX_USERS, rule)
    }

    pub(in crate::request) fn session_id(self, id: Option<&str>) -> Checked {
        self.text("sessionId", id, "the application's id is needed")
    }

    pub(in crate::request) fn set_presence(self, request: &SetPresenceRequest) -> Checked {
        self.session_id(request.session_id.as_deref())?;
        self.pair(
            request.availability.as_deref(),
            request.activity.as_deref(),
            &[
                ("Available", "Available"),
                ("Busy", "InACall"),
                ("Busy", "InAConferenceCall"),
                ("Away", "Away"),
                ("DoNotDisturb", "Presenting"),
            ],
            "Available/Available, Busy/InACall, Busy/InAConferenceCall, Away/Away and DoNotDisturb/Presenting can be set",
        )?;
        let allowed = Duration::from_secs(5 * MINUTE)..=Duration::from_secs(240 * MINUTE);
        let rule = "an ISO 8601 duration from PT5M to PT4H is needed";
        self.duration(request.expiration_duration.as_deref(), allowed, rule)
    }

    pub(in crate::request) fn set_user_preferred_presence(
        self,
        request: &SetUserPreferredPresenceRequest,
    ) -> Checked {
        self.pair(
            request.availability.as_deref(),
            request.activity.as_deref(),
            &[
                ("Available", "Available"),
                ("Busy", "Busy"),
                ("DoNotDisturb", "DoNotDisturb"),
                ("BeRightBack", "BeRightBack"),
                ("Away", "Away"),
                ("Offline", "OffWork"),
            ],
            "Available/Available, Busy/Busy, DoNotDisturb/DoNotDisturb, BeRightBack/BeRightBack, Away/Away and Offline/OffWork can be set",
        )?;
        let allowed = Duration::from_nanos(1)..=Duration::MAX;
        let rule = "an ISO 8601 duration above zero is needed, such as PT8H";
        self.duration(request.expiration_duration.as_deref(), allowed, rule)
    }

    fn pair(
        self,
        availability: Option<&str>,
        activity: Option<&str>,
        allowed: &[(&str, &str)],
        rule: &'static str,
    ) -> Checked {
        self.text("availability", availability, rule)?;
        self.text("activity", activity, rule)?;
        let pair = (
            availability.unwrap_or_default(),
            activity.unwrap_or_default(),
        );
        if allowed.contains(&pair) {
            return Ok(());
        }
        let shown = shortened(&format!("{}/{}", pair.0, pair.1));
        self.fail("availability/activity", shown, rule)
    }

    fn duration(
        self,
        text: Option<&str>,
        allowed: std::ops::RangeInclusive<Duration>,
        rule: &'static str,
    ) -> Checked {
        let field = "expirationDuration";
        match text {
            Some(text) if !parse(text).is_some_and(|time| allowed.contains(&time)) => {
                self.fail(field, shortened(text), rule)
            }
            _ => Ok(()),
        }
    }

    pub(in crate::request) fn status_message(self, request: &SetStatusMessageRequest) -> Checked {
        let Some(status) = &request.status_message else {
            return self.fail("statusMessage", "missing", "it is what is set");
        };
        let kind = status
            .message
            .as_ref()
            .and_then(|body| body.content_type.as_ref());
        match kind {
            None | Some(BodyType::Text) => {}
            Some(other) => {
                let field = "statusMessage.message.contentType";
                self.fail(field, shortened(other.as_str()), "text is supported")?;
            }
        }
        let time = status.expiry_date_time.as_ref();
        let time = time
            .and_then(|time| time.date_time.as_deref())
            .unwrap_or_default();
        let clock = time.split_once('T').map_or("", |(_, clock)| clock);
        if clock.contains(['Z', '+', '-']) {
            let field = "statusMessage.expiryDateTime.dateTime";
            let rule = "the time zone stands in timeZone, not in dateTime";
            return self.fail(field, shortened(time), rule);
        }
        Ok(())
    }

    pub(in crate::request) fn location(self, request: &SetLocationRequest) -> Checked {
        use WorkLocationType::{Office, Remote, TimeOff, Unspecified};
        let (field, rule) = (
            "workLocationType",
            "unspecified, office, remote and timeOff are known",
        );
        match &request.work_location_type {
            Some(Unspecified | Office | Remote | TimeOff) => Ok(()),
            Some(other) => self.fail(field, shortened(other.as_str()), rule),
            None => self.fail(field, "missing", rule),
        }
    }
}
