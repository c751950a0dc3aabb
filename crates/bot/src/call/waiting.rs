//! What a call's task waits for, for ever where it isn't there.

use std::time::Instant;

use switchboard_transport::whip::Reservation;
use switchboard_transport::{Session, SessionEvent};

use super::Hook;
use super::keeping::Preparing;
use super::recording::Fetching;
use super::teams::Picking;
use crate::flow::Contact;
use crate::prompts::{Recording, Sound};
use crate::speech::{Line, Spoken};

pub(super) async fn offered(reservation: Option<&mut Reservation>) -> Option<Session> {
    match reservation {
        Some(reservation) => reservation.session().await,
        None => std::future::pending().await,
    }
}

pub(super) async fn media(session: Option<&mut Session>) -> Option<SessionEvent> {
    match session {
        Some(session) => session.event().await,
        None => std::future::pending().await,
    }
}

pub(super) async fn spoken(line: Option<&mut Line>) -> Spoken {
    match line {
        Some(line) => line.event().await,
        None => std::future::pending().await,
    }
}

pub(super) async fn hook(hook: Option<&mut Hook>) -> Option<String> {
    match hook {
        Some(hook) => (&mut hook.answer).await.ok().flatten(),
        None => std::future::pending().await,
    }
}

pub(super) async fn recorded(fetching: Option<&mut Fetching>) -> Option<Sound> {
    match fetching {
        Some(fetching) => fetching.sound().await,
        None => std::future::pending().await,
    }
}

pub(super) async fn picked(picking: Option<&mut Picking>) -> Option<Contact> {
    match picking {
        Some(picking) => picking.who().await,
        None => std::future::pending().await,
    }
}

pub(super) async fn prepared(preparing: Option<&mut Preparing>) -> Option<Recording> {
    match preparing {
        Some(preparing) => preparing.recording().await,
        None => std::future::pending().await,
    }
}

pub(super) async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
