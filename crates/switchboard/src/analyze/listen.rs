//! One file: bytes in, findings out, ordered by time.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use switchboard_media::analysis::{Analyzer, AnalyzerConfig};
use switchboard_media::codec::RATE;
use switchboard_media::event::MediaEvent;
use switchboard_media::pcap::{self, PcapError, RtpStream};
use switchboard_media::receive::ReceiverError;
use switchboard_media::resample::{self, ResampleError};
use switchboard_media::wav::{self, WavError};

/// What was heard in a file.
pub(super) struct Hearing {
    /// How much audio it holds; of a capture, all streams added up.
    pub(super) audio: Duration,
    /// Ordered by where each begins.
    pub(super) findings: Vec<Finding>,
}

/// One thing that was heard; the stable contract of `analyze`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Finding {
    Dtmf {
        digit: char,
        start_ms: u64,
        duration_ms: u64,
        source: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        ssrc: Option<u32>,
    },
    Speech {
        start_ms: u64,
        end_ms: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        ssrc: Option<u32>,
    },
    Vad {
        t_ms: u64,
        p: f32,
        #[serde(skip_serializing_if = "Option::is_none")]
        ssrc: Option<u32>,
    },
}

/// Why a file was not analyzed.
#[derive(Debug, thiserror::Error)]
pub(super) enum HearError {
    #[error("{0}")]
    Read(#[from] std::io::Error),
    #[error("{0}")]
    Wav(#[from] WavError),
    #[error("{0}")]
    Rate(#[from] ResampleError),
    #[error("{0}")]
    Pcap(#[from] PcapError),
    #[error("neither a WAV file nor a pcap or pcapng capture")]
    Unknown,
    #[error("the capture holds no RTP stream that is understood (Opus, G.711, telephone events)")]
    NoRtp,
    #[error("{0}")]
    Codec(#[from] ReceiverError),
}

/// Analyzes one file.
pub(super) fn hear(file: &Path, frames: bool) -> Result<Hearing, HearError> {
    let bytes = std::fs::read(file)?;
    let config = AnalyzerConfig {
        vad_frames: frames,
        level: false,
        ..AnalyzerConfig::default()
    };
    if bytes.starts_with(b"RIFF") || bytes.starts_with(b"RF64") {
        return recording(&bytes, config);
    }
    match pcap::datagrams(&bytes) {
        Ok(datagrams) => capture(&pcap::rtp_streams(&datagrams), config),
        Err(PcapError::NotCapture) => Err(HearError::Unknown),
        Err(error) => Err(error.into()),
    }
}

fn recording(bytes: &[u8], config: AnalyzerConfig) -> Result<Hearing, HearError> {
    let wav = wav::read(bytes)?;
    let audio = Duration::from_secs_f64(wav.frames() as f64 / f64::from(wav.rate));
    let signal = resample::to_16k(wav.rate, &wav.mono())?;
    let mut findings = Vec::new();
    let mut sink = |event| findings.extend(finding(event, None));
    let mut analyzer = Analyzer::new(config);
    // Pieces as large as the live path's.
    for block in signal.chunks(RATE as usize / 50) {
        analyzer.process(block, &mut sink);
    }
    analyzer.finish(&mut sink);
    findings.sort_by_key(Finding::begins);
    Ok(Hearing { audio, findings })
}

fn capture(streams: &[RtpStream<'_>], config: AnalyzerConfig) -> Result<Hearing, HearError> {
    let understood: Vec<_> = streams.iter().filter(|s| !s.formats().is_empty()).collect();
    if understood.is_empty() {
        return Err(HearError::NoRtp);
    }
    // One stream needs no name; several are told apart by their source.
    let several = understood.len() > 1;
    let mut hearing = Hearing {
        audio: Duration::ZERO,
        findings: Vec::new(),
    };
    for stream in understood {
        let ssrc = several.then_some(stream.ssrc);
        let mut sink = |event| hearing.findings.extend(finding(event, ssrc));
        stream.replay(config, Instant::now(), &mut sink)?;
        hearing.audio += length(stream);
    }
    hearing.findings.sort_by_key(Finding::begins);
    Ok(hearing)
}

/// From the first packet's arrival to the last's, and one packet more.
fn length(stream: &RtpStream<'_>) -> Duration {
    let (Some(first), Some(last)) = (stream.packets.first(), stream.packets.last()) else {
        return Duration::ZERO;
    };
    last.0.saturating_sub(first.0) + Duration::from_millis(20)
}

fn finding(event: MediaEvent, ssrc: Option<u32>) -> Option<Finding> {
    match event {
        MediaEvent::DigitEnd {
            digit,
            source,
            start_ms,
            duration_ms,
        } => Some(Finding::Dtmf {
            digit: digit.as_char(),
            start_ms,
            duration_ms,
            source: source.as_str(),
            ssrc,
        }),
        MediaEvent::SpeechEnd { start_ms, end_ms } => Some(Finding::Speech {
            start_ms,
            end_ms,
            ssrc,
        }),
        MediaEvent::Vad { t_ms, p } => Some(Finding::Vad { t_ms, p, ssrc }),
        _ => None,
    }
}

impl Finding {
    fn begins(&self) -> u64 {
        match self {
            Self::Dtmf { start_ms, .. } | Self::Speech { start_ms, .. } => *start_ms,
            Self::Vad { t_ms, .. } => *t_ms,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_documented_ones() {
        let line = |finding: &Finding| serde_json::to_string(finding).unwrap();
        let digit = Finding::Dtmf {
            digit: '5',
            start_ms: 120,
            duration_ms: 60,
            source: "inband",
            ssrc: None,
        };
        assert_eq!(
            line(&digit),
            r#"{"type":"dtmf","digit":"5","start_ms":120,"duration_ms":60,"source":"inband"}"#
        );
        let speech = Finding::Speech {
            start_ms: 1,
            end_ms: 2,
            ssrc: None,
        };
        assert_eq!(
            line(&speech),
            r#"{"type":"speech","start_ms":1,"end_ms":2}"#
        );
        let vad = Finding::Vad {
            t_ms: 0,
            p: 0.97,
            ssrc: Some(7),
        };
        assert_eq!(line(&vad), r#"{"type":"vad","t_ms":0,"p":0.97,"ssrc":7}"#);
    }
}
