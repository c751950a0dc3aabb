//! A process of callers.

use std::sync::Arc;
use std::time::Duration;

use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_media::event::{Digit, MediaEvent};
use switchboard_media::prompt::Prompt;
use switchboard_media::tone::{DtmfTone, dial};
use switchboard_media::wav;
use switchboard_transport::whip::{MediaBlob, WhipClient};
use switchboard_transport::{Session, SessionEvent, Transport, TransportConfig};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::watch;

use crate::Failure;

/// What a caller says in one go, again and again.
pub(super) const ROUND: Duration = Duration::from_secs(10);
/// Keys pressed in a round.
pub(super) const DIGITS_A_ROUND: u64 = 12;
/// What stands before the address of a call that is to last one round.
pub(super) const ONCE: &str = "once ";
pub(super) const KEYS: &str = "1234567890*#";
const RATE: u32 = 16_000;
/// How long a caller stays after the last word.
const LAST: Duration = Duration::from_millis(500);

/// What callers say between keys: read speech (`fixtures/README.md`).
const SPEECH: &[u8] = include_bytes!("../../../../fixtures/speech/read-en.wav");

/// Ten seconds: twelve keys, and speech between them.
pub(super) fn prompt() -> Result<Arc<Prompt>, Failure> {
    let speech = wav::read(SPEECH)?.mono();
    let mut speech = speech.iter().cycle();
    let mut samples = Vec::new();
    let span = ROUND.as_secs() as usize * RATE as usize / KEYS.len();
    for key in KEYS.chars() {
        let begin = samples.len();
        let digit = Digit::from_char(key).ok_or("not a key")?;
        samples.extend(dial(RATE, &key.to_string(), &DtmfTone::new(digit)));
        // Silence on either side of a key, as people leave it.
        let pause = RATE as usize / 10;
        samples.resize(samples.len() + pause, 0.0);
        let said = (begin + span - pause).saturating_sub(samples.len());
        samples.extend(speech.by_ref().take(said));
        samples.resize(begin + span, 0.0);
    }
    Ok(Prompt::from_samples(RATE, &samples)?)
}

/// Makes the calls the parent asks for; the last order says how many rounds to
/// speak. Ends with its input.
pub(super) async fn run() -> Result<(), Failure> {
    let engine = Engine::start(EngineConfig {
        workers: 1,
        ..EngineConfig::default()
    })?;
    // What a caller would do with what it hears is not what is measured.
    let hear = false;
    let config = TransportConfig {
        hear,
        ..TransportConfig::default()
    };
    let transport = Transport::new(engine, config);
    let client = WhipClient::new()?;
    let prompt = prompt()?;
    let (go, rounds) = watch::channel(0);
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    while let Some(order) = orders.next_line().await? {
        if let Ok(rounds) = order.parse::<u64>() {
            go.send_replace(rounds);
            continue;
        }
        let once = order.strip_prefix(ONCE);
        let blob = MediaBlob::parse(once.unwrap_or(&order))?;
        let (offer, sdp) = transport.offer().await?;
        let answer = client.offer(&blob, &sdp).await?;
        let session = offer.accept(&answer.sdp).await?;
        match once {
            Some(_) => tokio::spawn(talk_once(session, Arc::clone(&prompt))),
            None => tokio::spawn(talk(session, Arc::clone(&prompt), rounds.clone())),
        };
    }
    Ok(())
}

/// Speaks one round and hangs up.
async fn talk_once(mut session: Session, prompt: Arc<Prompt>) {
    while let Some(event) = session.event().await {
        match event {
            SessionEvent::Connected => _ = session.play(Arc::clone(&prompt)),
            SessionEvent::Media(MediaEvent::PlayFinished { .. }) => {
                // Until the last packets are heard.
                tokio::time::sleep(LAST).await;
                return session.close();
            }
            _ => {}
        }
    }
}

/// Speaks as often as it is told and stays on the line.
async fn talk(mut session: Session, prompt: Arc<Prompt>, mut go: watch::Receiver<u64>) {
    let mut left = None;
    loop {
        tokio::select! {
            told = go.wait_for(|rounds| *rounds > 0), if left.is_none() => {
                let Ok(rounds) = told.map(|rounds| *rounds) else { return };
                left = Some(rounds - 1);
                let _ = session.play(Arc::clone(&prompt));
            }
            event = session.event() => match event {
                Some(SessionEvent::Media(MediaEvent::PlayFinished { .. })) => {
                    if let Some(more) = left.filter(|more| *more > 0) {
                        left = Some(more - 1);
                        let _ = session.play(Arc::clone(&prompt));
                    }
                }
                Some(_) => {}
                None => return,
            },
        }
    }
}
