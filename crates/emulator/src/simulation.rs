//! The emulator without sockets and media, on tokio's clock: what a deterministic simulation
//! runs. Everything else is the emulator: identity, Graph's HTTP, notifications, faults, judge.

use std::sync::{Arc, OnceLock};

use axum::Router;
use switchboard_media::event::{Digit, DigitSource, MediaEvent};
use switchboard_signaling::carrier::Http;
use switchboard_transport::whip::WhipClient;
use url::Url;

use crate::cloud::{Leg, MediaReport};
use crate::config::{EmulatorConfig, EmulatorError};
use crate::emulator::{hub, phone, router};
use crate::identity::KeyRing;
use crate::phone::{Phone, PhoneRole, PhoneUser};
use crate::shell::{Counts, Hub, Outside};

/// How long a key is down.
const KEY_MS: u64 = 100;

/// An emulator whose requests come from, and whose notifications go to, a simulation.
///
/// Media is told of, not made: a session stands 50 ms after it was asked for, and what is
/// played takes two seconds. Nothing is random but what the seed makes so; the keys that sign
/// are the same for all simulations of a process, since to make one takes a tenth of a second.
pub struct Simulation {
    hub: Arc<Hub>,
}

impl Simulation {
    /// An emulator that is reached at `base`, whose requests go by `http`. To be called on a
    /// runtime whose clock is stopped.
    ///
    /// # Errors
    /// [`EmulatorError`]: a webhook is no address, no key can be made.
    pub fn start(config: EmulatorConfig, base: Url, http: Http) -> Result<Self, EmulatorError> {
        static KEYS: OnceLock<Option<(KeyRing, KeyRing, WhipClient)>> = OnceLock::new();
        let made = KEYS.get_or_init(|| {
            let keys = (KeyRing::generate().ok()?, KeyRing::generate().ok()?);
            Some((keys.0, keys.1, WhipClient::new().ok()?))
        });
        let Some((key, stranger, whip)) = made.clone() else {
            return Err(EmulatorError::Key("no key can be made"));
        };
        let outside = Outside {
            http,
            whip,
            simulated: true,
        };
        let hub = hub(config, base, key, outside)?;
        hub.identity().set_stranger(stranger);
        tokio::spawn(Arc::clone(&hub).keep_time());
        Ok(Self { hub })
    }

    /// What is served.
    pub fn router(&self) -> Router {
        router(&self.hub)
    }

    /// A phone; what it offers as SDP is not looked at.
    pub fn phone(&self, name: &str, role: PhoneRole) -> Phone {
        phone(&self.hub, &PhoneUser::default(), name, role)
    }

    /// The caller of a call presses a key, which the cloud hears where media is in its hands.
    pub fn press(&self, call: &str, digit: Digit) {
        let source = DigitSource::Rtp;
        let start_ms = 0;
        let down = MediaEvent::DigitStart {
            digit,
            source,
            start_ms,
        };
        let up = MediaEvent::DigitEnd {
            digit,
            source,
            start_ms,
            duration_ms: KEY_MS,
        };
        for event in [down, up] {
            let leg = Leg::Caller;
            let heard = MediaReport::Heard { leg, event };
            self.hub
                .apply(|cloud, now| cloud.media_report(call, heard, now));
        }
    }

    /// What production would punish, as `rule: call: detail`.
    pub fn verdicts(&self) -> Vec<String> {
        self.hub.judge(|judge| {
            let verdicts = judge.since(0);
            verdicts
                .map(|found| format!("{}: {}: {}", found.rule.name(), found.call, found.detail))
                .collect()
        })
    }

    /// How much is alive.
    pub fn counts(&self) -> Counts {
        self.hub.counts()
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        self.hub.let_go();
    }
}
