//! A call's span, for whoever traces calls.

use switchboard_signaling::spans::TARGET;
use switchboard_signaling::types::CallId;
use tracing::Span;
use tracing::field::Empty;

use super::CallReport;
use crate::bot::Origin;

impl Origin {
    /// The span to run the call in, and all that is done for it elsewhere; `id` if it is known
    /// already. It has no word of what is said, pressed or chosen in the call, the flow's
    /// `outcome` included, nor with whom it is.
    pub(crate) fn span(&self, id: Option<&str>) -> Span {
        let (direction, kind) = match self.incoming {
            true => ("incoming", "server"),
            false => ("outgoing", "client"),
        };
        tracing::info_span!(
            target: TARGET,
            "call",
            otel.kind = kind,
            call.direction = direction,
            call.flow = self.flow,
            call.id = id,
            call.answered = Empty,
            call.cause = Empty,
            call.code = Empty,
            call.subcode = Empty,
        )
    }
}

/// Puts the id that Graph gave a call into its span, which is the current one.
pub(super) fn name(id: &CallId) {
    Span::current().record("call.id", id.as_str());
}

impl CallReport {
    /// Puts how it ended into the call's span, which is the current one.
    pub(super) fn trace(&self) {
        let span = Span::current();
        span.record("call.answered", self.answered);
        let Some(end) = &self.end else { return };
        span.record("call.cause", end.cause.name());
        span.record("call.code", end.code);
        span.record("call.subcode", end.subcode);
    }
}
