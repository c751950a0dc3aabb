// What happened in a call, on the call's own clock (ms since it was created). Lives as long
// as the page shows the call; the next one starts with an empty one.

const LEVEL_STEP_MS = 100;

export class Timeline {
  speech = [];
  digits = [];
  prompts = [];
  meetings = [];
  heard = [];
  played = [];
  endedAt = null;
  #zero = performance.now();

  /** Where we are, or where the call ended. */
  now() {
    return this.endedAt ?? performance.now() - this.#zero;
  }

  /** Takes an event of the server's in. */
  apply(event) {
    // The least delayed event is the best estimate of when the call's clock read zero.
    if (Number.isFinite(event.t_ms)) this.#zero = Math.min(this.#zero, performance.now() - event.t_ms);
    this[`on_${event.type}`]?.(event);
  }

  /** Notes how loud the far end is, as measured here. */
  played_at(dbov) {
    note(this.played, this.now(), dbov);
  }

  /** Notes how loud this end is, as measured here (where no one else reports it). */
  heard_at(dbov) {
    note(this.heard, this.now(), dbov);
  }

  /** Someone else is at the far end from now on. */
  meets(name) {
    this.meetings.push({ t: this.now(), name });
  }

  /** Freezes the clock and ends what was open. */
  end() {
    if (this.endedAt !== null) return;
    this.endedAt = this.now();
    for (const span of [...this.speech, ...this.prompts]) span.end ??= this.endedAt;
  }

  on_level({ t_ms, dbov }) {
    note(this.heard, t_ms, dbov);
  }

  on_dtmf({ t_ms, digit, source, duration_ms }) {
    this.digits.push({ t: t_ms, digit, source, duration: duration_ms });
  }

  on_speech({ start_ms, end_ms }) {
    const open = this.speech.find((span) => span.start === start_ms) ?? this.speech.findLast((span) => span.end === undefined);
    if (open) {
      open.start = start_ms;
      open.end = end_ms;
    } else {
      this.speech.push({ start: start_ms, end: end_ms });
    }
  }

  on_prompt({ t_ms, name, state }) {
    const open = this.prompts.findLast((span) => span.end === undefined);
    if (state === 'started') {
      if (open) open.end = t_ms;
      this.prompts.push({ start: t_ms, name });
    } else if (open) {
      open.end = t_ms;
      open.cut = state === 'interrupted';
    }
  }
}

function note(levels, t, dbov) {
  const last = levels.at(-1);
  if (last && t - last.t < LEVEL_STEP_MS) last.dbov = Math.max(last.dbov, dbov);
  else levels.push({ t, dbov });
}
