//! What must be nowhere once a call is over, and the search for it.

use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, Engine as _};
use serde_json::json;
use switchboard_media::codec::{Decoder, MAX_FRAME, OPUS_SILENCE};
use switchboard_media::prompt::Prompt;

use crate::memory::Needles;
use crate::{Failure, engine, fixture};

/// What callers enter: no such number is anywhere by chance.
pub const KEYS: &str = "4711908256304719";

/// Prompts and nodes of a flow in which a caller enters [`KEYS`], and any key at last.
pub const ENTERING: &str = r##"
[prompts.ask]
file = "bye.wav"
text = "Your number, please."
[prompts.bye]
file = "bye.wav"
text = "Goodbye."
[nodes.ask]
say = "ask"
collect = { into = "number", max = 20, terminator = "#", timeout = 60, next = "wait", on_timeout = "bye" }
[nodes.wait]
collect = { into = "end", max = 1, timeout = 60, next = "bye", on_timeout = "bye" }
[nodes.bye]
say = "bye"
hang_up = true
"##;

/// What an engine hears the caller say.
pub const WORDS: &str = "my wyvern has the hiccups";

/// A flow's beginning, in which a caller is understood and comes to `ask`.
pub const SPEAKING: &str = r##"
start = "hello"
otherwise = "bye"
[prompts.hello]
file = "bye.wav"
text = "What can we do for you?"
[nodes.hello]
say = "hello"
listen = { intents = { wish = "ask" }, timeout = 60, on_timeout = "bye" }
"##;

/// An engine to whom Carla says [`WORDS`] in two sentences: after the first it has heard
/// them, after the second it is sure. Its address.
///
/// # Errors
/// It can't listen.
pub async fn understanding() -> Result<String, Failure> {
    let words = |kind| json!({"type": kind, "text": WORDS, "confidence": 0.9});
    let wish = json!({"type": "intent", "name": "wish", "confidence": 0.9});
    let script = engine::Script {
        utterances: vec![
            ("Carla", "hello", vec![words("partial")]),
            ("Carla", "hello", vec![words("final"), wish]),
        ],
        refused: Vec::new(),
    };
    Ok(format!("ws://{}/", engine::start(script).await?))
}

/// Known texts and known audio.
pub struct Canaries {
    /// What each is, and the text.
    pub texts: Vec<(&'static str, String)>,
    /// Speech as packets and as samples.
    pub audio: Needles,
}

impl Canaries {
    /// Which of them are in `bytes`.
    pub fn found_in(&self, bytes: &[u8]) -> Vec<&'static str> {
        let readable = String::from_utf8_lossy(bytes);
        let texts = self.texts.iter();
        let texts = texts.filter(|(_, text)| readable.contains(text.as_str()));
        let texts = texts.map(|(what, _)| *what);
        texts.chain(self.audio.find_in(bytes).into_keys()).collect()
    }

    /// None of them is in `bytes`.
    ///
    /// # Errors
    /// Which are, and where.
    pub fn are_not_in(&self, place: &str, bytes: &[u8]) -> Result<(), Failure> {
        let found = self.found_in(bytes);
        match found.is_empty() {
            true => Ok(()),
            false => Err(format!("{place} holds {}", found.join(", ")).into()),
        }
    }
}

/// Adds what a caller sends who says these recordings, one after the other: the packets,
/// and what they decode to at 16 kHz, as the engine has it (`f32`) and as it goes to
/// others (16 bits).
///
/// # Errors
/// One can't be read.
pub fn add_speech(needles: &mut Needles, names: &[&str]) -> Result<(), Failure> {
    for name in names {
        let prompt = Prompt::from_wav(&std::fs::read(fixture(name))?)?;
        let mut decoder = Decoder::new()?;
        let mut audio = vec![0.0; MAX_FRAME];
        // Before they speak, callers send silence.
        for _ in 0..100 {
            decoder.decode(&OPUS_SILENCE, &mut audio)?;
        }
        for packet in (0..prompt.packets()).filter_map(|n| prompt.packet(n)) {
            let packed = packet.get(4..).unwrap_or_default();
            needles.add("packets", packed);
            add_written(needles, "packets in writing", packed);
            let samples = decoder.decode(packet, &mut audio)?;
            for place in [40, 160, 280] {
                let samples = audio[..samples].get(place..).unwrap_or_default();
                let floats = bytes(samples, |sample| sample.to_ne_bytes());
                needles.add("audio", &floats);
                // Of silence there are few: they are found anywhere.
                if samples.iter().take(8).any(|sample| sample.abs() > 0.02) {
                    let short = |sample: f32| ((sample * 32_768.0).round() as i16).to_ne_bytes();
                    let shorts = bytes(samples, short);
                    needles.add("16-bit audio", &shorts);
                    add_written(needles, "audio in writing", &floats);
                    add_written(needles, "16-bit audio in writing", &shorts);
                    let numbers: Vec<_> = samples.iter().take(8).map(f32::to_string).collect();
                    needles.add("audio in writing", numbers.join(", ").as_bytes());
                }
            }
        }
    }
    Ok(())
}

/// Adds what bytes look like in a text: hexadecimal, base64 wherever they begin in it, and
/// as a list of numbers.
fn add_written(needles: &mut Needles, what: &'static str, bytes: &[u8]) {
    let hex = bytes.iter().take(16).map(|byte| format!("{byte:02x}"));
    let hex: String = hex.collect();
    needles.add(what, hex.as_bytes());
    needles.add(what, hex.to_uppercase().as_bytes());
    for begin in 0..3 {
        if let Some(bytes) = bytes.get(begin..begin + 12) {
            needles.add(what, BASE64_STANDARD.encode(bytes).as_bytes());
            needles.add(what, BASE64_URL_SAFE.encode(bytes).as_bytes());
        }
    }
    let numbers: Vec<_> = bytes.iter().take(16).map(u8::to_string).collect();
    needles.add(what, numbers.join(", ").as_bytes());
}

/// The first samples, a few more than a needle has.
fn bytes<const N: usize>(samples: &[f32], write: impl Fn(f32) -> [u8; N]) -> Vec<u8> {
    let samples = samples.iter().take(8);
    samples.flat_map(|sample| write(*sample)).collect()
}

/// All files below a folder.
///
/// # Errors
/// They can't be listed.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => all.append(&mut files(&entry.path())?),
            false => all.push(entry.path()),
        }
    }
    Ok(all)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_searched_for_is_found() {
        let mut audio = Needles::new();
        add_speech(&mut audio, &["speech/read-en.wav"]).unwrap();
        let canaries = Canaries {
            texts: vec![("keys", "471190".to_owned())],
            audio,
        };
        let mut bytes = vec![1; 100];
        assert_eq!(canaries.found_in(&bytes), Vec::<&str>::new());
        let speech = std::fs::read(fixture("speech/read-en.wav")).unwrap();
        let prompt = Prompt::from_wav(&speech).unwrap();
        // The longest one: what is short may be silence.
        let packets = (0..prompt.packets()).filter_map(|n| prompt.packet(n));
        bytes.extend(packets.max_by_key(|packet| packet.len()).unwrap());
        bytes.extend(b"..4711908");
        assert_eq!(canaries.found_in(&bytes), ["keys", "packets"]);
        assert!(canaries.are_not_in("there", &bytes).is_err());
    }

    #[test]
    fn audio_is_recognised_however_a_text_holds_it() -> Result<(), Failure> {
        let mut audio = Needles::new();
        add_speech(&mut audio, &["speech/read-en.wav"])?;
        let canaries = Canaries {
            texts: Vec::new(),
            audio,
        };
        let prompt = Prompt::from_wav(&std::fs::read(fixture("speech/read-en.wav"))?)?;
        let packet = prompt.packet(60).ok_or("it is long")?;
        let hex: String = packet.iter().map(|byte| format!("{byte:02x}")).collect();
        let kind = "packets in writing";
        for text in [
            format!("payload: 0x{hex}"),
            BASE64_STANDARD.encode(packet),
            BASE64_STANDARD.encode(&packet[1..]),
            BASE64_STANDARD.encode(&packet[2..]),
            format!("{packet:?}"),
        ] {
            assert!(canaries.found_in(text.as_bytes()).contains(&kind), "{text}");
        }
        assert!(canaries.are_not_in("nothing", b"A sentence.").is_ok());
        Ok(())
    }
}
