//! A scenario as it is written: TOML tables with their places in the file.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::faults::Rule;
use crate::network::Direction;

/// A text with its place.
pub(super) type Text = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScenarioModel {
    /// What is tried, in words.
    pub(super) name: Option<String>,
    /// How long all of it may take.
    pub(super) limit: Option<Text>,
    /// Rules of the judge that may be broken.
    #[serde(default)]
    pub(super) overlook: Vec<Text>,
    /// Faults on demand, as `POST /admin/faults` takes them.
    #[serde(default)]
    pub(super) faults: Vec<Spanned<Rule>>,
    /// Meetings that are not as new ones are, by name.
    #[serde(default)]
    pub(super) meetings: BTreeMap<String, MeetingModel>,
    /// Who takes part.
    pub(super) people: BTreeMap<String, Spanned<PersonModel>>,
}

/// Whom a meeting's lobby keeps.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MeetingModel {
    /// A `lobbyBypassScope`.
    pub(super) lobby: Text,
    /// Names of people who are invited, each with an `id`.
    #[serde(default)]
    pub(super) invited: Vec<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PersonModel {
    /// `caller` (the default) or `agent`.
    pub(super) role: Option<Text>,
    /// The user's object id, by which bots can call them; made up if not given.
    pub(super) id: Option<Text>,
    /// The user's tenant; that of the first application if not given.
    pub(super) tenant: Option<Text>,
    pub(super) steps: Vec<Spanned<StepModel>>,
}

/// One step: exactly one thing to do, wait for or expect.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepModel {
    pub(super) call: Option<Text>,
    pub(super) accept: Option<Spanned<bool>>,
    pub(super) decline: Option<Spanned<bool>>,
    pub(super) hang_up: Option<Spanned<bool>>,
    pub(super) admit: Option<Text>,
    pub(super) say: Option<Text>,
    pub(super) press: Option<Text>,
    pub(super) pause: Option<Text>,
    pub(super) hear: Option<Text>,
    pub(super) hear_keys: Option<Text>,
    pub(super) reach: Option<Text>,
    pub(super) together: Option<Text>,
    pub(super) network: Option<Spanned<NetworkModel>>,
    pub(super) advance_clock: Option<Text>,
    pub(super) expect_state: Option<Text>,
    pub(super) expect_energy: Option<Spanned<EnergyModel>>,
    pub(super) expect_duration: Option<Spanned<DurationModel>>,
    pub(super) expect_end: Option<Spanned<i32>>,
    /// With `hear`, `hear_keys`, `reach`, `accept`, `decline`, `admit`, `expect_end`: the
    /// longest wait.
    pub(super) within: Option<Text>,
    /// With `hear = "silence"` and `expect_energy`: how long.
    #[serde(rename = "for")]
    pub(super) span: Option<Text>,
    /// With `press`: as `events` (RFC 4733, the default) or `tones` in the audio.
    #[serde(rename = "as")]
    pub(super) manner: Option<Text>,
    /// With `say`: whether the next step begins at once.
    pub(super) background: Option<Spanned<bool>>,
}

/// Bounds of the mean level in dBov.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnergyModel {
    pub(super) above: Option<f32>,
    pub(super) below: Option<f32>,
}

/// Bounds of how long the call was established.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DurationModel {
    pub(super) at_least: Option<Text>,
    pub(super) at_most: Option<Text>,
}

/// What the person's packets suffer from now on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NetworkModel {
    pub(super) direction: Option<Direction>,
    #[serde(default)]
    pub(super) loss: f64,
    #[serde(default)]
    pub(super) burst: f64,
    #[serde(default)]
    pub(super) delay_ms: u64,
    #[serde(default)]
    pub(super) jitter_ms: u64,
    #[serde(default)]
    pub(super) reorder: f64,
    #[serde(default)]
    pub(super) duplicate: f64,
    #[serde(default)]
    pub(super) stall: bool,
    #[serde(default)]
    pub(super) address_change: bool,
}
