//! A call's span, for whoever traces calls.

use switchboard_signaling::spans::TARGET;
use tracing::Span;
use tracing::field::Empty;

use super::{CallReport, Task};

impl Task {
    /// The span to run it in. It has no word of what is said, pressed or chosen in the call, the
    /// flow's `outcome` included, nor with whom it is.
    pub(crate) fn span(&self) -> Span {
        let (direction, kind) = match self.origin.incoming {
            true => ("incoming", "server"),
            false => ("outgoing", "client"),
        };
        tracing::info_span!(
            target: TARGET,
            "call",
            otel.kind = kind,
            call.direction = direction,
            call.flow = self.origin.flow,
            call.id = Empty,
            call.answered = Empty,
            call.cause = Empty,
            call.code = Empty,
            call.subcode = Empty,
        )
    }
}

impl CallReport {
    /// Puts how it ended into the call's span, which is the current one.
    pub(super) fn trace(&self) {
        let span = Span::current();
        if let Some(id) = &self.id {
            span.record("call.id", id.as_str());
        }
        span.record("call.answered", self.answered);
        let Some(end) = &self.end else { return };
        span.record("call.cause", end.cause.name());
        span.record("call.code", end.code);
        span.record("call.subcode", end.subcode);
    }
}
