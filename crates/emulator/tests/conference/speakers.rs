//! An application hears the dominant speakers apart from the mix.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Value, json};
use switchboard_media::engine::{LIVE_FRAME, LiveAudio};
use switchboard_transport::Session;
use tokio::time::{Duration, Instant, sleep_until, timeout};

use crate::singer::{LEVEL, RATE, Singer, connected, dial_in, loudness};
use crate::support::{LIMIT, Site, app_hosted};
use crate::{join, meeting};

/// What an application hears, by the source that is named.
struct Listener {
    call: String,
    lines: Vec<LiveAudio>,
    heard: BTreeMap<u32, Vec<f32>>,
    /// Kept for what it holds: dropping it leaves.
    _session: Session,
}

impl Listener {
    /// Joins a meeting as an application with media of its own.
    async fn join(site: &Site, join_id: &str) -> Self {
        let mut reservation = site.bot.whip.reserve();
        let media = app_hosted(&reservation.blob().to_wire());
        let body = join(join_id, &media, &site.bot.url("/api/calls"));
        let (status, call) = site.post("", body).await;
        assert_eq!(status, StatusCode::CREATED, "{call}");
        let session = timeout(LIMIT, reservation.session()).await.unwrap();
        let mut session = session.unwrap();
        connected(&mut session).await;
        let mut lines = session.take_speakers();
        for line in &mut lines {
            line.ears.listen();
        }
        Self {
            call: call["id"].as_str().unwrap().to_owned(),
            lines,
            heard: BTreeMap::new(),
            _session: session,
        }
    }

    fn listen(&mut self) {
        for line in &mut self.lines {
            let heard = &mut self.heard;
            let mut hear = |source: Option<u32>, _, frame: &[f32; LIVE_FRAME]| {
                heard.entry(source.unwrap()).or_default().extend(frame);
            };
            while line.ears.receive_of(&mut hear).is_some() {}
        }
    }

    /// How loud a tone is in the last second a source said.
    fn hears(&self, source: u32, hz: f32) -> f32 {
        let heard = self.heard.get(&source).map_or(&[][..], Vec::as_slice);
        loudness(&heard[heard.len().saturating_sub(RATE)..], hz)
    }

    /// Whether a source is heard with this tone, and with none of the others.
    fn hears_alone(&self, source: u32, hz: f32, singers: &[Singer]) -> bool {
        let mut others = singers.iter().filter(|other| other.hz != hz);
        self.hears(source, hz) > LEVEL / 5.0
            && others.all(|other| self.hears(source, other.hz) < LEVEL / 20.0)
    }
}

/// Lets people sing, with a breath now and then as speakers have, until the listener hears
/// what it should.
async fn until(
    singers: &mut [Singer],
    listener: &mut Listener,
    what: &str,
    right: impl Fn(&Listener, &[Singer]) -> bool,
) {
    let start = Instant::now();
    for round in 1.. {
        for singer in singers.iter_mut() {
            match round % 50 {
                0..40 => singer.sing(),
                _ => singer.breathe(),
            }
            singer.listen();
        }
        listener.listen();
        if round % 50 == 40 && right(listener, singers) {
            return;
        }
        assert!(start.elapsed() < LIMIT, "{what}");
        sleep_until(start + Duration::from_millis(20) * round).await;
    }
}

/// The sources of those who dialled in, in their order.
async fn sources(site: &Site, call: &str) -> Vec<(String, u32)> {
    let path = format!("/{call}/participants");
    let (_, roster) = site.graph("GET", &path, None).await;
    let people = roster["value"].as_array().unwrap().iter().skip(1);
    let source = |person: &Value| {
        let source = person["mediaStreams"][0]["sourceId"].as_str().unwrap();
        (
            person["id"].as_str().unwrap().to_owned(),
            source.parse().unwrap(),
        )
    };
    people.map(source).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_hears_each_speaker_apart_by_the_rosters_source() {
    let site = Site::start().await;
    let (_, join_id) = meeting(&site).await;
    let mut listener = Listener::join(&site, &join_id).await;
    assert_eq!(listener.lines.len(), 4);
    let mut singers = Vec::new();
    for hz in [400.0, 700.0, 1100.0] {
        singers.push(dial_in(&site, &join_id, hz).await);
    }
    let people = sources(&site, &listener.call).await;
    let source = |n: usize| people[n].1;
    until(
        &mut singers,
        &mut listener,
        "all are heard apart",
        |heard, singers| {
            let mut all = singers.iter().enumerate();
            all.all(|(n, one)| heard.hears_alone(source(n), one.hz, singers))
        },
    )
    .await;
    assert_eq!(listener.heard.len(), 3, "nobody else was heard");

    // Who is muted is no speaker; the others are heard as before.
    let path = format!("/{}/participants/{}/mute", listener.call, people[1].0);
    assert_eq!(site.post(&path, json!({})).await.0, StatusCode::OK);
    listener.heard.clear();
    until(
        &mut singers,
        &mut listener,
        "the second is muted",
        |heard, singers| {
            heard.hears(source(1), singers[1].hz) < LEVEL / 20.0
                && heard.hears_alone(source(0), singers[0].hz, singers)
                && heard.hears_alone(source(2), singers[2].hz, singers)
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_speakers_than_lines_share_them_one_at_a_time() {
    let site = Site::start().await;
    let (_, join_id) = meeting(&site).await;
    let mut listener = Listener::join(&site, &join_id).await;
    let mut singers = Vec::new();
    for n in 0..5 {
        singers.push(dial_in(&site, &join_id, 400.0 + 300.0 * n as f32).await);
    }
    let people = sources(&site, &listener.call).await;
    // Four sing, then the fifth alone, which has the line of one who rests.
    let apart = |heard: &Listener, singers: &[Singer], n: usize| {
        heard.hears_alone(people[n].1, singers[n].hz, singers)
    };
    until(
        &mut singers[..4],
        &mut listener,
        "four are heard apart",
        |heard, singers| (0..4).all(|n| apart(heard, singers, n)),
    )
    .await;
    assert!(!listener.heard.contains_key(&people[4].1));
    until(
        &mut singers[4..],
        &mut listener,
        "the fifth is heard",
        |heard, singers| heard.hears_alone(people[4].1, singers[0].hz, singers),
    )
    .await;
    for (_, source) in &people[..4] {
        let fifth = listener.hears(*source, singers[4].hz);
        assert!(
            fifth < LEVEL / 20.0,
            "{source} sounds as the fifth: {fifth}"
        );
    }
}
