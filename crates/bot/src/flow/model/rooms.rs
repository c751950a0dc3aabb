//! Calls with several people, and whom to call: as they are written.

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::{Name, OneOrMany};

/// A call of the bot's own with several people.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::flow) struct RoomModel {
    /// The node the bot's part in it begins with.
    #[schemars(with = "String")]
    pub(in crate::flow) start: Name,
    /// Contacts who are called in at once: two to five, or up to five into a meeting.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(in crate::flow) with: Vec<Name>,
    /// What the call is about, as phones show it.
    pub(in crate::flow) subject: Option<String>,
    /// An online meeting to hold it in; a group call if not given.
    #[schemars(with = "Option<MeetingModel>")]
    pub(in crate::flow) meeting: Option<Spanned<MeetingModel>>,
    /// Opening hours at whose beginning it opens by itself.
    #[schemars(with = "Option<String>")]
    pub(in crate::flow) opens: Option<Name>,
}

/// An online meeting: a new one, unless one of `external_id`, `meeting_id` and `join_url`
/// says which.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::flow) struct MeetingModel {
    /// The user in whose name it is held.
    pub(in crate::flow) organizer: String,
    /// How long a new one is planned for, in minutes.
    #[serde(default = "an_hour")]
    pub(in crate::flow) minutes: u16,
    /// The template of a new one (`meetingTemplateId`).
    pub(in crate::flow) template: Option<String>,
    /// An id of your own: the meeting that has it, or a new one.
    pub(in crate::flow) external_id: Option<String>,
    /// Graph's id.
    pub(in crate::flow) meeting_id: Option<String>,
    /// The address people join at.
    pub(in crate::flow) join_url: Option<String>,
}

fn an_hour() -> u16 {
    60
}

/// Who is called when something has happened, and in what order.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::flow) struct OnCallModel {
    /// Who is called together, and then who.
    #[schemars(with = "Vec<TierModel>")]
    pub(in crate::flow) tiers: Vec<Spanned<TierModel>>,
    /// How many must come.
    #[serde(default = "one")]
    pub(in crate::flow) need: u8,
    /// How often the list is gone through.
    #[serde(default = "one")]
    pub(in crate::flow) rounds: u8,
    /// How long a phone rings, in seconds, 30–99.
    #[serde(default = "thirty")]
    pub(in crate::flow) ring: u8,
}

fn one() -> u8 {
    1
}

fn thirty() -> u8 {
    30
}

/// People who are called together.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::flow) struct TierModel {
    /// Contacts.
    #[schemars(with = "Vec<String>")]
    pub(in crate::flow) who: Vec<Name>,
    /// When the next ones are called as well, in seconds.
    #[serde(default = "minute")]
    pub(in crate::flow) within: u16,
}

fn minute() -> u16 {
    60
}

/// People of whom one takes a call: a contact by the team's name.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::flow) struct TeamModel {
    /// Contacts, users all.
    #[schemars(with = "Vec<String>")]
    pub(in crate::flow) of: Vec<Name>,
    /// Who of those that are available.
    #[serde(default)]
    pub(in crate::flow) pick: Pick,
}

/// Who of a team takes the next call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pick {
    /// One after the other.
    #[default]
    RoundRobin,
    /// Whoever was given a call longest ago.
    LongestIdle,
    /// The first in the list.
    First,
}

/// Going on in a room.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::flow) struct OpenModel {
    /// Which.
    #[schemars(with = "String")]
    pub(in crate::flow) room: Name,
    /// When it can't be opened.
    #[schemars(with = "Option<String>")]
    pub(in crate::flow) on_failed: Option<Name>,
}

/// Calling people until enough have come.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::flow) struct SummonModel {
    /// Who is on call.
    #[schemars(with = "String")]
    pub(in crate::flow) on_call: Name,
    /// The node their calls begin with. Who comes to a node with `join` has accepted.
    #[schemars(with = "String")]
    pub(in crate::flow) ask: Name,
    /// When enough are in.
    #[schemars(with = "String")]
    pub(in crate::flow) next: Name,
    /// When the list is through.
    #[schemars(with = "Option<String>")]
    pub(in crate::flow) on_failed: Option<Name>,
}

/// Joining the call that summoned this one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::flow) struct JoinModel {
    /// When it can't be joined any more.
    #[schemars(with = "Option<String>")]
    pub(in crate::flow) on_failed: Option<Name>,
}

/// Staying while others talk.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::flow) struct AttendModel {
    /// Said when somebody comes.
    #[schemars(with = "Option<String>")]
    pub(in crate::flow) greet: Option<Name>,
    /// Said when somebody goes.
    #[schemars(with = "Option<String>")]
    pub(in crate::flow) farewell: Option<Name>,
    /// So many others are waited for,
    pub(in crate::flow) people: Option<u16>,
    /// and this is where it goes on when they are there.
    #[schemars(with = "Option<String>")]
    pub(in crate::flow) on_people: Option<Name>,
    /// How long at most, in seconds, up to a day.
    #[serde(default = "hour")]
    #[schemars(with = "u32")]
    pub(in crate::flow) timeout: Spanned<u32>,
    /// When everybody else has gone.
    #[schemars(with = "Option<String>")]
    pub(in crate::flow) on_alone: Option<Name>,
    /// When the time is over.
    #[schemars(with = "Option<String>")]
    pub(in crate::flow) on_timeout: Option<Name>,
}

fn hour() -> Spanned<u32> {
    Spanned::new(0..0, 3600)
}

/// Silencing others.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::flow) struct MuteModel {
    /// A contact, or `all`.
    #[schemars(with = "String")]
    pub(in crate::flow) who: Name,
    /// When it is done.
    #[schemars(with = "String")]
    pub(in crate::flow) next: Name,
    /// When it can't be done.
    #[schemars(with = "Option<String>")]
    pub(in crate::flow) on_failed: Option<Name>,
}

/// Putting one on hold, or taking them back.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::flow) struct HoldModel {
    /// A contact.
    #[schemars(with = "String")]
    pub(in crate::flow) who: Name,
    /// A prompt to be heard meanwhile; Graph's own music if not given.
    #[schemars(with = "Option<String>")]
    pub(in crate::flow) music: Option<Name>,
    /// When it is done.
    #[schemars(with = "String")]
    pub(in crate::flow) next: Name,
    /// When it can't be done.
    #[schemars(with = "Option<String>")]
    pub(in crate::flow) on_failed: Option<Name>,
}

/// Bringing somebody in.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::flow) struct InviteModel {
    /// A contact, or up to five.
    #[schemars(with = "OneOrMany")]
    pub(in crate::flow) who: Spanned<OneOrMany>,
    /// When they are in.
    #[schemars(with = "String")]
    pub(in crate::flow) next: Name,
    /// When nobody comes.
    #[schemars(with = "Option<String>")]
    pub(in crate::flow) on_failed: Option<Name>,
}
