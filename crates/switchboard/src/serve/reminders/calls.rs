//! Reminders as calls of the bot: a small flow for each.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use switchboard_bot::flow::{Contact, Flow, literal};
use switchboard_bot::speech::Synthesizer;
use switchboard_bot::{self as bot, CallReport, OutgoingCall, PlacedCall, Script};
use switchboard_reminders::{Ending, Target, Verdict};
use switchboard_service::{DialError, Dialer, Order, Placed, Progress};
use switchboard_signaling::call::Cause;
use switchboard_signaling::error::{GraphError, Outcome};
use switchboard_signaling::spans::TARGET;
use switchboard_signaling::types::CallId;
use tokio::sync::mpsc;
use tracing::{Instrument as _, Span, field};

use super::settings::ReminderSettings;

/// News of a call that may wait for the database.
const WAITING_NEWS: usize = 8;
/// Outcomes of the flow.
const CONFIRMED: &str = "confirmed";
const POSTPONED: &str = "postponed";
/// Graph's code of a call to a user or number that isn't there.
const NOT_FOUND: i32 = 404;
/// What the list of live calls says.
const NAME: &str = "reminder";

/// What a call is made of.
pub(in crate::serve) struct Making {
    settings: ReminderSettings,
    directory: PathBuf,
    voice: Option<Arc<Synthesizer>>,
    numbers: Vec<String>,
}

/// Places calls by the bot.
pub(in crate::serve) struct BotCalls {
    dialer: bot::Dialer,
    making: Making,
}

impl Making {
    pub(in crate::serve) fn new(
        settings: &ReminderSettings,
        directory: &Path,
        voice: Option<Arc<Synthesizer>>,
        numbers: Vec<String>,
    ) -> Self {
        Self {
            numbers,
            settings: settings.clone(),
            directory: directory.to_owned(),
            voice,
        }
    }

    /// In whose name phone numbers can be called.
    pub(in crate::serve) fn numbers(&self) -> &[String] {
        &self.numbers
    }

    pub(in crate::serve) fn has_voice(&self) -> bool {
        self.voice.is_some()
    }

    /// The flow of one call, in TOML.
    pub(super) fn flow(&self, order: &Order) -> String {
        let settings = &self.settings;
        let (language, media) = (quoted(&settings.language), quoted(&settings.media));
        let mut flow = format!(
            "start = \"message\"\notherwise = \"end\"\nlanguage = {language}\nmedia = {media}\n"
        );
        if let Some(from) = self.from(order) {
            let _ = writeln!(flow, "from = {}", quoted(from));
        }
        let recording = |name: &str| settings.prompts.get(name);
        let message = order.prompt.as_deref().and_then(recording);
        prompt(&mut flow, "message", message, order.text.as_deref());
        let texts = [
            ("thanks", &settings.thanks),
            ("later", &settings.later),
            ("goodbye", &settings.goodbye),
        ];
        let mut said = [""; 3];
        for ((name, text), say) in texts.into_iter().zip(&mut said) {
            let text = Some(text.as_str()).filter(|text| self.has_voice() && !text.is_empty());
            if prompt(&mut flow, name, recording(name), text) {
                *say = name;
            }
        }
        let mut keys = format!("\"{}\" = \"{CONFIRMED}\"", order.confirm.get());
        if let Some(later) = order.postpone {
            let _ = write!(keys, ", \"{}\" = \"{POSTPONED}\"", later.get());
        }
        let _ = write!(
            flow,
            "[nodes.message]\nsay = \"message\"\n\
             listen = {{ keys = {{ {keys} }}, timeout = 8, retries = 1 }}\n"
        );
        for (node, say) in [CONFIRMED, POSTPONED, "end"].into_iter().zip(said) {
            if node == POSTPONED && order.postpone.is_none() {
                continue;
            }
            let _ = write!(flow, "[nodes.{node}]\nhang_up = true\n");
            if node != "end" {
                let _ = writeln!(flow, "outcome = \"{node}\"");
            }
            if !say.is_empty() {
                let _ = writeln!(flow, "say = \"{say}\"\ninterruptible = false");
            }
        }
        flow
    }

    /// The reminder's own choice while there is such a number; it may be gone since.
    fn from<'a>(&'a self, order: &'a Order) -> Option<&'a str> {
        let known = |name: &&String| self.numbers.contains(name);
        let own = order.from.as_ref().filter(known);
        own.or(self.settings.from.as_ref()).map(String::as_str)
    }

    async fn script(&self, order: &Order) -> Result<Script, DialError> {
        let later = |reason: String| DialError::Later {
            reason,
            retry_after: None,
        };
        // What a problem quotes may be the person's name.
        let flow = Flow::parse(&self.flow(order))
            .map_err(|_| later("its flow is wrong: check [reminders]".to_owned()))?;
        let loaded = Script::load(Arc::new(flow), &self.directory, self.voice.clone()).await;
        let loaded = loaded.map_err(|error| later(error.to_string()))?;
        Ok(loaded.named(NAME))
    }
}

/// Adds a prompt, if there is a recording or a text.
fn prompt(flow: &mut String, name: &str, file: Option<&PathBuf>, text: Option<&str>) -> bool {
    let source = match (file, text) {
        (Some(file), _) => format!("file = {}", quoted(&file.display().to_string())),
        (None, Some(text)) => format!("text = {}", quoted(&literal(text))),
        (None, None) => return false,
    };
    let _ = write!(flow, "[prompts.{name}]\n{source}\n");
    true
}

/// A string as TOML has it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

impl BotCalls {
    pub(in crate::serve) fn new(dialer: bot::Dialer, making: Making) -> Self {
        Self { dialer, making }
    }

    async fn place(&self, order: Order) -> Result<Placed, DialError> {
        let script = self.making.script(&order).await?;
        let call = OutgoingCall {
            to: match order.target {
                Target::Phone(phone) => Contact::Phone(phone).into(),
                Target::User(user) => Contact::User(user).into(),
            },
            handler: None,
            script: Some(Arc::new(script)),
            ring_seconds: Some(self.making.settings.ring_seconds),
        };
        let mut placed = self.dialer.place(&call).map_err(|error| match error {
            bot::DialError::Invalid(_) => DialError::Never(error.to_string()),
            _ => DialError::Later {
                reason: error.to_string(),
                retry_after: None,
            },
        })?;
        // Graph answers with the id, or the call is over before it began.
        let (sender, progress) = mpsc::channel(WAITING_NEWS);
        while let Some(news) = placed.news().await {
            if let Some(id) = news.id {
                tokio::spawn(follow(placed, news.outcome, sender).in_current_span());
                let call = id.to_string();
                return Ok(Placed { call, progress });
            }
        }
        let report = placed.ended().await;
        let Some((report, id)) = report.as_ref().and_then(|report| {
            let id = report.id.as_ref()?;
            Some((report, id))
        }) else {
            return Err(not_placed(report.as_ref()));
        };
        // It was over as soon as it began; there is room for one message.
        let _ = sender.try_send(Progress::Ended(traced(ending(report))));
        let call = id.to_string();
        Ok(Placed { call, progress })
    }
}

/// A reminder's call, from its dialling to its end. What the person chose is not in it.
fn span(order: &Order) -> Span {
    tracing::info_span!(
        target: TARGET,
        "reminder",
        reminder.id = %order.reminder,
        reminder.ending = field::Empty,
        otel.status_code = field::Empty,
    )
}

/// Puts how the call ended into the reminder's span, which is the current one.
fn traced(ending: Ending) -> Ending {
    Span::current().record("reminder.ending", field::debug(&ending));
    ending
}

#[async_trait]
impl Dialer for BotCalls {
    async fn dial(&self, order: Order) -> Result<Placed, DialError> {
        let span = span(&order);
        let placed = self.place(order).instrument(span.clone()).await;
        if placed.is_err() {
            span.record("otel.status_code", "ERROR");
        }
        placed
    }

    async fn end(&self, call: &str) -> Result<(), DialError> {
        let unknown = |reason: String| DialError::Unknown(reason);
        let id: CallId = call.parse().map_err(|_| unknown("no call id".to_owned()))?;
        let ended = self.dialer.end(&id).await;
        ended.map_err(|error| unknown(error.to_string()))
    }
}

/// Tells what happens in a call.
async fn follow(mut placed: PlacedCall, outcome: Option<String>, runner: mpsc::Sender<Progress>) {
    let mut told = outcome.as_deref().and_then(verdict);
    if let Some(verdict) = told {
        let _ = runner.send(Progress::Decided(verdict)).await;
    }
    while let Some(news) = placed.news().await {
        let now = news.outcome.as_deref().and_then(verdict);
        if let Some(verdict) = now.filter(|_| now != told) {
            told = now;
            let _ = runner.send(Progress::Decided(verdict)).await;
        }
    }
    // A task that was lost closes the channel: broken off.
    let Some(report) = placed.ended().await else {
        return;
    };
    let last = report.outcome.as_deref().and_then(verdict);
    if let Some(verdict) = last.filter(|_| last != told) {
        let _ = runner.send(Progress::Decided(verdict)).await;
    }
    let _ = runner.send(Progress::Ended(traced(ending(&report)))).await;
}

fn verdict(outcome: &str) -> Option<Verdict> {
    match outcome {
        CONFIRMED => Some(Verdict::Confirmed),
        POSTPONED => Some(Verdict::Postponed),
        _ => None,
    }
}

fn ending(report: &CallReport) -> Ending {
    let Some(end) = report.end.as_deref() else {
        return Ending::Interrupted;
    };
    match &end.cause {
        _ if report.answered => Ending::Answered,
        // It has rung for somebody, and a person has decided that this was enough.
        _ if report.by_hand => Ending::NotAnswered,
        // Nobody but we: while it rang, the bot stopped.
        Cause::HungUp | Cause::Unconfirmed => Ending::Interrupted,
        // Graph takes calls to anybody, and finds out later that there is nobody.
        Cause::Graph if end.code == Some(NOT_FOUND) => Ending::Uncallable,
        _ => Ending::NotAnswered,
    }
}

/// Why a call never got an id.
fn not_placed(report: Option<&CallReport>) -> DialError {
    let cause = report.and_then(|report| report.end.as_deref());
    let Some(Cause::NotCreated(error)) = cause.map(|end| &end.cause) else {
        return DialError::Unknown("its end is not known".to_owned());
    };
    // Graph's message may quote the number.
    let reason = error.status().map_or_else(
        || "no answer from Graph".to_owned(),
        |status| format!("Graph answered {status}"),
    );
    match error.status().map(|status| status.as_u16()) {
        // By our request, or for want of a permission: neither changes by asking again.
        Some(400 | 403 | 404) => DialError::Never(reason),
        _ if error.outcome() == Outcome::MayBeDone => DialError::Unknown(reason),
        _ => DialError::Later {
            reason,
            retry_after: match &**error {
                GraphError::Api(error) => error.retry_after,
                GraphError::Limited { wait, .. } => Some(*wait),
                _ => None,
            },
        },
    }
}
