//! A flow as it is written: TOML tables with their places in the file.

mod rooms;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

pub(crate) use rooms::Pick;
pub(super) use rooms::{
    AttendModel, HoldModel, InviteModel, JoinModel, MeetingModel, MuteModel, OnCallModel,
    OpenModel, RoomModel, SummonModel, TeamModel,
};

/// A name with its place in the file.
pub(super) type Name = Spanned<String>;

/// The JSON Schema of flow files, for editors.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(FlowModel).to_value()
}

/// A conversation.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Switchboard flow")]
pub(super) struct FlowModel {
    /// The node every call begins with.
    #[schemars(with = "String")]
    pub(super) start: Name,
    /// Where a call goes when a node doesn't say where: after too many time-outs or
    /// wrong keys, when a transfer or web hook fails.
    #[schemars(with = "String")]
    pub(super) otherwise: Name,
    /// Where a call goes that needs the speech engine while it is down; `otherwise`
    /// if not given.
    #[schemars(with = "Option<String>")]
    pub(super) fallback: Option<Name>,
    /// The language callers are expected to speak (BCP 47).
    #[serde(default = "english")]
    pub(super) language: String,
    /// Who handles a call's media.
    #[serde(default)]
    pub(super) media: Hosting,
    /// The application instance of the settings in whose name phone numbers are called;
    /// the first if not given.
    pub(super) from: Option<String>,
    /// What can be said.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, PromptModel>")]
    pub(super) prompts: BTreeMap<String, Spanned<PromptModel>>,
    /// Who calls can be passed on to.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, ContactModel>")]
    pub(super) contacts: BTreeMap<String, Spanned<ContactModel>>,
    /// Contacts of whom one takes a call.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, TeamModel>")]
    pub(super) teams: BTreeMap<String, Spanned<TeamModel>>,
    /// Who is called when something has happened.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, OnCallModel>")]
    pub(super) on_call: BTreeMap<String, Spanned<OnCallModel>>,
    /// Calls of the bot's own with several people.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, RoomModel>")]
    pub(super) rooms: BTreeMap<String, Spanned<RoomModel>>,
    /// What whoever opens a room gives words for: prompts' texts have them as `{name}`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) variables: Vec<Name>,
    /// Opening hours.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, HoursModel>")]
    pub(super) hours: BTreeMap<String, Spanned<HoursModel>>,
    /// What the speech engine may do by itself, in nodes that listen.
    #[serde(default)]
    pub(super) engine: EngineModel,
    /// The steps of the conversation.
    #[schemars(with = "BTreeMap<String, NodeModel>")]
    pub(super) nodes: BTreeMap<String, Spanned<NodeModel>>,
}

/// Who handles a call's media.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Hosting {
    /// The bot: it hears speech and keys itself.
    #[default]
    Application,
    /// Graph: prompts, keys and recordings are its operations.
    Service,
}

fn english() -> String {
    "en-US".to_owned()
}

/// What the speech engine may do by itself.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EngineModel {
    /// Say texts and prompts.
    #[serde(default)]
    pub(super) say: bool,
    /// End the call.
    #[serde(default)]
    pub(super) hang_up: bool,
    /// Collect keys.
    #[serde(default)]
    pub(super) collect: bool,
    /// Mute the bot, and take that back.
    #[serde(default)]
    pub(super) mute: bool,
    /// Pass the call on to these contacts.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) transfer: Vec<Name>,
    /// Invite these contacts.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) invite: Vec<Name>,
}

/// Either a recording or a text for the synthesiser.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PromptModel {
    /// A WAV or Opus (Ogg) file, relative to the flow's file.
    pub(super) file: Option<String>,
    /// What is said; with a file, what the recording says, for simulator and page.
    pub(super) text: Option<String>,
}

/// A user, a phone number, or another bot.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ContactModel {
    /// A user's id.
    pub(super) user: Option<String>,
    /// A phone number (E.164).
    pub(super) phone: Option<String>,
    /// A bot's application id; bots can be invited.
    pub(super) bot: Option<String>,
}

/// When somebody is there.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HoursModel {
    /// `mon` … `sun`.
    #[schemars(with = "Vec<String>")]
    pub(super) days: Vec<Name>,
    /// `09:00`.
    #[schemars(with = "String")]
    pub(super) from: Name,
    /// `17:30`, later than `from`; `24:00` is midnight.
    #[schemars(with = "String")]
    pub(super) to: Name,
    /// An IANA time zone, `Europe/Amsterdam`.
    #[schemars(with = "String")]
    pub(super) zone: Name,
}

/// One step: perhaps something to say, and exactly one thing to do.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NodeModel {
    /// What happens here, for people who watch a call.
    pub(super) about: Option<String>,
    /// What is reported of a call that came here: `confirmed`. The last one counts.
    pub(super) outcome: Option<String>,
    /// A prompt.
    #[schemars(with = "Option<String>")]
    pub(super) say: Option<Name>,
    /// Whether keys and speech may interrupt it.
    #[serde(default = "yes")]
    pub(super) interruptible: bool,
    /// Go on with another node.
    #[schemars(with = "Option<String>")]
    pub(super) next: Option<Name>,
    /// Wait for the caller's choice.
    #[schemars(with = "Option<ListenModel>")]
    pub(super) listen: Option<Spanned<ListenModel>>,
    /// Collect several keys.
    #[schemars(with = "Option<CollectModel>")]
    pub(super) collect: Option<Spanned<CollectModel>>,
    /// Decide by the call's facts; the first case that holds.
    #[schemars(with = "Option<Vec<CaseModel>>")]
    pub(super) branch: Option<Vec<Spanned<CaseModel>>>,
    /// Pass the call on.
    #[schemars(with = "Option<TransferModel>")]
    pub(super) transfer: Option<Spanned<TransferModel>>,
    /// Pass the call on before it is answered: a contact.
    #[schemars(with = "Option<String>")]
    pub(super) redirect: Option<Name>,
    /// Refuse the call before it is answered: `true`, or a reason the caller is told.
    pub(super) reject: Option<RejectModel>,
    /// Bring somebody into the call.
    #[schemars(with = "Option<InviteModel>")]
    pub(super) invite: Option<Spanned<InviteModel>>,
    /// Go on in a room.
    #[schemars(with = "Option<OpenModel>")]
    pub(super) open: Option<Spanned<OpenModel>>,
    /// Call people until enough have come.
    #[schemars(with = "Option<SummonModel>")]
    pub(super) summon: Option<Spanned<SummonModel>>,
    /// Join the call that summoned this one.
    #[schemars(with = "Option<JoinModel>")]
    pub(super) join: Option<Spanned<JoinModel>>,
    /// Stay while others talk.
    #[schemars(with = "Option<AttendModel>")]
    pub(super) attend: Option<Spanned<AttendModel>>,
    /// Silence others.
    #[schemars(with = "Option<MuteModel>")]
    pub(super) mute: Option<Spanned<MuteModel>>,
    /// Put one on hold.
    #[schemars(with = "Option<HoldModel>")]
    pub(super) hold: Option<Spanned<HoldModel>>,
    /// Take one back from hold.
    #[schemars(with = "Option<HoldModel>")]
    pub(super) resume: Option<Spanned<HoldModel>>,
    /// Play what `record` kept.
    #[schemars(with = "Option<PlayBackModel>")]
    pub(super) play_back: Option<Spanned<PlayBackModel>>,
    /// Hand what `record` kept to a web service.
    #[schemars(with = "Option<WebhookModel>")]
    pub(super) deliver: Option<Spanned<WebhookModel>>,
    /// Hand the caller's next words to the engine, or keep them for `play_back` and
    /// `deliver`.
    #[schemars(with = "Option<RecordModel>")]
    pub(super) record: Option<Spanned<RecordModel>>,
    /// Let a voice agent talk with the caller.
    #[schemars(with = "Option<StreamModel>")]
    pub(super) stream: Option<Spanned<StreamModel>>,
    /// Ask a web service.
    #[schemars(with = "Option<WebhookModel>")]
    pub(super) webhook: Option<Spanned<WebhookModel>>,
    /// End the call.
    pub(super) hang_up: Option<bool>,
}

fn yes() -> bool {
    true
}

/// Whether to refuse a call, or why.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum RejectModel {
    /// `true`: without a reason.
    Plain(bool),
    /// With one.
    Because(Refusal),
}

/// Why a call is refused (Graph's `rejectReason`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Refusal {
    /// No reason.
    None,
    /// Busy; the caller's voicemail may follow.
    Busy,
    /// The caller may not call.
    Forbidden,
}

/// What the caller may choose, and how.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListenModel {
    /// Keys to nodes.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(super) keys: BTreeMap<Name, Name>,
    /// The engine's intents to nodes.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(super) intents: BTreeMap<String, Name>,
    /// Intents of less confidence don't count.
    #[serde(default = "half")]
    pub(super) confidence: f32,
    /// Words or phrases in what was said to nodes.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(super) keywords: BTreeMap<Name, Name>,
    /// Where angry callers go.
    #[schemars(with = "Option<SentimentModel>")]
    pub(super) sentiment: Option<Spanned<SentimentModel>>,
    /// How long the caller may think, in seconds.
    #[serde(default = "ten")]
    #[schemars(with = "f64")]
    pub(super) timeout: Spanned<f64>,
    /// How often the prompt is repeated after a time-out or a wrong choice.
    #[serde(default = "two")]
    pub(super) retries: u8,
    /// Said before the repetition after a wrong choice.
    #[schemars(with = "Option<String>")]
    pub(super) sorry: Option<Name>,
    /// Said after a time-out instead of the node's prompt.
    #[schemars(with = "Option<String>")]
    pub(super) remind: Option<Name>,
    /// Whether speech stops the prompt. If not, it doesn't count while one plays.
    #[serde(default = "yes")]
    pub(super) barge_in: bool,
    /// Where Graph handles the media: how long a pause ends what is said, in seconds.
    #[serde(default = "two_seconds")]
    #[schemars(with = "f64")]
    pub(super) pause: Spanned<f64>,
    /// There, too: whether a beep tells the caller to speak.
    #[serde(default)]
    pub(super) beep: bool,
    /// After the last time-out.
    #[schemars(with = "Option<String>")]
    pub(super) on_timeout: Option<Name>,
    /// After the last wrong choice.
    #[schemars(with = "Option<String>")]
    pub(super) on_invalid: Option<Name>,
    /// While the engine is down. Nodes with keys stay without it.
    #[schemars(with = "Option<String>")]
    pub(super) on_engine_down: Option<Name>,
}

fn half() -> f32 {
    0.5
}

fn ten() -> Spanned<f64> {
    Spanned::new(0..0, 10.0)
}

fn two() -> u8 {
    2
}

fn two_seconds() -> Spanned<f64> {
    Spanned::new(0..0, 2.0)
}

/// A threshold of the caller's mood.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SentimentModel {
    /// −1 (very negative) to 1.
    pub(super) below: f32,
    /// Where such callers go.
    #[schemars(with = "String")]
    pub(super) goto: Name,
}

/// Several keys: a number, a PIN.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CollectModel {
    /// What the keys are called in web hooks.
    #[schemars(with = "String")]
    pub(super) into: Name,
    /// The fewest.
    #[serde(default = "one")]
    pub(super) min: u8,
    /// The most; collecting ends with them.
    pub(super) max: u8,
    /// The key that ends collecting.
    #[schemars(with = "Option<String>")]
    pub(super) terminator: Option<Name>,
    /// How long the caller may take for the first key, in seconds.
    #[serde(default = "ten")]
    #[schemars(with = "f64")]
    pub(super) timeout: Spanned<f64>,
    /// How long for each further key, in seconds.
    #[serde(default = "three")]
    #[schemars(with = "f64")]
    pub(super) between: Spanned<f64>,
    /// How often the prompt is repeated after a time-out or too few keys.
    #[serde(default = "two")]
    pub(super) retries: u8,
    /// Keeps the keys from logs, page and engine; web hooks still get them.
    #[serde(default)]
    pub(super) secret: bool,
    /// Said before the repetition after too few keys.
    #[schemars(with = "Option<String>")]
    pub(super) sorry: Option<Name>,
    /// When they are there.
    #[schemars(with = "String")]
    pub(super) next: Name,
    /// After the last time-out.
    #[schemars(with = "Option<String>")]
    pub(super) on_timeout: Option<Name>,
    /// After the last attempt with too few keys.
    #[schemars(with = "Option<String>")]
    pub(super) on_invalid: Option<Name>,
}

fn one() -> u8 {
    1
}

fn three() -> Spanned<f64> {
    Spanned::new(0..0, 3.0)
}

/// A case of a branch: all that is given must hold; with nothing given it always
/// holds.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CaseModel {
    /// The caller's user id, or what it begins with before a `*`; one or a list.
    pub(super) caller: Option<OneOrMany>,
    /// The caller's phone number, likewise (`+31*`).
    pub(super) number: Option<OneOrMany>,
    /// The number that was called, likewise.
    pub(super) called: Option<OneOrMany>,
    /// Whether the caller has neither.
    pub(super) anonymous: Option<bool>,
    /// The caller has called often lately.
    pub(super) often: Option<OftenModel>,
    /// The caller's language, or what it begins with (`de`).
    pub(super) language: Option<String>,
    /// One of the opening hours.
    #[schemars(with = "Option<String>")]
    pub(super) hours: Option<Name>,
    /// A contact who must be available, or a team of which somebody must be.
    #[schemars(with = "Option<String>")]
    pub(super) present: Option<Name>,
    /// How many others must be in the call at least.
    pub(super) people: Option<u16>,
    /// Where it leads.
    #[schemars(with = "String")]
    pub(super) goto: Name,
}

/// One pattern, or several of which one must fit.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    pub(super) fn patterns(&self) -> Vec<String> {
        match self {
            Self::One(pattern) => vec![pattern.clone()],
            Self::Many(patterns) => patterns.clone(),
        }
    }
}

/// How often is often; the call that comes in counts.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OftenModel {
    /// At least so many calls, 2 to 50,
    pub(super) calls: u8,
    /// within so many seconds, up to 3600.
    pub(super) within: u16,
}

/// Passing the call on.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TransferModel {
    /// A contact.
    #[schemars(with = "String")]
    pub(super) to: Name,
    /// When nobody answers there.
    #[schemars(with = "Option<String>")]
    pub(super) on_failed: Option<Name>,
}

/// A short response in the caller's own words.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordModel {
    /// How long it may be, in seconds.
    #[serde(default = "ten")]
    #[schemars(with = "f64")]
    pub(super) seconds: Spanned<f64>,
    /// Keep it, in memory and for this call alone, instead of handing it to the engine.
    #[serde(default)]
    pub(super) keep: bool,
    /// How long a pause ends what is kept, in seconds.
    #[serde(default = "three")]
    #[schemars(with = "f64")]
    pub(super) pause: Spanned<f64>,
    /// The key that ends what is kept.
    #[schemars(with = "Option<String>")]
    pub(super) stop: Option<Name>,
    /// When it is over.
    #[schemars(with = "String")]
    pub(super) next: Name,
    /// When nothing was said that could be kept.
    #[schemars(with = "Option<String>")]
    pub(super) on_empty: Option<Name>,
}

/// Playing what was kept.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlayBackModel {
    /// When it was played, or a key interrupted it.
    #[schemars(with = "String")]
    pub(super) next: Name,
}

/// A voice agent that hears the caller and is heard, over one of the streaming protocols.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamModel {
    /// An agent of the settings.
    #[schemars(with = "String")]
    pub(super) to: Name,
    /// Keys that end it, to nodes; the agent gets all others.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(super) keys: BTreeMap<Name, Name>,
    /// When the agent has finished.
    #[schemars(with = "Option<String>")]
    pub(super) next: Option<Name>,
    /// When it can't be reached, or is lost.
    #[schemars(with = "Option<String>")]
    pub(super) on_failed: Option<Name>,
}

/// A question to a web service: a POST with what was collected.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookModel {
    /// Where, `https://` (or `http://` on this machine).
    #[schemars(with = "String")]
    pub(super) url: Name,
    /// How long it may take, in seconds.
    #[serde(default = "ten")]
    #[schemars(with = "f64")]
    pub(super) timeout: Spanned<f64>,
    /// Its answer's `result` to nodes.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(super) results: BTreeMap<String, Name>,
    /// After any other answer.
    #[schemars(with = "Option<String>")]
    pub(super) next: Option<Name>,
    /// When it fails or is late.
    #[schemars(with = "Option<String>")]
    pub(super) on_failed: Option<Name>,
}
