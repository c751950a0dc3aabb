// What happened in a call, on the call's own clock (ms since it was created): a lane for
// each who is in it. Lives as long as the page shows the call; the next one starts with an
// empty one.

import { Sounds } from './sounds.js';

const LEVEL_STEP_MS = 100;
/** A key that was pressed; which one is between who pressed it and the bot. */
const SOME_KEY = '•';
const KEY_MS = 120;

// One who is in the call: how loud, when heard speaking, which keys, which prompts.
class Lane {
  levels = [];
  speech = [];
  digits = [];
  prompts = [];
  leftAt = null;

  constructor(id, name) {
    Object.assign(this, { id, name });
    this.measured = new Sounds();
  }

  /** Ends what is open. */
  end(t) {
    this.measured.rest();
    for (const span of [...this.speech, ...this.prompts]) span.end ??= t;
  }

  note(t, dbov) {
    const last = this.levels.at(-1);
    if (last && t - last.t < LEVEL_STEP_MS) last.dbov = Math.max(last.dbov, dbov);
    else this.levels.push({ t, dbov });
  }
}

export class Timeline {
  /** This phone's lane first; between two, the far end's is the other. */
  lanes = [new Lane(null, 'You'), new Lane(null, 'Bot')];
  meetings = [];
  endedAt = null;
  /** Whether several are in the call, each with an id. */
  shared = false;
  /** Whether the server tells how loud this end is. */
  reported = false;
  #zero = performance.now();
  #handedOver;

  /** `handedOver`: somebody else's call, taken over from the bot; what is heard is theirs. */
  constructor({ handedOver = false } = {}) {
    this.#handedOver = handedOver;
  }

  /** Where we are, or where the call ended. */
  now() {
    return this.endedAt ?? performance.now() - this.#zero;
  }

  /** Takes an event of the server's in. */
  apply(event) {
    // The least delayed event is the best estimate of when the call's clock read zero.
    if (Number.isFinite(event.t_ms)) this.#zero = Math.min(this.#zero, performance.now() - event.t_ms);
    const lane = this.lane(event);
    if (lane) this[`on_${event.type}`]?.(lane, event);
  }

  /** Whose an event is. */
  lane({ type, participant, far: ofFar }) {
    const [own, far] = this.lanes;
    if (this.shared) return this.lanes.find((lane) => lane.id === participant);
    return type === 'prompt' || ofFar || this.#handedOver ? far : own;
  }

  /** Whether an event is this phone's own. */
  isOwn(event) {
    return this.lane(event) === this.lanes[0];
  }

  /** Names the far end of a call between two. */
  nameFarEnd(name) {
    if (!this.shared) this.lanes[1].name = name;
  }

  /** Who is in the call now; gives the names of those who came and went. */
  attend({ own, participants }) {
    if (!this.shared) {
      this.lanes[0].id = own;
      this.lanes.length = 1;
      this.shared = true;
    }
    const there = new Set(participants.map(({ participant }) => participant));
    const gone = this.lanes.filter((lane) => lane.leftAt === null && !there.has(lane.id));
    for (const lane of gone) {
      lane.leftAt = this.now();
      lane.end(lane.leftAt);
    }
    const known = new Set(this.lanes.map(({ id }) => id));
    const come = participants.filter(({ participant }) => !known.has(participant)).map(({ participant, name }) => new Lane(participant, name));
    this.lanes.push(...come);
    const names = (lanes) => lanes.map(({ name }) => name);
    return { come: names(come), gone: names(gone) };
  }

  /** Those who are there beside this phone. */
  others() {
    return this.lanes.slice(1).filter((lane) => lane.leftAt === null).map(({ name }) => name);
  }

  /** Notes how loud the far end is, as measured here: of one, not of several. What it says is a
   * prompt, as far as one can tell, if nobody else tells more. */
  played_at(dbov) {
    if (this.shared) return;
    const [, far] = this.lanes;
    far.note(this.now(), dbov);
    if (!this.reported && !this.#handedOver) far.measured.hear(far.prompts, this.now(), dbov, 'sound');
  }

  /** Notes how loud this end is, as measured here (where no one else reports it), and what that
   * makes: speech, as far as one can tell. */
  heard_at(dbov) {
    const [own] = this.lanes;
    own.note(this.now(), dbov);
    own.measured.hear(own.speech, this.now(), dbov);
  }

  /** A key was pressed here: the lane shows that, unless the server tells what was heard. */
  pressed() {
    if (!this.reported) this.lanes[0].digits.push({ t: this.now(), digit: SOME_KEY, source: 'pressed', duration: KEY_MS });
  }

  /** Someone else is at the far end from now on. */
  meets(name) {
    this.meetings.push({ t: this.now(), name });
  }

  /** Freezes the clock and ends what was open. */
  end() {
    if (this.endedAt !== null) return;
    this.endedAt = this.now();
    for (const lane of this.lanes) lane.end(this.endedAt);
  }

  on_level(lane, { t_ms, dbov, far }) {
    // The far end's is measured here, where it is heard.
    if (this.#handedOver || far) return;
    // From here on everything is told; what is being measured is told as well.
    if (!this.reported) for (const { measured, speech, prompts } of this.lanes) measured.drop(speech, prompts);
    this.reported = true;
    lane.note(t_ms, dbov);
  }

  on_dtmf(lane, { t_ms, digit, source, duration_ms }) {
    lane.digits.push({ t: t_ms, digit, source, duration: duration_ms });
  }

  on_key(lane, { t_ms, duration_ms }) {
    lane.digits.push({ t: t_ms, digit: SOME_KEY, source: 'pressed', duration: duration_ms });
  }

  on_speech({ speech }, { start_ms, end_ms }) {
    const open = speech.find((span) => span.start === start_ms) ?? speech.findLast((span) => span.end === undefined);
    if (open) {
      open.start = start_ms;
      open.end = end_ms;
    } else {
      speech.push({ start: start_ms, end: end_ms });
    }
  }

  on_prompt({ prompts }, { t_ms, name, state }) {
    const open = prompts.findLast((span) => span.end === undefined);
    if (state === 'started') {
      if (open) open.end = t_ms;
      prompts.push({ start: t_ms, name });
    } else if (open) {
      open.end = t_ms;
      open.cut = state === 'interrupted';
    }
  }
}
