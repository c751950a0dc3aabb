//! Twenty calls whose bot is killed, or told to end: none is left over.

use std::path::PathBuf;

use switchboard_emulator::{
    Emulator, EndReason, Phone, PhoneCallState, PhoneCommand, PhoneEvent, PhoneRole,
};
use switchboard_media::event::Digit;
use switchboard_tests::Failure;
use switchboard_tests::canaries::files;
use switchboard_tests::cloud::Cloud;
use switchboard_tests::patience::{PATIENCE, eventually};
use switchboard_tests::service::{Around, Service};
use switchboard_transport::{Offer, Session, SessionEvent, Transport};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

const CALLS: usize = 20;
const AGENT: &str = "Agent";

const FLOW: &str = r##"
start = "ask"
otherwise = "bye"
[prompts.bye]
file = "bye.wav"
text = "Goodbye."
[contacts.agent]
user = "agent"
[nodes.ask]
say = "bye"
listen = { keys = { 1 = "bye", 2 = "pass" }, timeout = 600, retries = 0, on_timeout = "bye" }
[nodes.pass]
transfer = { to = "agent", on_failed = "bye" }
[nodes.bye]
say = "bye"
hang_up = true
"##;

/// What a caller does once the bot was told to end.
#[derive(Clone, Copy)]
enum Then {
    /// Nothing.
    Stays,
    /// Presses a key, after which the bot says goodbye and hangs up.
    Finishes,
    /// Presses a key, after which the bot passes the call on.
    IsPassedOn,
    HangsUp,
}

/// Twenty callers in calls with a bot.
struct Site {
    cloud: Cloud,
    service: Service,
    state: tempfile::TempDir,
    callers: JoinSet<Result<EndReason, Failure>>,
    /// Whether the bot was told to end.
    told: watch::Sender<bool>,
}

impl Site {
    /// `within` are the seconds that calls may go on after SIGTERM.
    async fn start(within: u32, then: impl Fn(usize) -> Then) -> Result<Self, Failure> {
        let cloud = Cloud::start().await?;
        let state = tempfile::tempdir()?;
        let service = bot(&cloud.emulator, state.path().into(), within)?;
        let (established, mut seen) = mpsc::channel(CALLS);
        let told = watch::Sender::new(false);
        let mut callers = JoinSet::new();
        for number in 0..CALLS {
            let person = Person::calling(&cloud).await?;
            let call = person.call(then(number), established.clone(), told.subscribe());
            callers.spawn(call);
        }
        for _ in 0..CALLS {
            timeout(PATIENCE, seen.recv())
                .await?
                .ok_or("a caller gave up")?;
        }
        Ok(Self {
            cloud,
            service,
            state,
            callers,
            told,
        })
    }

    /// Every caller hears that the call is over, and nothing is left of any. Gives the codes
    /// they ended with.
    async fn all_end(&mut self) -> Result<Vec<i32>, Failure> {
        let mut codes = Vec::new();
        while let Some(ended) = timeout(PATIENCE, self.callers.join_next()).await? {
            codes.push(ended??.code);
        }
        eventually("the last call to end", async || {
            let counts = self.cloud.emulator.counts();
            Ok((counts.calls == 0 && counts.media == 0).then_some(()))
        })
        .await?;
        Ok(codes)
    }

    /// The bot says at its address that it takes no calls any more.
    async fn is_draining(&self) -> Result<(), Failure> {
        let ready = self.service.webhook.join("/readyz")?;
        eventually("the bot to say that it ends", async || {
            let status = reqwest::get(ready.clone()).await?.status();
            Ok((status == 503).then_some(()))
        })
        .await
    }
}

fn bot(emulator: &Emulator, state: PathBuf, within: u32) -> Result<Service, Failure> {
    let around = Around {
        state: Some(state),
        drain: Some(within),
        ..Around::default()
    };
    Service::start(emulator, FLOW, &around)
}

/// Somebody at a phone.
struct Person {
    phone: Phone,
    transport: Transport,
    offer: Option<Offer>,
    session: Option<Session>,
    call: String,
}

impl Person {
    fn new(phone: Phone, cloud: &Cloud) -> Self {
        Self {
            phone,
            transport: cloud.transport.clone(),
            offer: None,
            session: None,
            call: String::new(),
        }
    }

    /// Somebody who has dialled the bot.
    async fn calling(cloud: &Cloud) -> Result<Self, Failure> {
        let phone = cloud.emulator.phone("Caller", PhoneRole::Caller).await;
        let mut person = Self::new(phone, cloud);
        let sdp = person.offer().await?;
        let target = "bot".to_owned();
        person.command(PhoneCommand::Dial { target, sdp }).await?;
        Ok(person)
    }

    async fn offer(&mut self) -> Result<String, Failure> {
        let (offer, sdp) = self.transport.offer().await?;
        self.offer = Some(offer);
        Ok(sdp)
    }

    async fn command(&mut self, command: PhoneCommand) -> Result<(), Failure> {
        Ok(self.phone.commands.send(command).await?)
    }

    /// The next thing the phone tells. Offers and answers are seen to.
    async fn next(&mut self) -> Result<PhoneEvent, Failure> {
        let event = self.phone.events.recv().await;
        let event = event.ok_or("the emulator let go of a phone")?;
        match &event {
            PhoneEvent::Dialing { call } => self.call.clone_from(call),
            PhoneEvent::Answer { sdp, .. } => {
                if let Some(offer) = self.offer.take() {
                    self.session = Some(offer.accept(sdp).await?);
                }
            }
            PhoneEvent::Incoming { call, .. } => {
                let (call, sdp) = (call.clone(), self.offer().await?);
                self.command(PhoneCommand::Accept { call, sdp }).await?;
            }
            PhoneEvent::Renegotiate { call } => {
                let (call, sdp) = (call.clone(), self.offer().await?);
                self.command(PhoneCommand::Offer { call, sdp }).await?;
            }
            _ => {}
        }
        Ok(event)
    }

    /// Waits until the call stands, with somebody of that name if one is given.
    async fn reaches(&mut self, whom: Option<&str>) -> Result<(), Failure> {
        loop {
            match self.next().await? {
                PhoneEvent::State {
                    state: PhoneCallState::Established,
                    with,
                    ..
                } => {
                    let name = with.as_ref().map(|with| with.name.as_str());
                    if whom.is_none() || whom == name {
                        return Ok(());
                    }
                }
                PhoneEvent::Ended { reason, .. } => return Err(reason.message.into()),
                _ => {}
            }
        }
    }

    /// Presses a key, once the line is open.
    async fn press(&mut self, key: char) -> Result<(), Failure> {
        let session = self.session.as_mut().ok_or("not answered")?;
        while !matches!(session.event().await, Some(SessionEvent::Connected)) {}
        let digit = Digit::from_char(key).ok_or("no key")?;
        Ok(session.press(digit, 100)?)
    }

    async fn hang_up(&mut self) -> Result<(), Failure> {
        let call = self.call.clone();
        self.command(PhoneCommand::Hangup { call }).await
    }

    async fn ended(&mut self) -> Result<EndReason, Failure> {
        loop {
            if let PhoneEvent::Ended { reason, .. } = self.next().await? {
                return Ok(reason);
            }
        }
    }

    /// Tells when the call is established, and stays until it is over.
    async fn call(
        mut self,
        then: Then,
        established: mpsc::Sender<()>,
        mut told: watch::Receiver<bool>,
    ) -> Result<EndReason, Failure> {
        self.reaches(None).await?;
        self.session.as_ref().ok_or("established unanswered")?;
        established.send(()).await?;
        if !matches!(then, Then::Stays) {
            told.wait_for(|told| *told).await?;
        }
        match then {
            Then::Stays => {}
            Then::Finishes => self.press('1').await?,
            Then::IsPassedOn => {
                self.press('2').await?;
                self.reaches(Some(AGENT)).await?;
                self.hang_up().await?;
            }
            Then::HangsUp => self.hang_up().await?,
        }
        self.ended().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_a_killed_bot_are_ended_when_it_is_back() -> Result<(), Failure> {
    let mut site = Site::start(5, |_| Then::Stays).await?;
    site.service.kill()?;
    assert_eq!(site.cloud.emulator.counts().calls, CALLS);
    site.service = bot(&site.cloud.emulator, site.state.path().into(), 5)?;
    site.all_end().await?;
    Ok(())
}

/// Abort, as by a fault of its own, leaves no core and no file; what it knew of its calls is
/// enough to begin anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_died_of_a_fault_starts_clean() -> Result<(), Failure> {
    let mut site = Site::start(5, |_| Then::Stays).await?;
    let known = files(site.state.path())?;
    site.service.abort()?;
    assert_eq!(site.service.left()?, Vec::<PathBuf>::new());
    assert_eq!(files(site.state.path())?, known, "left in its state folder");
    assert_eq!(site.cloud.emulator.counts().calls, CALLS);
    site.service = bot(&site.cloud.emulator, site.state.path().into(), 5)?;
    site.all_end().await?;
    let caller = Person::calling(&site.cloud).await?;
    let (established, _seen) = mpsc::channel(1);
    let told = watch::Sender::new(true);
    let call = caller.call(Then::Finishes, established, told.subscribe());
    assert_eq!(timeout(PATIENCE, call).await??.code, 0);
    assert!(site.service.end()?, "it did not end well");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_told_to_end_ends_its_calls_at_the_deadline_and_itself() -> Result<(), Failure> {
    let mut site = Site::start(5, |_| Then::Stays).await?;
    assert!(site.service.end()?, "it did not end well");
    site.all_end().await?;
    Ok(())
}

/// The deadline is farther than this test waits: what ends, ends by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_bot_told_to_end_takes_no_more_calls_and_lets_those_finish_that_run()
-> Result<(), Failure> {
    let mut site = Site::start(3600, |number| match number {
        0 => Then::IsPassedOn,
        number if number % 3 == 0 => Then::HangsUp,
        _ => Then::Finishes,
    })
    .await?;
    let phone = site.cloud.emulator.phone(AGENT, PhoneRole::Agent).await;
    let mut agent = Person::new(phone, &site.cloud);
    let agent = tokio::spawn(async move { agent.ended().await });
    site.service.tell_to_end()?;
    site.is_draining().await?;
    let mut late = Person::calling(&site.cloud).await?;
    assert_eq!(timeout(PATIENCE, late.ended()).await??.code, 486);
    assert_eq!(site.callers.try_join_next().map(|_| ()), None);
    site.told.send_replace(true);
    let codes = site.all_end().await?;
    assert_eq!(codes, [0; CALLS]);
    agent.await??;
    assert!(site.service.ends().await?, "it did not end well");
    Ok(())
}
