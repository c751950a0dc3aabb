//! Traces of calls, for a collector: OTLP, as protobuf over HTTP.
//!
//! Spans wait for a thread of the SDK's in a bounded queue, calls for nothing. What finds no
//! room there, or no collector, is lost and counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData};
use opentelemetry_sdk::{Resource, trace};
use serde::{Deserialize, Serialize};
use switchboard_signaling::spans::TARGET;
use tokio::runtime::Handle;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::{Layer as _, Registry};
use url::{Host, Url};

use crate::logs::TraceLayer;

/// How long one exchange with the collector may take.
const EXCHANGE: Duration = Duration::from_secs(5);
/// How long the last spans may take, when the bot ends.
const LAST: Duration = Duration::from_secs(3);

/// Where traces go.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TelemetrySettings {
    /// The collector's base address, which `/v1/traces` comes after.
    pub(super) otlp: Url,
}

/// Why there can be no traces.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TelemetryError {
    /// Without the address: it may hold a password.
    #[error(
        "telemetry.otlp must be http or https, without user or password, such as \
         http://127.0.0.1:4318; secrets go into OTEL_EXPORTER_OTLP_HEADERS"
    )]
    Address,
    #[error("the HTTP client for traces cannot be set up")]
    Client(#[source] reqwest::Error),
    #[error("traces cannot be exported")]
    Exporter(#[from] ExporterBuildError),
}

impl TelemetrySettings {
    pub(super) fn check(&self) -> Result<(), TelemetryError> {
        let url = &self.otlp;
        let http = matches!(url.scheme(), "http" | "https") && url.host().is_some();
        let open = url.username().is_empty() && url.password().is_none();
        match http && open && url.query().is_none() && url.fragment().is_none() {
            true => Ok(()),
            false => Err(TelemetryError::Address),
        }
    }

    fn traces(&self) -> String {
        format!("{}/v1/traces", self.otlp.as_str().trim_end_matches('/'))
    }
}

/// Traces that are exported; to be closed at the end.
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts the exporting thread. In a runtime, which the exchanges run on.
    pub(super) fn start(
        settings: &TelemetrySettings,
        instance: Option<&str>,
    ) -> Result<Self, TelemetryError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector {
                http: client(&settings.otlp).map_err(TelemetryError::Client)?,
                runtime: Handle::current(),
            })
            .with_endpoint(settings.traces())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(EXCHANGE)
            .build()?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(Telling {
                exporter,
                failures: AtomicU64::new(0),
                lost: AtomicU64::new(0),
            })
            .with_resource(resource(instance))
            .build();
        Ok(Self(provider))
    }

    /// What makes traces of spans: of those alone that are meant to be exported.
    pub(super) fn layer(&self) -> TraceLayer {
        let spans = filter_fn(|metadata| metadata.is_span() && metadata.target() == TARGET);
        tracing_opentelemetry::layer::<Registry>()
            .with_tracer(self.0.tracer("switchboard"))
            .with_context_activation(false)
            .with_location(false)
            .with_target(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(spans.with_max_level_hint(LevelFilter::INFO))
            .boxed()
    }

    /// Exports what is left.
    pub(super) async fn close(self) {
        let closing = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(LAST));
        if let Ok(Err(error)) = closing.await {
            tracing::warn!(%error, "the last traces may be lost");
        }
    }
}

/// Whose spans they are; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` add to it.
fn resource(instance: Option<&str>) -> Resource {
    let name = std::env::var("OTEL_SERVICE_NAME").unwrap_or_default();
    let name = match name.is_empty() {
        true => "switchboard".to_owned(),
        false => name,
    };
    let instance = instance.map(|name| KeyValue::new("service.instance.id", name.to_owned()));
    Resource::builder()
        .with_service_name(name)
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attributes(instance)
        .build()
}

/// Follows no redirection, which would take the headers along, and reaches this machine
/// without a proxy.
fn client(collector: &Url) -> reqwest::Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(EXCHANGE);
    let here = match collector.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    };
    match here {
        true => builder.no_proxy().build(),
        false => builder.build(),
    }
}

/// The way to the collector.
#[derive(Debug)]
struct Collector {
    http: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Collector {
    /// Its status and headers; what it says besides is not read.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let http = self.http.clone();
        // The exporting thread has no reactor of its own.
        let exchange = self
            .runtime
            .spawn(async move { http.execute(request).await });
        let answered = exchange.await??;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = answered.status();
        *response.headers_mut() = answered.headers().clone();
        Ok(response)
    }
}

/// Tells of failures the 1st, 2nd, 4th, 8th … time: a collector may be away for days.
#[derive(Debug)]
struct Telling<E> {
    exporter: E,
    failures: AtomicU64,
    lost: AtomicU64,
}

impl<E: trace::SpanExporter> trace::SpanExporter for Telling<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len() as u64;
        let Err(error) = self.exporter.export(batch).await else {
            return Ok(());
        };
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        let lost = self.lost.fetch_add(spans, Ordering::Relaxed) + spans;
        if failures.is_power_of_two() {
            tracing::warn!(%error, failures, lost, "the collector did not take traces");
        }
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
