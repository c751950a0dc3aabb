//! Gaps in the audio of bots in rooms. In a call of two the phone has them; here all hear the
//! mix, which has none.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use switchboard_media::engine::LegStats;

use super::Hub;

/// What has come so far from a bot with media of its own.
#[derive(Debug, Default)]
pub(super) struct Heard {
    received: AtomicU64,
    lost: AtomicU64,
    stalled_ms: AtomicU64,
}

impl Heard {
    pub(super) fn note(&self, stats: &LegStats) {
        self.received.store(stats.received, Ordering::Relaxed);
        self.lost.store(stats.lost, Ordering::Relaxed);
        self.stalled_ms.store(stats.stalled_ms, Ordering::Relaxed);
    }
}

/// The bots that are listened to, by room and seat, each with its call.
#[derive(Debug, Default)]
pub(super) struct Listening(HashMap<(String, u32), (String, Arc<Heard>)>);

impl Hub {
    /// A bot's media joins a room: what comes is judged when it leaves.
    pub(super) fn listen_to(&self, room: &str, seat: u32, call: &str) -> Arc<Heard> {
        let heard = Arc::new(Heard::default());
        let place = (room.to_owned(), seat);
        let bot = (call.to_owned(), Arc::clone(&heard));
        self.lock().listening.0.insert(place, bot);
        heard
    }

    /// A bot leaves its seat, or everybody the room: before anyone is told of it, so that
    /// whoever asks then finds the verdict.
    pub(super) fn judge_gaps(&self, listening: &mut Listening, room: &str, seat: Option<u32>) {
        listening.0.retain(|(of, number), (call, heard)| {
            let leaves = of == room && seat.is_none_or(|seat| seat == *number);
            if leaves {
                let [received, lost, stalled_ms] =
                    [&heard.received, &heard.lost, &heard.stalled_ms]
                        .map(|figure| figure.load(Ordering::Relaxed));
                self.judge(|judge| {
                    judge.received(call, received, lost);
                    judge.stalled(call, received, stalled_ms);
                });
            }
            !leaves
        });
    }
}
