//! What Prometheus reads. Nothing of a call's media is in it, and nobody's name.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use switchboard_store::{Counts, StoreError};

use super::Shared;
use super::health::{PATIENCE, late};
use super::problem::Problem;
use super::request::Reader;
use crate::figures::Figure;

/// Figures for Prometheus (text format 0.0.4). Without a database those of reminders are left
/// out.
#[utoipa::path(
    get, path = "/api/v1/metrics", tag = "operations", security(("key" = []), ("token" = [])),
    responses(
        (status = 200, description = "They", body = String, content_type = "text/plain"),
        (status = 401, description = "No key or token", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "Access tokens can't be checked now", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub(super) async fn metrics(Reader(_): Reader, State(api): State<Shared>) -> Response {
    let ask = async {
        let counts = api.store.counts().await?;
        Ok::<_, StoreError>((counts, api.store.next_wake().await?))
    };
    let told = tokio::time::timeout(PATIENCE, ask).await.ok();
    let told = told.and_then(Result::ok);
    let (open, calls) = (api.switch.is_open(), api.switch.calls().len());
    let mut text = standing(calls, open, told.is_some());
    if let Some((counts, wake)) = told {
        text += &reminders(counts, wake, api.clock.now());
    }
    text += &confinement(&api.sandbox);
    text.extend(api.switch.figures().iter().map(Figure::text));
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, kind)], text).into_response()
}

/// What is known without a database, too.
fn standing(calls: usize, open: bool, database: bool) -> String {
    format!(
        "# HELP switchboard_calls Calls that this instance has.\n\
         # TYPE switchboard_calls gauge\n\
         switchboard_calls {calls}\n\
         # HELP switchboard_open Whether this instance takes new calls; 0 while it drains.\n\
         # TYPE switchboard_open gauge\n\
         switchboard_open {}\n\
         # HELP switchboard_database_up Whether the database answers.\n\
         # TYPE switchboard_database_up gauge\n\
         switchboard_database_up {}\n",
        u8::from(open),
        u8::from(database)
    )
}

fn reminders(counts: Counts, wake: Option<Timestamp>, now: Timestamp) -> String {
    let late = late(wake, now);
    format!(
        "# HELP switchboard_reminders Reminders that are stored, by where they stand.\n\
         # TYPE switchboard_reminders gauge\n\
         switchboard_reminders{{state=\"waiting\"}} {}\n\
         switchboard_reminders{{state=\"calling\"}} {}\n\
         switchboard_reminders{{state=\"done\"}} {}\n\
         # HELP switchboard_reminders_late_seconds How long the first one that is due waits.\n\
         # TYPE switchboard_reminders_late_seconds gauge\n\
         switchboard_reminders_late_seconds {late:.3}\n",
        counts.waiting, counts.calling, counts.done
    )
}

/// What the kernel forbids this instance, as a label: what is in it are words.
fn confinement(sandbox: &str) -> String {
    let layers = sandbox.replace(['\\', '"', '\n'], " ");
    format!(
        "# HELP switchboard_sandbox_info Which layers of the sandbox are in force.\n\
         # TYPE switchboard_sandbox_info gauge\n\
         switchboard_sandbox_info{{layers=\"{layers}\"}} 1\n"
    )
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    #[test]
    fn figures_have_prometheus_form() {
        let now = Timestamp::UNIX_EPOCH;
        let counts = Counts {
            waiting: 2,
            calling: 1,
            done: 40,
        };
        insta::assert_snapshot!(reminders(counts, Some(now - 1500.milliseconds()), now), @r#"
        # HELP switchboard_reminders Reminders that are stored, by where they stand.
        # TYPE switchboard_reminders gauge
        switchboard_reminders{state="waiting"} 2
        switchboard_reminders{state="calling"} 1
        switchboard_reminders{state="done"} 40
        # HELP switchboard_reminders_late_seconds How long the first one that is due waits.
        # TYPE switchboard_reminders_late_seconds gauge
        switchboard_reminders_late_seconds 1.500
        "#);
        assert!(reminders(counts, Some(now + 1.hours()), now).ends_with("_seconds 0.000\n"));
        assert!(reminders(counts, None, now).ends_with("_seconds 0.000\n"));
    }

    #[test]
    fn calls_and_the_database_are_told() {
        insta::assert_snapshot!(standing(7, true, false), @r"
        # HELP switchboard_calls Calls that this instance has.
        # TYPE switchboard_calls gauge
        switchboard_calls 7
        # HELP switchboard_open Whether this instance takes new calls; 0 while it drains.
        # TYPE switchboard_open gauge
        switchboard_open 1
        # HELP switchboard_database_up Whether the database answers.
        # TYPE switchboard_database_up gauge
        switchboard_database_up 0
        ");
    }

    #[test]
    fn the_layers_in_force_are_told() {
        insta::assert_snapshot!(confinement("confined: memory on, files off"), @r#"
        # HELP switchboard_sandbox_info Which layers of the sandbox are in force.
        # TYPE switchboard_sandbox_info gauge
        switchboard_sandbox_info{layers="confined: memory on, files off"} 1
        "#);
        let info = confinement("a \"b\\c\n");
        assert!(info.ends_with("{layers=\"a  b c \"} 1\n"), "{info}");
    }
}
