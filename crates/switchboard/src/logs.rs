//! Logs, to standard error: text for people, or JSON for programs.

use std::io::IsTerminal as _;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use switchboard_signaling::spans::TARGET;
use tracing_subscriber::filter::Directive;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::output;

/// What lines of the log look like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// An object a line.
    Json,
}

/// The `[log]` part of the settings.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogSettings {
    pub(crate) format: LogFormat,
}

/// Makes traces of spans.
pub(crate) type TraceLayer = Box<dyn Layer<Registry> + Send + Sync>;

pub(crate) fn init(format: LogFormat, traces: Option<TraceLayer>) {
    let colours = std::io::stderr().is_terminal();
    let logs = fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    let logs = match format {
        LogFormat::Text => logs.boxed(),
        LogFormat::Json => logs
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .boxed(),
    };
    tracing_subscriber::registry()
        .with(traces)
        .with(logs.with_filter(filter()))
        .init();
    output::hint_as(format);
}

/// What `RUST_LOG` chooses, warnings otherwise. The spans of calls are on in any case: without
/// them a line doesn't say of which call it is.
fn filter() -> EnvFilter {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    match format!("{TARGET}=info").parse::<Directive>() {
        Ok(spans) => filter.add_directive(spans),
        Err(_) => filter,
    }
}
