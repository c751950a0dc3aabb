//! Presence: what applications set for users, and what the users' phones do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use switchboard_signaling::types::{
    ClearPresenceRequest, Presence, PresenceStatusMessage, SetLocationRequest, SetPresenceRequest,
    SetStatusMessageRequest, SetUserPreferredPresenceRequest, UserWorkLocation, WorkLocationSource,
};

use super::{Cloud, Fault};

const MAX_USERS: usize = 650;
const MINUTE: Duration = Duration::from_secs(60);
/// Availability fades after this, in two stages (setPresence, "Timeout").
const FADES: Duration = Duration::from_secs(5 * 60);
const SESSION: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(5 * 60)..=Duration::from_secs(4 * 60 * 60);
/// More users than this are not kept.
const MAX_KEPT: usize = 10_000;

/// What applications may set, in order of precedence.
const SETTABLE: [(&str, &str); 5] = [
    ("DoNotDisturb", "Presenting"),
    ("Busy", "InACall"),
    ("Busy", "InAConferenceCall"),
    ("Available", "Available"),
    ("Away", "Away"),
];
const PREFERABLE: [(&str, &str); 6] = [
    ("Available", "Available"),
    ("Busy", "Busy"),
    ("DoNotDisturb", "DoNotDisturb"),
    ("BeRightBack", "BeRightBack"),
    ("Away", "Away"),
    ("Offline", "OffWork"),
];

/// An action on a user's presence.
pub(crate) enum PresenceAction {
    Set(SetPresenceRequest),
    Clear(ClearPresenceRequest),
    SetPreferred(SetUserPreferredPresenceRequest),
    ClearPreferred,
    SetStatusMessage(Box<SetStatusMessageRequest>),
    SetManualLocation(SetLocationRequest),
    SetAutomaticLocation(SetLocationRequest),
    ClearLocation,
    ClearAutomaticLocation,
}

/// What is kept of a user.
#[derive(Default)]
pub(super) struct Kept {
    sessions: BTreeMap<String, Session>,
    preferred: Option<Session>,
    message: Option<PresenceStatusMessage>,
    manual: Option<UserWorkLocation>,
    automatic: Option<UserWorkLocation>,
    sequence: u64,
}

struct Session {
    availability: String,
    activity: String,
    set: Instant,
    until: Instant,
}

impl Cloud {
    /// Get presence
    pub(crate) fn presence(&self, user: &str, now: Instant) -> Presence {
        let kept = self.presences.get(&user.to_ascii_lowercase());
        let preferred = kept.and_then(|kept| kept.preferred.as_ref());
        let shown = preferred
            .filter(|session| session.until > now)
            .map(|session| (session.availability.clone(), session.activity.clone()))
            .unwrap_or_else(|| self.aggregated(user, kept, now));
        let location = kept.and_then(|kept| kept.manual.as_ref().or(kept.automatic.as_ref()));
        Presence {
            id: Some(user.to_owned()),
            availability: Some(shown.0),
            activity: Some(shown.1),
            sequence_number: kept.map(|kept| kept.sequence.to_string()),
            status_message: kept.and_then(|kept| kept.message.clone()),
            work_location: location.cloned(),
            ..Presence::default()
        }
    }

    /// The sessions of applications and the user's own phone together.
    fn aggregated(&self, user: &str, kept: Option<&Kept>, now: Instant) -> (String, String) {
        let mut states = Vec::new();
        let own = |(id, entry): &(&String, &super::PhoneEntry)| {
            id.eq_ignore_ascii_case(user) || entry.name == user
        };
        if let Some((_, phone)) = self.phones.iter().find(own) {
            states.push(match (&phone.call, &phone.room) {
                (_, Some(_)) => ("Busy", "InAConferenceCall"),
                (Some(_), None) => ("Busy", "InACall"),
                (None, None) => ("Available", "Available"),
            });
        }
        let sessions = kept.into_iter().flat_map(|kept| kept.sessions.values());
        states.extend(sessions.filter_map(|session| session.state(now)));
        let rank = |state: &(&str, &str)| {
            let order = ["DoNotDisturb", "Busy", "Available", "Away"];
            order.iter().position(|one| *one == state.0)
        };
        let first = states.into_iter().min_by_key(rank);
        let (availability, activity) = first.unwrap_or(("Offline", "Offline"));
        (availability.to_owned(), activity.to_owned())
    }

    /// cloudCommunications: getPresencesByUserId
    pub(crate) fn presences_of(
        &self,
        ids: Option<&[String]>,
        now: Instant,
    ) -> Result<Vec<Presence>, Fault> {
        let ids = ids.unwrap_or_default();
        if ids.is_empty() || ids.len() > MAX_USERS {
            return Err(Fault::property("ids", "1 to 650 users can be asked for"));
        }
        Ok(ids.iter().map(|user| self.presence(user, now)).collect())
    }

    /// One of the actions on a presence.
    pub(crate) fn change_presence(
        &mut self,
        app: &str,
        user: &str,
        action: PresenceAction,
        now: Instant,
    ) -> Result<(), Fault> {
        let user = user.to_ascii_lowercase();
        if self.presences.len() >= MAX_KEPT && !self.presences.contains_key(&user) {
            let message = "There are as many presences as the emulator keeps.";
            return Err(Fault::too_many(message));
        }
        let kept = self.presences.entry(user).or_default();
        kept.sequence += 1;
        match action {
            PresenceAction::Set(request) => kept.set(app, request, now),
            PresenceAction::Clear(request) => {
                own_session(app, request.session_id.as_deref())?;
                let cleared = kept.sessions.remove(app);
                let not_found = || Fault {
                    message: "Presence session not found.".to_owned(),
                    ..Fault::no_operation()
                };
                cleared.map(|_| ()).ok_or_else(not_found)
            }
            PresenceAction::SetPreferred(request) => kept.prefer(request, now),
            PresenceAction::ClearPreferred => {
                kept.preferred = None;
                Ok(())
            }
            PresenceAction::SetStatusMessage(request) => {
                let message = request.status_message;
                let rule = "it is what is set";
                let message = message.ok_or_else(|| Fault::property("statusMessage", rule))?;
                kept.message = Some(message);
                Ok(())
            }
            PresenceAction::SetManualLocation(request) => {
                kept.manual = Some(location(request, WorkLocationSource::Manual)?);
                Ok(())
            }
            PresenceAction::SetAutomaticLocation(request) => {
                kept.automatic = Some(location(request, WorkLocationSource::Automatic)?);
                Ok(())
            }
            PresenceAction::ClearLocation => {
                (kept.manual, kept.automatic) = (None, None);
                Ok(())
            }
            PresenceAction::ClearAutomaticLocation => {
                kept.automatic = None;
                Ok(())
            }
        }
    }
}

impl Kept {
    fn set(&mut self, app: &str, request: SetPresenceRequest, now: Instant) -> Result<(), Fault> {
        own_session(app, request.session_id.as_deref())?;
        let (availability, activity) = pair(request.availability, request.activity, &SETTABLE)?;
        let length = match request.expiration_duration.as_deref() {
            None => 5 * MINUTE,
            Some(text) => {
                let rule = "an ISO 8601 duration from PT5M to PT4H is needed";
                let length = duration(text).filter(|length| SESSION.contains(length));
                length.ok_or_else(|| Fault::property("expirationDuration", rule))?
            }
        };
        let session = Session {
            availability,
            activity,
            set: now,
            until: now + length,
        };
        self.sessions.insert(app.to_owned(), session);
        Ok(())
    }

    fn prefer(
        &mut self,
        request: SetUserPreferredPresenceRequest,
        now: Instant,
    ) -> Result<(), Fault> {
        let (availability, activity) = pair(request.availability, request.activity, &PREFERABLE)?;
        let length = match request.expiration_duration.as_deref() {
            // A day when busy, else a week (setUserPreferredPresence).
            None if matches!(availability.as_str(), "Busy" | "DoNotDisturb") => 24 * 60 * MINUTE,
            None => 7 * 24 * 60 * MINUTE,
            Some(text) => {
                let rule = "an ISO 8601 duration above zero is needed, such as PT8H";
                let length = duration(text).filter(|length| !length.is_zero());
                length.ok_or_else(|| Fault::property("expirationDuration", rule))?
            }
        };
        self.preferred = Some(Session {
            availability,
            activity,
            set: now,
            until: now + length.min(365 * 24 * 60 * MINUTE),
        });
        Ok(())
    }
}

impl Session {
    /// What is left of it.
    fn state(&self, now: Instant) -> Option<(&str, &str)> {
        if self.until <= now {
            return None;
        }
        let age = now.saturating_duration_since(self.set);
        Some(match self.availability.as_str() {
            "Available" if age >= 2 * FADES => ("Away", "Away"),
            "Available" if age >= FADES => ("Available", "AvailableInactive"),
            availability => (availability, &self.activity),
        })
    }
}

/// Applications use their own id (setPresence, "Important").
fn own_session(app: &str, session: Option<&str>) -> Result<(), Fault> {
    match session {
        Some(session) if session.eq_ignore_ascii_case(app) => Ok(()),
        _ => Err(Fault::property(
            "sessionId",
            "it must be the application's id",
        )),
    }
}

fn pair(
    availability: Option<String>,
    activity: Option<String>,
    allowed: &[(&str, &str)],
) -> Result<(String, String), Fault> {
    let pair = (
        availability.unwrap_or_default(),
        activity.unwrap_or_default(),
    );
    if allowed.contains(&(pair.0.as_str(), pair.1.as_str())) {
        return Ok(pair);
    }
    let rule = "this combination of availability and activity is not supported";
    Err(Fault::property("availability/activity", rule))
}

fn location(
    request: SetLocationRequest,
    source: WorkLocationSource,
) -> Result<UserWorkLocation, Fault> {
    let kind = request.work_location_type;
    let rule = "a kind of place is needed";
    Ok(UserWorkLocation {
        work_location_type: Some(kind.ok_or_else(|| Fault::property("workLocationType", rule))?),
        place_id: request.place_id,
        source: Some(source),
        ..UserWorkLocation::default()
    })
}

/// Reads `P1DT2H3M4S`: whole days, hours, minutes and seconds.
fn duration(text: &str) -> Option<Duration> {
    let (days, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((days, time)) if !time.is_empty() => (days, time),
        Some(_) => return None,
        None => (text.strip_prefix('P')?, ""),
    };
    let mut seconds = 0_u64;
    let mut found = false;
    for (mut rest, units) in [
        (days, [('D', 86_400), ('D', 86_400), ('D', 86_400)]),
        (time, [('H', 3_600), ('M', 60), ('S', 1)]),
    ] {
        for (unit, length) in units {
            if let Some((number, after)) = rest.split_once(unit) {
                let number = number.parse::<u64>().ok()?;
                seconds = seconds.checked_add(number.checked_mul(length)?)?;
                (rest, found) = (after, true);
            }
        }
        if !rest.is_empty() {
            return None;
        }
    }
    found.then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::phone::PhoneRole;

    fn set(cloud: &mut Cloud, body: Value, now: Instant) -> Result<(), Fault> {
        let action = PresenceAction::Set(serde_json::from_value(body).unwrap());
        cloud.change_presence("app", "User", action, now)
    }

    fn shown(cloud: &Cloud, user: &str, now: Instant) -> String {
        let presence = cloud.presence(user, now);
        format!(
            "{}/{}",
            presence.availability.unwrap(),
            presence.activity.unwrap()
        )
    }

    #[test]
    fn durations_are_read() {
        for (text, seconds) in [
            ("PT5M", 300),
            ("PT4H", 14_400),
            ("P1DT1H", 90_000),
            ("PT1M5S", 65),
        ] {
            assert_eq!(duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for bad in [
            "", "P", "PT", "5M", "PT5", "PTM", "P5M", "PT-5M", "PT1.5H", "P1DT",
        ] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn sessions_fade_expire_and_give_way_to_what_users_prefer() {
        let mut cloud = Cloud::new(1);
        let start = Instant::now();
        let at = |minutes: u32| start + minutes * MINUTE;
        assert_eq!(shown(&cloud, "user", start), "Offline/Offline");
        let body = json!({"sessionId": "APP", "availability": "Available",
            "activity": "Available", "expirationDuration": "PT1H"});
        set(&mut cloud, body, start).unwrap();
        assert_eq!(shown(&cloud, "USER", at(4)), "Available/Available");
        assert_eq!(shown(&cloud, "user", at(5)), "Available/AvailableInactive");
        assert_eq!(shown(&cloud, "user", at(10)), "Away/Away");
        assert_eq!(shown(&cloud, "user", at(60)), "Offline/Offline");
        let preferred = json!({"availability": "DoNotDisturb", "activity": "DoNotDisturb"});
        let action = PresenceAction::SetPreferred(serde_json::from_value(preferred).unwrap());
        cloud.change_presence("app", "user", action, start).unwrap();
        assert_eq!(shown(&cloud, "user", at(4)), "DoNotDisturb/DoNotDisturb");
        let action = PresenceAction::ClearPreferred;
        cloud.change_presence("app", "user", action, start).unwrap();
        assert_eq!(shown(&cloud, "user", at(4)), "Available/Available");
        for (body, target) in [
            (json!({"sessionId": "x"}), "sessionId"),
            (
                json!({"sessionId": "app", "availability": "Busy", "activity": "Away"}),
                "availability/activity",
            ),
            (
                json!({"sessionId": "app", "availability": "Away", "activity": "Away",
                    "expirationDuration": "PT5H"}),
                "expirationDuration",
            ),
        ] {
            let fault = set(&mut cloud, body, start).unwrap_err();
            assert_eq!(fault.target.as_deref(), Some(target));
        }
        let clear = || {
            let body = json!({"sessionId": "app"});
            PresenceAction::Clear(serde_json::from_value(body).unwrap())
        };
        cloud
            .change_presence("app", "user", clear(), start)
            .unwrap();
        let again = cloud.change_presence("app", "user", clear(), start);
        assert_eq!(again.unwrap_err().status.as_u16(), 404);
    }

    #[test]
    fn a_phone_in_a_call_is_busy() {
        let mut cloud = Cloud::new(1);
        let phone = cloud.register_phone("Adele", PhoneRole::Caller);
        let now = Instant::now();
        assert_eq!(shown(&cloud, &phone, now), "Available/Available");
        cloud.occupy(&phone, "call");
        assert_eq!(shown(&cloud, "Adele", now), "Busy/InACall");
        assert_eq!(cloud.presences_of(Some(&[phone]), now).unwrap().len(), 1);
        assert!(cloud.presences_of(None, now).is_err());
    }
}
