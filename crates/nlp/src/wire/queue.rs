//! What waits to be sent: control is kept, the oldest analysis gives way.

use std::collections::VecDeque;

use super::{AnalysisKind, Frame};

/// A bounded queue in the order of events.
pub(super) struct Queue {
    control: VecDeque<(u64, Frame)>,
    analysis: VecDeque<(u64, AnalysisKind, Frame)>,
    most_control: usize,
    most_analysis: usize,
    pushed: u64,
}

impl Queue {
    pub(super) fn new(most_control: usize, most_analysis: usize) -> Self {
        Self {
            control: VecDeque::with_capacity(most_control),
            analysis: VecDeque::with_capacity(most_analysis),
            most_control,
            most_analysis,
            pushed: 0,
        }
    }

    /// Takes a control message; `false` when there is no room for it.
    pub(super) fn push_control(&mut self, frame: Frame) -> bool {
        if self.control.len() >= self.most_control {
            return false;
        }
        self.pushed += 1;
        self.control.push_back((self.pushed, frame));
        true
    }

    /// Takes a frame; `false` when the oldest one had to go for it.
    pub(super) fn push_analysis(&mut self, kind: AnalysisKind, frame: Frame) -> bool {
        let full = self.analysis.len() >= self.most_analysis;
        if full {
            self.analysis.pop_front();
        }
        self.pushed += 1;
        self.analysis.push_back((self.pushed, kind, frame));
        !full
    }

    pub(super) fn pop(&mut self) -> Option<Frame> {
        let control = self.control.front().map(|(order, _)| *order);
        let analysis = self.analysis.front().map(|(order, ..)| *order);
        match (control, analysis) {
            (Some(control), Some(analysis)) if control < analysis => self.pop_control(),
            (Some(_), None) => self.pop_control(),
            _ => self.analysis.pop_front().map(|(.., frame)| frame),
        }
    }

    pub(super) fn pop_control(&mut self) -> Option<Frame> {
        self.control.pop_front().map(|(_, frame)| frame)
    }

    pub(super) fn retain_analysis(&mut self, keep: impl Fn(AnalysisKind) -> bool) {
        self.analysis.retain(|(_, kind, _)| keep(*kind));
    }

    /// Forgets everything; says how many frames of analysis that were.
    pub(super) fn clear(&mut self) -> usize {
        let frames = self.analysis.len();
        self.control.clear();
        self.analysis.clear();
        frames
    }

    pub(super) fn is_empty(&self) -> bool {
        self.control.is_empty() && self.analysis.is_empty()
    }

    #[cfg(test)]
    pub(super) fn lens(&self) -> (usize, usize) {
        (self.control.len(), self.analysis.len())
    }
}
