//! Text to speech: a program on this machine, or any service with OpenAI's
//! `/audio/speech`.
//!
//! The audio is a stream: its first samples are handed on while the rest is still
//! being made. Texts go to a program by its standard input, never by its arguments,
//! which other users of the machine can read.

mod live;
mod stream;

use std::process::Stdio;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::redirect;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use url::Url;
use zeroize::Zeroizing;

use crate::prompts::Sound;

pub(crate) use live::{Line, Spoken};
pub(crate) use stream::{Encoding, WavStream};

/// How long a synthesiser may give nothing; its audio may last as long as it is said.
const LIMIT: Duration = Duration::from_secs(20);
/// How long a text's whole audio may take that is wanted before it is said.
const WHOLE_LIMIT: Duration = Duration::from_secs(60);
/// How long a text's audio may be.
const LONGEST: usize = 600;
const CHUNK: usize = 8 * 1024;

/// Speaks texts.
#[derive(Debug)]
pub struct Synthesizer(Kind);

#[derive(Debug)]
enum Kind {
    Program(Vec<String>),
    Http(Box<HttpVoice>, reqwest::Client),
}

/// A service with OpenAI's `POST /audio/speech`.
#[derive(Debug, Clone)]
pub struct HttpVoice {
    /// The address, `https://…/v1/audio/speech` (`http` on this machine).
    pub url: Url,
    /// The model's name.
    pub model: String,
    /// The voice's name.
    pub voice: String,
    /// Bearer token.
    pub token: Option<SecretString>,
}

/// Why a text couldn't be spoken. Never says what.
#[derive(Debug, thiserror::Error)]
pub enum SpeechError {
    /// The program isn't there, or can't be run.
    #[error("the synthesiser {program} can't be run: {source}; install it or configure another")]
    Program {
        /// Its name.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// It was started and failed.
    #[error("the synthesiser failed: {0}")]
    Failed(String),
    /// It took too long.
    #[error("the synthesiser gave nothing for {} s, or not all in {}", LIMIT.as_secs(), WHOLE_LIMIT.as_secs())]
    Late,
    /// What it gave is no audio we know.
    #[error("the synthesiser gave no usable audio: {0}")]
    Audio(&'static str),
    /// The address can't be used.
    #[error("the synthesiser's address must be https, or http on this machine")]
    Address,
    /// The call is gone.
    #[error("the call is over")]
    Gone,
}

impl Synthesizer {
    /// eSpeak NG, the packaged default (`apt install espeak-ng`).
    pub fn espeak() -> Self {
        let words = ["espeak-ng", "--stdin", "--stdout", "-v", "{language}"];
        Self(Kind::Program(words.map(str::to_owned).to_vec()))
    }

    /// A program that reads a text from its standard input and writes a WAV (PCM,
    /// 16 bits) to its standard output. `{language}` in its arguments becomes the
    /// flow's language in lower case (`en-us`).
    ///
    /// # Errors
    /// There is no program.
    pub fn program(words: Vec<String>) -> Result<Self, SpeechError> {
        match words.is_empty() {
            true => Err(SpeechError::Failed("its command is empty".to_owned())),
            false => Ok(Self(Kind::Program(words))),
        }
    }

    /// A service.
    ///
    /// # Errors
    /// Its address isn't safe, or no HTTP client can be made.
    pub fn http(voice: HttpVoice) -> Result<Self, SpeechError> {
        if !crate::hook::is_protected(&voice.url) {
            return Err(SpeechError::Address);
        }
        let client = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .build()
            .map_err(|error| SpeechError::Failed(error.without_url().to_string()))?;
        Ok(Self(Kind::Http(Box::new(voice), client)))
    }

    /// Speaks a text; `sink` gets the samples as they come, mono, with their rate.
    pub(crate) async fn speak<S: Sink>(
        &self,
        text: &str,
        language: &str,
        sink: &mut S,
    ) -> Result<(), SpeechError> {
        match &self.0 {
            Kind::Program(words) => by_program(words, text, language, sink).await,
            Kind::Http(voice, client) => by_service(voice, client, text, sink).await,
        }
    }

    /// A text's whole audio.
    pub(crate) async fn whole(&self, text: &str, language: &str) -> Result<Sound, SpeechError> {
        let mut whole = Whole {
            rate: 0,
            samples: Zeroizing::new(Vec::with_capacity(1 << 20)),
        };
        tokio::time::timeout(WHOLE_LIMIT, self.speak(text, language, &mut whole))
            .await
            .map_err(|_| SpeechError::Late)??;
        if whole.samples.is_empty() {
            return Err(SpeechError::Audio("it is empty"));
        }
        let Whole { rate, samples } = whole;
        Ok(Sound { rate, samples })
    }
}

/// Takes samples as they come; may make the synthesiser wait.
pub(crate) trait Sink: Send {
    /// The next samples, mono at `rate` Hz.
    fn take(
        &mut self,
        rate: u32,
        samples: &[f32],
    ) -> impl Future<Output = Result<(), SpeechError>> + Send;
}

struct Whole {
    rate: u32,
    samples: Zeroizing<Vec<f32>>,
}

impl Sink for Whole {
    async fn take(&mut self, rate: u32, samples: &[f32]) -> Result<(), SpeechError> {
        self.rate = rate;
        if self.samples.len() + samples.len() > LONGEST * rate as usize {
            return Err(SpeechError::Audio("it is longer than ten minutes"));
        }
        self.samples.extend_from_slice(samples);
        Ok(())
    }
}

async fn by_program(
    words: &[String],
    text: &str,
    language: &str,
    sink: &mut impl Sink,
) -> Result<(), SpeechError> {
    let mut child = start(words, language)?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let write = async {
        if let Some(mut input) = input {
            // A program that doesn't want to read all of it says so by its exit code.
            let _ = input.write_all(text.as_bytes()).await;
        }
        Ok(())
    };
    let read = async {
        match output {
            Some(output) => read_wav(output, sink).await,
            None => Ok(()),
        }
    };
    // A text that isn't read must not hold up what is wrong with the audio.
    tokio::try_join!(write, read)?;
    let status = soon(child.wait()).await?.map_err(|error| failed(&error))?;
    match status.success() {
        true => Ok(()),
        false => Err(SpeechError::Failed(status.to_string())),
    }
}

/// Only what comes is waited for in vain: the sink takes as long as it takes to say.
async fn read_wav(
    mut output: impl AsyncRead + Unpin,
    sink: &mut impl Sink,
) -> Result<(), SpeechError> {
    let mut stream = WavStream::new(Encoding::Wav);
    let mut bytes = Zeroizing::new(vec![0; CHUNK]);
    loop {
        let count = soon(output.read(&mut bytes)).await?;
        match count.map_err(|error| failed(&error))? {
            0 => return Ok(()),
            count => stream.push(&bytes[..count], sink).await?,
        }
    }
}

fn start(words: &[String], language: &str) -> Result<Child, SpeechError> {
    let language = language.to_ascii_lowercase();
    let (program, arguments) = match words {
        [program, arguments @ ..] => (program, arguments),
        [] => return Err(SpeechError::Failed("its command is empty".to_owned())),
    };
    Command::new(program)
        .args(
            arguments
                .iter()
                .map(|word| word.replace("{language}", &language)),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // It may repeat the text there.
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| SpeechError::Program {
            program: program.clone(),
            source,
        })
}

async fn by_service(
    voice: &HttpVoice,
    client: &reqwest::Client,
    text: &str,
    sink: &mut impl Sink,
) -> Result<(), SpeechError> {
    let body = json!({
        "model": voice.model,
        "voice": voice.voice,
        "input": text,
        "response_format": "wav",
    });
    let mut request = client.post(voice.url.clone()).json(&body);
    if let Some(token) = &voice.token {
        request = request.bearer_auth(token.expose_secret());
    }
    let response = soon(request.send()).await?.map_err(unreachable)?;
    if !response.status().is_success() {
        return Err(SpeechError::Failed(format!(
            "it answered {}",
            response.status()
        )));
    }
    let mut stream = WavStream::new(Encoding::Wav);
    let mut body = response.bytes_stream();
    while let Some(chunk) = soon(body.next()).await? {
        stream.push(&chunk.map_err(unreachable)?, sink).await?;
    }
    Ok(())
}

/// What comes next, if it comes in time.
async fn soon<T>(next: impl Future<Output = T>) -> Result<T, SpeechError> {
    let next = tokio::time::timeout(LIMIT, next).await;
    next.map_err(|_| SpeechError::Late)
}

fn failed(error: &std::io::Error) -> SpeechError {
    SpeechError::Failed(error.kind().to_string())
}

/// Without the address, whose query may hold a key.
fn unreachable(error: reqwest::Error) -> SpeechError {
    SpeechError::Failed(error.without_url().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchboard_media::wav;

    /// Takes a second for whatever comes.
    #[derive(Default)]
    struct Slow(usize);

    impl Sink for Slow {
        async fn take(&mut self, _: u32, samples: &[f32]) -> Result<(), SpeechError> {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.0 += samples.len();
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn long_words_are_said_to_their_end_and_silence_is_given_up() {
        let begun = tokio::time::Instant::now();
        let samples = vec![0.1; CHUNK / 2 * 100];
        let mut sink = Slow::default();
        let file = wav::write(16_000, &samples);
        read_wav(&file[..], &mut sink).await.unwrap();
        assert_eq!(sink.0, samples.len());
        assert!(begun.elapsed() > WHOLE_LIMIT);

        let (_open, silent) = tokio::io::duplex(64);
        let given_up = read_wav(silent, &mut sink).await;
        assert!(matches!(given_up, Err(SpeechError::Late)));
    }
}
