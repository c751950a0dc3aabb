//! A room's media: a session for every phone and every application that handles its
//! own, all of them in one conference. One task a room, from its first action to its
//! end.

use std::collections::HashMap;
use std::sync::Arc;

use secrecy::SecretString;
use switchboard_transport::whip::{MediaBlob, WhipClient};
use switchboard_transport::{Session, SessionEvent, Transport};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use url::Url;

use super::Hub;
use crate::cloud::{RoomAction, RoomReport};

/// Session events that may wait for the room's task.
const EVENTS: usize = 256;

/// Runs a room's media until its queue is closed or the emulator stops.
pub(super) async fn run(
    hub: Arc<Hub>,
    room: String,
    mut actions: mpsc::Receiver<RoomAction>,
    at_work: Option<mpsc::Sender<()>>,
) {
    let (outlet, mut events) = mpsc::channel(EVENTS);
    let mut media = RoomMedia {
        hub: Arc::clone(&hub),
        room,
        legs: HashMap::new(),
        jobs: JoinSet::new(),
        outlet,
    };
    loop {
        tokio::select! {
            action = actions.recv() => match action {
                Some(action) => media.act(action),
                None => break,
            },
            Some(Ok(job)) = media.jobs.join_next() => media.done(job),
            Some((seat, event)) = events.recv() => media.session_event(seat, event),
            () = hub.stopped() => break,
        }
    }
    media.jobs.abort_all();
    let seats: Vec<u32> = media.legs.keys().copied().collect();
    for seat in seats {
        media.leave(seat);
    }
    // What is still told to the applications' media endpoints.
    while media.jobs.join_next().await.is_some() {}
    drop(at_work);
}

struct RoomMedia {
    hub: Arc<Hub>,
    room: String,
    legs: HashMap<u32, Leg>,
    /// Dropped with the room, which ends what is under way.
    jobs: JoinSet<Job>,
    outlet: mpsc::Sender<(u32, SessionEvent)>,
}

/// One seat's session.
#[derive(Default)]
struct Leg {
    session: Option<AbortHandle>,
    /// Where an application's session can be ended.
    bot: Option<(Url, SecretString)>,
}

/// Something that took time.
enum Job {
    Hosted(u32, Result<(Session, String), String>),
    Called(u32, Result<Called, String>),
    Over,
}

/// A session with an application's media endpoint.
struct Called {
    session: Session,
    location: Url,
    token: SecretString,
}

impl RoomMedia {
    fn report(&self, report: RoomReport) {
        self.hub
            .apply(|cloud, now| cloud.room_report(&self.room, report, now));
    }

    fn act(&mut self, action: RoomAction) {
        match action {
            RoomAction::Host { seat, sdp } => {
                self.legs.insert(seat, Leg::default());
                let transport = self.hub.settings.transport.clone();
                self.jobs.spawn(async move {
                    let answer = transport.answer(&sdp).await;
                    Job::Hosted(seat, answer.map_err(|error| error.to_string()))
                });
            }
            RoomAction::Call { seat, blob } => {
                self.legs.insert(seat, Leg::default());
                let transport = self.hub.settings.transport.clone();
                let whip = self.hub.whip.clone();
                self.jobs
                    .spawn(async move { Job::Called(seat, call(transport, whip, blob).await) });
            }
            RoomAction::Serve { seat } => {
                self.legs.insert(seat, Leg::default());
                self.report(RoomReport::Connected { seat });
            }
            RoomAction::Leave { seat } => self.leave(seat),
            _ => {}
        }
    }

    fn done(&mut self, job: Job) {
        match job {
            Job::Hosted(seat, Ok((session, sdp))) => {
                if self.admit(seat, session) {
                    self.report(RoomReport::Hosted { seat, sdp });
                }
            }
            Job::Called(seat, Ok(called)) => self.called(seat, called),
            Job::Hosted(seat, Err(why)) | Job::Called(seat, Err(why)) => {
                self.report(RoomReport::Failed { seat, why });
            }
            Job::Over => {}
        }
    }

    fn called(&mut self, seat: u32, called: Called) {
        let bot = (called.location, called.token);
        if self.admit(seat, called.session) {
            if let Some(leg) = self.legs.get_mut(&seat) {
                leg.bot = Some(bot);
            }
            self.report(RoomReport::Connected { seat });
        } else {
            // It has left meanwhile.
            self.dismiss(bot);
        }
    }

    /// Takes a session in, if its seat is still there.
    fn admit(&mut self, seat: u32, session: Session) -> bool {
        let Some(leg) = self.legs.get_mut(&seat) else {
            return false;
        };
        let task = follow(seat, session, self.outlet.clone());
        leg.session = Some(self.jobs.spawn(task));
        true
    }

    fn session_event(&mut self, seat: u32, event: SessionEvent) {
        if !self.legs.contains_key(&seat) {
            return;
        }
        match event {
            SessionEvent::Media(event) => self.report(RoomReport::Heard { seat, event }),
            SessionEvent::Connected => {}
            SessionEvent::Closed(_) => self.report(RoomReport::Lost { seat }),
        }
    }

    fn leave(&mut self, seat: u32) {
        let Some(leg) = self.legs.remove(&seat) else {
            return;
        };
        if let Some(session) = leg.session {
            session.abort();
        }
        if let Some(bot) = leg.bot {
            self.dismiss(bot);
        }
    }

    /// Ends an application's session at its endpoint.
    fn dismiss(&mut self, (location, token): (Url, SecretString)) {
        let whip = self.hub.whip.clone();
        self.jobs.spawn(async move {
            if let Err(error) = whip.delete(&location, &token).await {
                tracing::debug!(%error, "the bot's media session was not ended");
            }
            Job::Over
        });
    }
}

/// Offers a session of the cloud's own to an application's media endpoint.
async fn call(transport: Transport, whip: WhipClient, blob: MediaBlob) -> Result<Called, String> {
    let (offer, sdp) = transport.offer().await.map_err(|error| error.to_string())?;
    let answer = whip.offer(&blob, &sdp).await;
    let answer = answer.map_err(|error| error.to_string())?;
    let session = offer.accept(&answer.sdp).await;
    Ok(Called {
        session: session.map_err(|error| error.to_string())?,
        location: answer.location,
        token: blob.token,
    })
}

/// Hands a session's events on until it is over; dropping it ends the session.
async fn follow(seat: u32, mut session: Session, outlet: mpsc::Sender<(u32, SessionEvent)>) -> Job {
    while let Some(event) = session.event().await {
        if outlet.send((seat, event)).await.is_err() {
            break;
        }
    }
    Job::Over
}
