//! Speakers' lines beside the mix.

use switchboard_media::event::MediaEvent;
use switchboard_media::rtp::RtpHeader;

use super::*;
use crate::sdp::local::speaker_ssrc;

const SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];

fn call(speakers: usize) -> Call {
    Call::with_speakers(speakers, |offer, answer| (offer, answer)).connect()
}

impl Call {
    /// A packet of the caller's: of the mix, or of the `n`th speaker's line.
    fn said(&mut self, n: usize, count: u32, csrc: Option<u32>) -> Vec<u8> {
        let header = RtpHeader {
            payload_type: 111,
            timestamp: count * 960,
            ssrc: speaker_ssrc(self.caller.link.stream.ssrc(), n),
            csrc,
            ..RtpHeader::default()
        };
        self.caller.link.stream.seal_as(&header, &SILENCE)
    }

    /// Packets that came to the bot, of the mix and of each line.
    fn heard(&self) -> Vec<u64> {
        let lines = self.bot.speakers.iter();
        let all = std::iter::once(&self.bot._app).chain(lines);
        all.map(|app| app.stats().received).collect()
    }

    /// Waits for the worker until the bot heard as much.
    fn heard_at_last(&self, expected: &[u64]) {
        let until = Instant::now() + Duration::from_secs(30);
        while self.heard() != expected {
            assert!(Instant::now() < until, "{:?}", self.heard());
            std::thread::yield_now();
        }
    }
}

#[test]
fn each_line_hears_its_own_stream_and_the_rest_is_refused() {
    let mut call = call(2);
    let from = address(CALLER);
    for count in 0..9 {
        for n in [0, 1, 1, 2, 2, 2] {
            let packet = call.said(n, count, Some(7));
            assert_eq!(call.bot_takes(from, &packet), Ok(()));
        }
        let unknown = call.said(3, count, Some(7));
        assert_eq!(call.bot_takes(from, &unknown), Err(Refused::Unknown));
        call.now += Duration::from_millis(20);
    }
    call.heard_at_last(&[9, 18, 27]);
}

#[test]
fn a_caller_without_lines_sends_what_it_likes_into_the_mix() {
    let mut call = call(0);
    for n in [0, 1, 2] {
        let packet = call.said(n, 0, None);
        assert_eq!(call.bot_takes(address(CALLER), &packet), Ok(()));
    }
    call.heard_at_last(&[3]);
}

#[test]
fn who_speaks_in_a_line_is_told_before_what_they_say() {
    let mut call = call(1);
    let mut sources = Vec::new();
    for count in 0..60 {
        let packet = call.said(1, count, Some(1 + count / 30));
        assert_eq!(call.bot_takes(address(CALLER), &packet), Ok(()));
        call.now += Duration::from_millis(20);
    }
    let until = Instant::now() + Duration::from_secs(30);
    while sources.len() < 2 {
        assert!(Instant::now() < until, "{sources:?}");
        if let Some(MediaEvent::Source { source }) = call.bot.speakers[0].event() {
            sources.push(source);
        }
    }
    assert_eq!(sources, [1, 2]);
}

#[test]
fn lies_about_contributing_sources_are_refused() {
    let mut call = call(1);
    let from = address(CALLER);
    for count in 0..16u8 {
        let honest = call.said(1, count.into(), Some(7));
        let mut lie = honest.clone();
        lie[0] = lie[0] & 0xf0 | count;
        let refused = call.bot_takes(from, &lie);
        if count == 1 {
            assert_eq!(refused, Ok(()));
        } else {
            assert!(
                matches!(refused, Err(Refused::Forged | Refused::Malformed)),
                "{count}: {refused:?}"
            );
            assert_eq!(call.bot_takes(from, &honest), Ok(()));
        }
    }
    call.heard_at_last(&[0, 16]);
}

/// Lines may bring as much as the mix, each; no more than that.
#[test]
fn an_authentic_flood_of_speakers_is_policed() {
    let mut call = call(4);
    let mut taken = 0;
    for count in 0..200 {
        for n in 0..=4 {
            let packet = call.said(n, count, Some(n as u32));
            taken += u32::from(call.bot_takes(address(CALLER), &packet).is_ok());
        }
    }
    assert_eq!(taken, 500);
}

#[test]
fn lines_allocate_nothing() {
    let mut call = call(4);
    let from = address(CALLER);
    let packets: Vec<_> = (0..5_000u32)
        .map(|count| call.said(count as usize % 5, count / 5, Some(count / 100)))
        .collect();
    // The first packet of a source makes its place.
    for packet in &packets[..5] {
        assert_eq!(call.bot_takes(from, packet), Ok(()));
    }
    let (mut out, mut taken) = (Outbox::new(), 0);
    let mut scratch = packets[0].clone();
    let allocations = crate::counting::allocations(|| {
        for (n, packet) in packets.iter().enumerate().skip(5) {
            let now = call.now + Duration::from_millis(4) * n as u32;
            let link = &mut call.bot.link;
            scratch.copy_from_slice(packet);
            taken += u32::from(link.receive_rtp(now, from, &mut scratch, &mut out).is_ok());
            link.flush(now, &mut out);
            out.clear();
        }
    });
    assert_eq!((taken, allocations), (4_995, 0));
}
