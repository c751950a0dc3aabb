//! A short run of every fuzz target: seeds, what is kept in `tests/fuzz/kept`, their mutations,
//! and random bytes, the same ones each time. `SWITCHBOARD_FUZZ_RUNS` asks for more (nightly),
//! `SWITCHBOARD_FUZZ_TARGET` for one target alone.

use std::env;
use std::path::Path;

use switchboard_tests::fixture;
use switchboard_tests::fuzz::TARGETS;

const RUNS: u64 = 2_000;
/// Of a target that shakes hands for each input, one run counts for so many.
const HANDSHAKES: u64 = 40;
const LONGEST: usize = 1_200;

/// xorshift64*: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit.max(1)
    }
}

/// Valid inputs, from which mutations reach deeper than noise.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let file = |name: &str| std::fs::read(fixture(name)).expect("a fixture is missing");
    let head = |name: &str| file(name).into_iter().take(LONGEST).collect();
    match target {
        "wav" => vec![head("dtmf/all-8k-s16.wav"), file("broken/rf64.wav")[..600].to_vec()],
        "pcap" => vec![head("rtp/pcmu-events.pcap"), head("rtp/opus-events.pcap")],
        "rtp" => vec![vec![0x80, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0xf8, 0xff, 0xfe]],
        "receiver" => vec![
            packets(111, &[0xf8, 0xff, 0xfe]),
            packets(101, &[5, 0x8a, 3, 0x20]),
            packets(0, &[0x0f, 0x8f].repeat(80)),
            packets(9, &[0x35, 0xca].repeat(80)),
        ],
        "notification" => vec![br##"{"value":[{"changeType":"updated","resourceUrl":"/communications/calls/57dab8b1-894c-409a-b240-bd8beae78896","resourceData":{"@odata.type":"#microsoft.graph.call","state":"established","toneInfo":{"sequenceId":1,"tone":"tone1"}}}]}"##.to_vec()],
        "token" => vec![b"eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.eyJpc3MiOiJodHRwczovL2FwaS5ib3RmcmFtZXdvcmsuY29tIiwiYXVkIjoiYXBwIiwiZXhwIjo0MDAwMDAwMDAwLCJuYmYiOjF9.c2lnbmF0dXJl".to_vec()],
        "jwks" => vec![br#"{"keys":[{"kty":"RSA","use":"sig","kid":"k","e":"AQAB","n":"AQAB"}]}"#.to_vec()],
        "sdp" => vec![b"v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 110\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:110 telephone-event/48000\r\na=sendrecv\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 AA:BB\r\na=setup:actpass\r\n".to_vec()],
        "blob" => vec![br#"{"protocol":"whip","version":1,"endpoint":"http://h/","token":"t"}"#.to_vec()],
        "telephone_event" => vec![packets(101, &[5, 0x0a, 0, 0xa0]), packets(101, &[5, 0x8a, 3, 0x20])],
        "flow" => vec![br#"start="a"
[prompts.p]
text="x"
[nodes.a]
say="p"
listen={keys={1="b"},timeout=5,on_timeout="b"}
[nodes.b]
hang_up=true
"#.to_vec()],
        "scenario" => vec![br#"name="x"
[people.Carla]
steps=[{call="bot"},{press="12"},{hang_up=true}]
"#.to_vec()],
        "engine" => vec![br#"{"type":"intent","name":"hours","confidence":0.9,"slots":{}}"#.to_vec()],
        "stream" => vec![br#"{"event":"media","streamSid":"x","media":{"payload":"AAAA"}}"#.to_vec(), br#"{"kind":"AudioData","audioData":{"data":"AAAA","timestamp":"2026-01-01T00:00:00Z","silent":false}}"#.to_vec()],
        "call" => vec![told("established"), told("terminated")],
        "reminders" => vec![b"phone,at,text,var.name,attempts\n+4915112345678,2026-03-28T09:00,Hello {name},Ada,2\n".to_vec()],
        // Carried well, then strangers and the peer; the first flights lost; one changed.
        "link" => vec![
            spoken(&[(255, ""), (0, "\u{16}hello"), (2, "\0\u{1}"), (1, "\u{16}hello"), (3, "x")]),
            [&[6][..], &[255, 255, 255, 255, 0, 0]].concat(),
            [&[12][..], &[255, 255, 255, 255, 255, 255, 255, 40, 255, 255, 70, 255]].concat(),
        ],
        "rtcp" => vec![packets(200, &[0; 16])],
        "ogg" => vec![head("speech/command-en.opus")],
        // Answered, told, a menu's keys, a PIN's.
        "conversation" => vec![vec![0, 1, 3, 0x2e, 3, 0x4e, 0x7e, 0x1e, 0x1e, 12, 3, 0x9e]],
        // Says, collects and listens; answered, media, keys, words.
        "program" => vec![vec![4, 0, 0x41, 3, 0x4a, 0, 1, 3, 0x1e, 0x2e, 0xbe, 2, 4, 13, 0x1e]],
        "engine_link" => vec![spoken(&[
            (3, ""),
            (2, ""),
            (7, ""),
            (8, r#"{"type":"ready","version":1,"features":true}"#),
            (1, ""),
            (7, ""),
            (8, r#"{"type":"hang_up"}"#),
        ])],
        "agent_session" => [0, 1]
            .map(|kind| {
                let said = r#"{"event":"media","streamSid":"x","media":{"payload":"AAAA"}}"#;
                [vec![kind], spoken(&[(4, ""), (8, ""), (0, "heard"), (10, said), (2, "")])].concat()
            })
            .to_vec(),
        "graph_answer" => vec![
            [&[0, 100, 0][..], br#"{"value":[{"id":"x"}],"@odata.nextLink":"https://graph.microsoft.com/v1.0/communications/calls/x"}"#].concat(),
            [&[0, 100, 0][..], br#"{"token_type":"Bearer","expires_in":3599,"access_token":"t"}"#].concat(),
            [&[1, 73, 2, b'1', b'0'][..], br#"{"error":{"code":"TooManyRequests","message":"later"}}"#].concat(),
        ],
        "wav_stream" => vec![head("dtmf/all-8k-s16.wav"), head("dtmf/all-48k-stereo-s16.wav")],
        _ => vec![Vec::new()],
    }
}

/// What happens on a connection, each behind its length.
fn spoken(what: &[(u8, &str)]) -> Vec<u8> {
    let pieces = what.iter().map(|(kind, text)| {
        let length = u8::try_from(text.len() + 1).expect("it fits");
        [&[length, *kind], text.as_bytes()].concat()
    });
    pieces.collect::<Vec<_>>().concat()
}

/// Inputs that once were too much for a target, or would be for a careless one.
fn kept(target: &str) -> Vec<Vec<u8>> {
    let Ok(files) = std::fs::read_dir(folder().join(target)) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = files.flatten().map(|file| file.path()).collect();
    // The same order everywhere, so that the same mutations are made.
    paths.sort();
    let files = paths.iter().map(std::fs::read);
    files.collect::<Result<_, _>>().expect("a file is there")
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/kept")
}

/// A call's state, five seconds later, behind its length.
fn told(state: &str) -> Vec<u8> {
    let call = "/communications/calls/57dab8b1-894c-409a-b240-bd8beae78896";
    let body = format!(
        r##"{{"value":[{{"changeType":"updated","resourceUrl":"{call}","resourceData":{{"@odata.type":"#microsoft.graph.call","state":"{state}"}}}}]}}"##
    );
    let length = u8::try_from(body.len() + 1).expect("it fits");
    [&[length, 5], body.as_bytes()].concat()
}

/// Twenty packets, each behind its length.
fn packets(payload_type: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for n in 0..20u8 {
        bytes.push(12 + payload.len() as u8);
        bytes.extend([0x80, payload_type, 0, n, 0, 0, n, 0, 0, 0, 0, 1]);
        bytes.extend(payload);
    }
    bytes
}

fn mutated(random: &mut Random, seed: &[u8]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(6) {
        let (at, byte) = (random.below(bytes.len() + 1), random.next() as u8);
        match random.below(5) {
            0 => bytes.insert(at, byte),
            1 => bytes.truncate(at),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 if at < bytes.len() => bytes[at] ^= 1 << (byte & 7),
            _ if at < bytes.len() => bytes[at] = byte,
            _ => bytes.push(byte),
        }
    }
    bytes
}

fn noise(random: &mut Random) -> Vec<u8> {
    (0..random.below(LONGEST))
        .map(|_| random.next() as u8)
        .collect()
}

#[test]
fn every_target_survives_a_short_run() {
    let runs = env::var("SWITCHBOARD_FUZZ_RUNS").ok();
    let runs = runs.and_then(|runs| runs.parse().ok()).unwrap_or(RUNS);
    let only = env::var("SWITCHBOARD_FUZZ_TARGET").ok();
    let is_asked = |name: &str| only.as_deref().is_none_or(|only| only == name);
    assert!(TARGETS.iter().any(|(name, _)| is_asked(name)));
    for (name, target) in TARGETS.iter().filter(|(name, _)| is_asked(name)) {
        let mut seeds = seeds(name);
        seeds.extend(kept(name));
        let mut random = Random(0x5eed);
        for seed in &seeds {
            target(seed);
        }
        let runs = match *name {
            "link" => runs / HANDSHAKES,
            _ => runs,
        };
        for run in 0..runs {
            let bytes = match run % 4 {
                0 => noise(&mut random),
                _ => {
                    let seed = &seeds[random.below(seeds.len())];
                    mutated(&mut random, seed)
                }
            };
            target(&bytes);
        }
    }
}

#[test]
fn what_is_kept_is_of_a_target() {
    let folders = std::fs::read_dir(folder()).expect("the folder is there");
    let mut count = 0;
    for folder in folders.flatten() {
        let name = folder.file_name();
        let known = TARGETS.iter().any(|(target, _)| name == **target);
        assert!(known, "{} is no target", folder.path().display());
        count += kept(&name.to_string_lossy()).len();
    }
    assert!(count >= 13, "{count} inputs are kept");
}
