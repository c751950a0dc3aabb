//! Conference mixing: everyone hears everyone else, and who speaks is known.
//!
//! Sans-IO, one round per 20 ms: [`Mixer::put`] for everyone who sent audio,
//! [`Mixer::turn`] once, [`Mixer::heard_by`] for everyone who listens. What one
//! hears is the sum of all minus oneself (N−1), made once and not per listener,
//! then brought under full scale without clicks or clipping.
//!
//! [`Mixer::dominant`] ranks who speaks, as Teams gives a bot its dominant
//! speakers: by how long and how far above their own background noise they have
//! been heard lately, so that a cough does not take the floor and the order does
//! not flicker. The first few can be forwarded as separate streams.

mod floor;
mod limiter;

use zeroize::Zeroize;

use crate::codec::RATE;
use floor::Floor;
use limiter::Limiter;

/// Samples of a round: 20 ms at 16 kHz.
pub const MIX_FRAME: usize = RATE as usize / 50;

/// One participant's audio of this round and what is remembered of it.
struct Seat {
    frame: Box<[f32; MIX_FRAME]>,
    /// Whether `frame` is part of the mix.
    spoke: bool,
    limiter: Limiter,
}

/// Mixes a fixed number of seats; allocates only when made, wipes on drop.
pub struct Mixer {
    seats: Box<[Seat]>,
    sum: Box<[f32]>,
    floor: Floor,
}

impl Mixer {
    /// A mixer for participants numbered from 0 to `seats` − 1.
    pub fn new(seats: usize) -> Self {
        let seat = |_| Seat {
            frame: Box::new([0.0; MIX_FRAME]),
            spoke: false,
            limiter: Limiter::default(),
        };
        Self {
            seats: (0..seats).map(seat).collect(),
            sum: vec![0.0; MIX_FRAME].into(),
            floor: Floor::new(seats),
        }
    }

    /// Takes a participant's audio for this round (−1…1; what is missing of a
    /// shorter frame, or no number, is silence). Unknown seats are ignored.
    pub fn put(&mut self, seat: usize, audio: &[f32]) {
        let Some(seat) = self.seats.get_mut(seat) else {
            return;
        };
        seat.spoke = true;
        seat.frame.fill(0.0);
        for (place, sample) in seat.frame.iter_mut().zip(audio) {
            if sample.is_finite() {
                *place = sample.clamp(-1.0, 1.0);
            }
        }
    }

    /// Ends the round's input: whoever did not [`put`](Self::put) was silent.
    pub fn turn(&mut self) {
        self.sum.fill(0.0);
        for (index, seat) in self.seats.iter_mut().enumerate() {
            if !std::mem::take(&mut seat.spoke) {
                seat.frame.fill(0.0);
                self.floor.hear(index, 0.0);
                continue;
            }
            let mut energy = 0.0;
            for (sum, sample) in self.sum.iter_mut().zip(&*seat.frame) {
                *sum += sample;
                energy += sample * sample;
            }
            self.floor.hear(index, energy / MIX_FRAME as f32);
        }
        self.floor.rank();
    }

    /// Writes what a participant hears of the last round: everyone but itself.
    /// Nothing is written past [`MIX_FRAME`] samples; an unknown seat hears
    /// everyone, unlimited (for a recorder, see [`Self::seats`]).
    pub fn heard_by(&mut self, seat: usize, out: &mut [f32]) {
        let Some(seat) = self.seats.get_mut(seat) else {
            let length = out.len().min(MIX_FRAME);
            out[..length].copy_from_slice(&self.sum[..length]);
            return;
        };
        for ((out, sum), own) in out.iter_mut().zip(&self.sum).zip(&*seat.frame) {
            *out = sum - own;
        }
        let length = out.len().min(MIX_FRAME);
        seat.limiter.process(&mut out[..length]);
    }

    /// What a participant said in the last round, as it is in the mix; `None` of an
    /// unknown seat.
    pub fn said(&self, seat: usize) -> Option<&[f32; MIX_FRAME]> {
        self.seats.get(seat).map(|seat| &*seat.frame)
    }

    /// Who speaks, most dominant first; those who were silent for some seconds
    /// are not among them.
    pub fn dominant(&self) -> &[usize] {
        self.floor.speakers()
    }

    /// How many participants there can be.
    pub fn seats(&self) -> usize {
        self.seats.len()
    }

    /// Empties a seat for another participant.
    pub fn leave(&mut self, seat: usize) {
        self.floor.forget(seat);
        if let Some(seat) = self.seats.get_mut(seat) {
            seat.frame.zeroize();
            seat.spoke = false;
            seat.limiter = Limiter::default();
        }
    }
}

impl Drop for Mixer {
    fn drop(&mut self) {
        self.sum.zeroize();
        for seat in &mut self.seats {
            seat.frame.zeroize();
        }
    }
}

#[cfg(test)]
mod tests;
