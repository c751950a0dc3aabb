//! `switchboard graph presence`.

use clap::{Args, Subcommand};
use switchboard_signaling::request::presence::{self, Whose};
use switchboard_signaling::types::{
    BodyType, ClearPresenceRequest, DateTimeTimeZone, ItemBody, PresenceStatusMessage,
    SetLocationRequest, SetPresenceRequest, SetStatusMessageRequest,
    SetUserPreferredPresenceRequest, UserId, WorkLocationType,
};

use super::session::Session;
use crate::Failure;

#[derive(Args)]
pub(super) struct PresenceArgs {
    /// Whose presence; without it the signed-in user's
    #[arg(long, global = true, value_name = "ID")]
    user: Option<UserId>,

    /// Ask by /communications/presences, not by /users
    #[arg(long, global = true, requires = "user")]
    communications: bool,

    #[command(subcommand)]
    command: Presence,
}

/// Two words that go together, such as Busy and InACall.
#[derive(Args)]
struct Pair {
    /// Whether the user can be reached, such as Available or Busy
    availability: String,
    /// What keeps the user, such as InACall
    activity: String,
    /// For how long, an ISO 8601 duration such as PT1H
    #[arg(long, value_name = "DURATION")]
    expires: Option<String>,
}

#[derive(Args)]
struct Place {
    /// unspecified, office, remote or timeOff
    #[arg(value_parser = |text: &str| Ok::<_, String>(WorkLocationType::from(text)))]
    location: WorkLocationType,
    /// The place's id
    #[arg(long, value_name = "ID")]
    place: Option<String>,
}

#[derive(Subcommand)]
enum Presence {
    /// Read a presence
    Get,
    /// Read the presences of up to 650 users
    GetMany {
        /// The users
        #[arg(required = true)]
        users: Vec<UserId>,
    },
    /// Set what the application knows of the user
    Set {
        #[command(flatten)]
        pair: Pair,
        /// The session: the application's id
        #[arg(long, value_name = "ID")]
        session: String,
    },
    /// Take back what the application has set
    Clear {
        /// The session: the application's id
        #[arg(long, value_name = "ID")]
        session: String,
    },
    /// Set what the user shall be shown as
    SetPreferred(Pair),
    /// Show the user as the sessions say
    ClearPreferred,
    /// Set the text beside the presence
    SetMessage {
        /// The text
        text: String,
        /// Until when: date and time without an offset
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        /// The time zone of --until
        #[arg(long, value_name = "ZONE", default_value = "UTC")]
        time_zone: String,
    },
    /// Set where the user works
    SetLocation(Place),
    /// Set where the user was detected to work
    SetAutomaticLocation(Place),
    /// Forget where the user works
    ClearLocation,
    /// Forget where the user was detected to work
    ClearAutomaticLocation,
}

pub(super) async fn run(args: &PresenceArgs, session: &Session) -> Result<(), Failure> {
    let of = &match args.user.clone() {
        None => Whose::Me,
        Some(user) if args.communications => Whose::Communications(user),
        Some(user) => Whose::User(user),
    };
    let request = match &args.command {
        Presence::Get => return session.send(&presence::get(of)).await,
        Presence::GetMany { users } => {
            return session.list(&presence::get_by_user_id(users)?).await;
        }
        Presence::Set { pair, session } => presence::set(of, &pair.with_session(session))?,
        Presence::Clear { session } => {
            let clear = ClearPresenceRequest {
                session_id: Some(session.clone()),
                ..ClearPresenceRequest::default()
            };
            presence::clear(of, &clear)?
        }
        Presence::SetPreferred(pair) => presence::set_user_preferred(of, &pair.preferred())?,
        Presence::ClearPreferred => presence::clear_user_preferred(of),
        Presence::SetMessage {
            text,
            until,
            time_zone,
        } => presence::set_status_message(of, &message(text, until.as_ref(), time_zone))?,
        Presence::SetLocation(place) => presence::set_manual_location(of, &place.request())?,
        Presence::SetAutomaticLocation(place) => {
            presence::set_automatic_location(of, &place.request())?
        }
        Presence::ClearLocation => presence::clear_location(of),
        Presence::ClearAutomaticLocation => presence::clear_automatic_location(of),
    };
    session.send(&request).await
}

impl Pair {
    fn with_session(&self, session: &str) -> SetPresenceRequest {
        SetPresenceRequest {
            session_id: Some(session.to_owned()),
            availability: Some(self.availability.clone()),
            activity: Some(self.activity.clone()),
            expiration_duration: self.expires.clone(),
            ..SetPresenceRequest::default()
        }
    }

    fn preferred(&self) -> SetUserPreferredPresenceRequest {
        SetUserPreferredPresenceRequest {
            availability: Some(self.availability.clone()),
            activity: Some(self.activity.clone()),
            expiration_duration: self.expires.clone(),
            ..SetUserPreferredPresenceRequest::default()
        }
    }
}

impl Place {
    fn request(&self) -> SetLocationRequest {
        SetLocationRequest {
            work_location_type: Some(self.location.clone()),
            place_id: self.place.clone(),
            ..SetLocationRequest::default()
        }
    }
}

fn message(text: &str, until: Option<&String>, time_zone: &str) -> SetStatusMessageRequest {
    let expiry = until.map(|until| DateTimeTimeZone {
        date_time: Some(until.clone()),
        time_zone: Some(time_zone.to_owned()),
        ..DateTimeTimeZone::default()
    });
    let body = ItemBody {
        content: Some(text.to_owned()),
        content_type: Some(BodyType::Text),
        ..ItemBody::default()
    };
    let status = PresenceStatusMessage {
        message: Some(body),
        expiry_date_time: expiry,
        ..PresenceStatusMessage::default()
    };
    SetStatusMessageRequest {
        status_message: Some(status),
        ..SetStatusMessageRequest::default()
    }
}
