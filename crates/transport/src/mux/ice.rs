//! The stack's ICE agent behind a gate: a STUN message reaches it only after
//! its integrity was checked, so that nobody without the passwords changes
//! roles, candidates or timers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc::crypto::RTCCryptoProvider;
use rtc::ice::attributes::control::{AttrControlled, AttrControlling};
use rtc::ice::attributes::priority::PriorityAttr;
use rtc::ice::candidate::candidate_host::CandidateHostConfig;
use rtc::ice::candidate::{Candidate, CandidateConfig};
use rtc::ice::mdns::MulticastDnsMode;
use rtc::ice::state::ConnectionState;
use rtc::ice::{Agent, AgentConfig};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use rtc::shared::{TransportContext, TransportMessage, TransportProtocol};
use rtc::stun::attributes::{ATTR_USE_CANDIDATE, ATTR_USERNAME};
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{
    BINDING_REQUEST, CLASS_REQUEST, CLASS_SUCCESS_RESPONSE, Getter, METHOD_BINDING, Message,
    Setter, TransactionId,
};
use rtc::stun::textattrs::TextAttribute;

use super::demux::{Transaction, is_check, transaction};
use super::link::Refused;
use super::outbox::Outbox;
use super::path::Path;

/// A caller who vanished without a word is given up after these two.
const DISCONNECTED_AFTER: Duration = Duration::from_secs(5);
const FAILED_AFTER: Duration = Duration::from_secs(10);
/// How often consent is renewed (RFC 7675 §5.1 allows 4 to 6 s at most apart).
const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// Checks of a pair, one every 200 ms, before it counts as failed. The stack's own eight were
/// lost, all of them, in every two hundredth call through 30 % of loss; then it is never
/// checked again.
const CHECKS: u16 = 30;
/// Remote addresses a call may use in its life.
const MAX_REMOTES: usize = 64;
/// Validated addresses kept at a time.
const MAX_VALIDATED: usize = 8;
/// Priority of a peer-reflexive candidate of the only component (RFC 8445 §5.1.2).
const PEER_REFLEXIVE: u32 = (110 << 24) | (65_535 << 8) | 255;

/// A username fragment and password (RFC 8445 §5.3).
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) fragment: String,
    pub(crate) password: String,
}

/// One side's view of a call's ICE.
pub(crate) struct Ice {
    agent: Agent,
    crypto: Arc<dyn RTCCryptoProvider>,
    local: SocketAddr,
    ours: Credentials,
    theirs: Credentials,
    /// Where authenticated checks came from, the least recent first.
    validated: Vec<SocketAddr>,
    path: Path,
    /// The latest check that the agent knows nothing of.
    looked: Option<Transaction>,
}

/// An authentic message.
enum Authentic {
    Check { nominates: bool },
    Answer(Transaction),
}

/// What an [`Ice`] is made of.
pub(crate) struct IceConfig {
    pub(crate) local: SocketAddr,
    pub(crate) ours: Credentials,
    pub(crate) theirs: Credentials,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) controlling: bool,
}

impl Ice {
    pub(crate) fn new(
        now: Instant,
        config: IceConfig,
        crypto: Arc<dyn RTCCryptoProvider>,
    ) -> Result<Self, Error> {
        let settings = AgentConfig {
            local_ufrag: config.ours.fragment.clone(),
            local_pwd: config.ours.password.clone(),
            // Nobody resolves mDNS names here: the other side's checks reach us
            // first, and a multicast socket can't be had without a network.
            multicast_dns_mode: MulticastDnsMode::Disabled,
            disconnected_timeout: Some(DISCONNECTED_AFTER),
            failed_timeout: Some(FAILED_AFTER),
            keepalive_interval: Some(KEEP_ALIVE),
            max_binding_requests: Some(CHECKS),
            is_controlling: config.controlling,
            ..AgentConfig::default()
        };
        let mut agent = Agent::new(now, Arc::new(settings), Arc::clone(&crypto))?;
        agent.add_local_candidate(host(config.local)?)?;
        for candidate in config.candidates {
            agent.add_remote_candidate(candidate)?;
        }
        agent.start_connectivity_checks(
            now,
            config.controlling,
            config.theirs.fragment.clone(),
            config.theirs.password.clone(),
        )?;
        Ok(Self {
            agent,
            crypto,
            local: config.local,
            ours: config.ours,
            theirs: config.theirs,
            validated: Vec::with_capacity(MAX_VALIDATED),
            path: Path::new(now),
            looked: None,
        })
    }

    /// Takes a STUN message; `Ok(true)` when it validated its source address.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Result<bool, Refused> {
        let message = self.authenticate(bytes)?;
        // First, so that the agent's answer goes where the message came from.
        let is_proved = self.locate(now, from, &message);
        if let Authentic::Answer(transaction) = message
            && self.looked == Some(transaction)
        {
            return Ok(is_proved && self.validate(from));
        }
        let seen = self.path.exchange(self.chosen(), from);
        let remotes = self.agent.get_remote_candidates();
        if remotes.len() >= MAX_REMOTES && !remotes.iter().any(|remote| remote.addr() == seen) {
            return Err(Refused::Policed);
        }
        self.agent
            .handle_read(TransportMessage {
                now,
                transport: TransportContext {
                    local_addr: self.local,
                    peer_addr: seen,
                    transport_protocol: TransportProtocol::UDP,
                    ecn: None,
                },
                message: BytesMut::from(bytes),
            })
            .map_err(|_| Refused::Malformed)?;
        Ok(matches!(message, Authentic::Check { .. }) && self.validate(from))
    }

    /// What a message says about where the other side is; whether it answers a check of an
    /// address that is not the path.
    fn locate(&mut self, now: Instant, from: SocketAddr, message: &Authentic) -> bool {
        let Some(chosen) = self.chosen() else {
            return false;
        };
        self.path.heard(now, chosen, from);
        match *message {
            Authentic::Check { nominates } => {
                self.path.asked(now, chosen, from, nominates);
                false
            }
            Authentic::Answer(transaction) => self.path.answered(now, chosen, from, transaction),
        }
    }

    /// Authentic media came from an address.
    pub(crate) fn heard(&mut self, now: Instant, from: SocketAddr) {
        if let Some(chosen) = self.chosen() {
            self.path.spoke(now, chosen, from);
        }
    }

    /// Media came from an address that no check has validated: asks whether the other side is
    /// there, as its own next check may be seconds away.
    pub(crate) fn look(&mut self, now: Instant, from: SocketAddr, out: &mut Outbox) {
        let Some(chosen) = self.chosen() else { return };
        if !self.path.is_to_be_checked(now, chosen, from) {
            return;
        }
        let Ok(check) = self.check() else {
            return;
        };
        let transaction = check.transaction_id.0;
        self.looked = Some(transaction);
        self.path.asks(from, transaction);
        out.push_bytes(from, &check.raw);
    }

    /// A connectivity check beside the agent's own (RFC 8445 §7.2.2).
    fn check(&self) -> Result<Message, Error> {
        let username = [&self.theirs.fragment, ":", &self.ours.fragment].concat();
        // It decides between two that claim one role, which is settled by now.
        let tie_breaker = 0;
        let role: Box<dyn Setter> = match self.agent.role() {
            true => Box::new(AttrControlling(tie_breaker)),
            false => Box::new(AttrControlled(tie_breaker)),
        };
        let password = self.theirs.password.clone();
        let crypto = self.crypto.crypto();
        let mut check = Message::new();
        check.build(&[
            Box::new(BINDING_REQUEST),
            Box::new(TransactionId::new()),
            Box::new(TextAttribute {
                attr: ATTR_USERNAME,
                text: username,
            }),
            role,
            Box::new(PriorityAttr(PEER_REFLEXIVE)),
            Box::new(MessageIntegrity::new_short_term_integrity_with_provider(
                password, crypto,
            )),
            Box::new(FINGERPRINT),
        ])?;
        Ok(check)
    }

    /// The message, if it comes from who knows the passwords.
    fn authenticate(&self, bytes: &[u8]) -> Result<Authentic, Refused> {
        let mut message = Message {
            raw: bytes.to_vec(),
            ..Message::default()
        };
        message.decode().map_err(|_| Refused::Malformed)?;
        if message.typ.method != METHOD_BINDING {
            return Err(Refused::Malformed);
        }
        let (is_request, password) = match message.typ.class {
            CLASS_REQUEST => (true, &self.ours.password),
            CLASS_SUCCESS_RESPONSE => (false, &self.theirs.password),
            _ => return Err(Refused::Malformed),
        };
        if is_request && self.is_for_another(&message) {
            return Err(Refused::Forged);
        }
        MessageIntegrity::check(&mut message, password.as_bytes(), self.crypto.crypto())
            .map_err(|_| Refused::Forged)?;
        Ok(match is_request {
            true => Authentic::Check {
                nominates: message.contains(ATTR_USE_CANDIDATE),
            },
            false => Authentic::Answer(message.transaction_id.0),
        })
    }

    fn is_for_another(&self, message: &Message) -> bool {
        let mut username = TextAttribute {
            attr: ATTR_USERNAME,
            text: String::new(),
        };
        let expected = [&self.ours.fragment, ":", &self.theirs.fragment].concat();
        username.get_from(message).is_err() || username.text != expected
    }

    fn validate(&mut self, from: SocketAddr) -> bool {
        // The most recent last, so that the one in use is not forgotten.
        if let Some(at) = self.validated.iter().position(|held| *held == from) {
            self.validated[at..].rotate_left(1);
            return false;
        }
        if self.validated.len() == MAX_VALIDATED {
            self.validated.remove(0);
        }
        self.validated.push(from);
        true
    }

    /// Whether media and handshakes may come from `address`.
    pub(crate) fn is_validated(&self, address: SocketAddr) -> bool {
        self.validated.contains(&address)
    }

    /// Where to send.
    pub(crate) fn selected(&self) -> Option<SocketAddr> {
        self.chosen().map(|chosen| self.path.of(chosen))
    }

    /// The remote end of the pair that the agent nominated.
    fn chosen(&self) -> Option<SocketAddr> {
        let (_, remote) = self.agent.get_selected_candidate_pair()?;
        Some(remote.addr())
    }

    /// Nothing was heard for a while; the address may go to another call.
    pub(crate) fn is_stale(&self) -> bool {
        self.agent.state() == ConnectionState::Disconnected
    }

    /// Checks or consent failed for good.
    pub(crate) fn is_failed(&self) -> bool {
        self.agent.state() == ConnectionState::Failed
    }

    pub(crate) fn timeout(&mut self, now: Instant) {
        if self.next_timeout().is_some_and(|due| due <= now) {
            let _ = self.agent.handle_timeout(now);
        }
    }

    pub(crate) fn next_timeout(&mut self) -> Option<Instant> {
        self.agent.poll_timeout()
    }

    /// Moves what the agent wants sent to `out`.
    pub(crate) fn transmit(&mut self, out: &mut Outbox) {
        let chosen = self.chosen();
        while let Some(message) = self.agent.poll_write() {
            let to = self.path.exchange(chosen, message.transport.peer_addr);
            if is_check(&message.message)
                && let Some(transaction) = transaction(&message.message)
            {
                self.path.asks(to, transaction);
            }
            out.push_bytes(to, &message.message);
        }
        // States are asked for, not followed.
        while self.agent.poll_event().is_some() {}
    }
}

/// The one address we can be reached at.
pub(crate) fn host(address: SocketAddr) -> Result<Candidate, Error> {
    CandidateHostConfig {
        base_config: CandidateConfig {
            network: "udp".to_owned(),
            address: address.ip().to_string(),
            port: address.port(),
            component: 1,
            ..CandidateConfig::default()
        },
        ..CandidateHostConfig::default()
    }
    .new_candidate_host()
}
