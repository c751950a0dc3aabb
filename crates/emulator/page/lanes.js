// Draws a timeline: a lane for each who is in the call over one running time axis.

const PIXELS_PER_SECOND = 34;
const EDGE = 14;
const AXIS = 26;
const CHIP = 22;
const FLOOR_DBOV = -66;
const IDLE = [{ name: 'You', leftAt: null }, { name: 'Bot', leftAt: null }];
const COLOURS = ['ink', 'muted', 'line', 'panel', 'sunk', 'accent', 'accent-soft', 'on-accent', 'slate', 'slate-soft'];

export class Lanes {
  #canvas;
  #colours = {};
  #named = '';

  constructor(canvas) {
    this.#canvas = canvas;
    const read = () => this.#readColours();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', read);
    read();
  }

  draw(timeline) {
    const shown = timeline?.lanes ?? IDLE;
    this.#name(shown);
    const paint = this.#begin();
    const { width, height } = this.#canvas.getBoundingClientRect();
    const scale = axis(timeline, width);
    const each = (height - AXIS) / shown.length;
    const places = shown.map((_, n) => ({ top: n * each, height: each, colour: n ? 'slate' : 'accent' }));
    this.#grid(paint, scale, width, height, places);
    if (timeline) {
      shown.forEach((lane, n) => this.#lane(paint, scale, timeline, lane, places[n]));
      if (!timeline.shared) this.#meetings(paint, scale, timeline.meetings, places[1]);
    }
    shown.forEach((lane, n) => this.#title(paint, title(lane), places[n].top, width));
    if (timeline?.endedAt === null) this.#playhead(paint, scale, timeline, height);
  }

  /** Makes room for the lanes and says to screen readers whose they are. */
  #name(lanes) {
    const names = lanes.map(title).join(', ');
    if (names === this.#named) return;
    this.#named = names;
    this.#canvas.parentElement.style.setProperty('--lanes', lanes.length);
    this.#canvas.setAttribute('aria-label', `Timeline: who spoke when, keys and prompts, of ${names}`);
  }

  #lane(paint, scale, timeline, lane, place) {
    for (const spans of [lane.speech, lane.prompts]) this.#spans(paint, scale, timeline, spans, place);
    this.#bars(paint, scale, lane.levels, place);
    this.#chips(paint, scale, lane.digits, place);
  }

  #readColours() {
    const style = getComputedStyle(document.body);
    for (const name of COLOURS) this.#colours[name] = style.getPropertyValue(`--${name}`).trim();
  }

  #begin() {
    const { width, height } = this.#canvas.getBoundingClientRect();
    const ratio = devicePixelRatio || 1;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.#canvas.width !== w || this.#canvas.height !== h) Object.assign(this.#canvas, { width: w, height: h });
    const paint = this.#canvas.getContext('2d');
    paint.setTransform(ratio, 0, 0, ratio, 0, 0);
    paint.clearRect(0, 0, width, height);
    return paint;
  }

  #grid(paint, scale, width, height, lanes) {
    const step = scale.perSecond < 12 ? 15 : 5;
    paint.font = '12px system-ui, sans-serif';
    paint.textBaseline = 'middle';
    paint.textAlign = 'center';
    const first = Math.ceil(scale.start / 1000 / step) * step;
    for (let second = first; scale.x(second * 1000) <= width - EDGE; second += step) {
      const x = Math.round(scale.x(second * 1000)) + 0.5;
      paint.fillStyle = this.#colours.line;
      paint.fillRect(x, 0, 1, height - AXIS);
      paint.fillStyle = this.#colours.muted;
      paint.fillText(clock(second), Math.max(x, EDGE + 4), height - AXIS / 2 + 2);
    }
    paint.fillStyle = this.#colours.line;
    for (const { top, height: tall } of lanes) paint.fillRect(0, Math.round(top + tall), width, 1);
  }

  #title(paint, name, top, width) {
    paint.font = '600 12px system-ui, sans-serif';
    paint.textAlign = 'right';
    // Nothing that scrolls past may run through a name.
    paint.fillStyle = this.#colours.sunk;
    const wide = paint.measureText(name).width;
    paint.fillRect(width - EDGE - wide - 8, top + 4, wide + 12, 24);
    paint.fillStyle = this.#colours.muted;
    paint.fillText(name, width - EDGE, top + 16);
  }

  #spans(paint, scale, timeline, spans, lane) {
    const [top, height] = body(lane);
    const { colour } = lane;
    for (const { start, end, name, cut } of spans) {
      const left = scale.x(start);
      const right = scale.x(end ?? timeline.now());
      if (right < 0) continue;
      paint.fillStyle = this.#colours[`${colour}-soft`];
      rounded(paint, left, top, Math.max(3, right - left), height, 6);
      paint.fillStyle = this.#colours[colour];
      rounded(paint, left, top + height - 3, Math.max(3, right - left), 3, 1.5);
      if (cut) paint.fillRect(right - 2, top, 2, height);
      if (name) this.#label(paint, `${words(name)}${cut ? ' – cut short' : ''}`, left, right, top);
    }
  }

  #label(paint, text, left, right, top) {
    const from = Math.max(left, 0) + 8;
    paint.save();
    paint.beginPath();
    paint.rect(from, top, Math.max(0, right - from - 4), 22);
    paint.clip();
    paint.font = '600 12px system-ui, sans-serif';
    paint.textAlign = 'left';
    paint.fillStyle = this.#colours.ink;
    paint.fillText(text, from, top + 13);
    paint.restore();
  }

  #bars(paint, scale, levels, lane) {
    const [top, height] = body(lane);
    const middle = top + height * 0.58;
    const reach = height * 0.36;
    const bar = Math.max(1, Math.min(2, scale.perSecond / 14));
    paint.fillStyle = this.#colours[lane.colour];
    for (const { t, dbov } of levels) {
      const x = scale.x(t);
      if (x < 0) continue;
      const size = Math.max(0.5, reach * loudness(dbov));
      paint.fillRect(x, middle - size, bar, size * 2);
    }
  }

  #chips(paint, scale, digits, { top }) {
    paint.font = '700 13px ui-monospace, monospace';
    paint.textAlign = 'center';
    for (const { t, digit, source, duration } of digits) {
      const x = scale.x(t - duration) - CHIP / 2;
      if (x < -CHIP) continue;
      const event = source !== 'inband';
      paint.fillStyle = this.#colours[event ? 'accent' : 'panel'];
      rounded(paint, x, top + 6, CHIP, CHIP, 6);
      if (!event) this.#dashed(paint, x, top + 6);
      paint.fillStyle = this.#colours[event ? 'on-accent' : 'ink'];
      paint.fillText(digit, x + CHIP / 2, top + 6 + CHIP / 2 + 1);
    }
  }

  #dashed(paint, x, y) {
    paint.save();
    paint.strokeStyle = this.#colours.accent;
    paint.lineWidth = 1.5;
    paint.setLineDash([3, 2]);
    paint.beginPath();
    paint.roundRect(x + 0.75, y + 0.75, CHIP - 1.5, CHIP - 1.5, 6);
    paint.stroke();
    paint.restore();
  }

  #meetings(paint, scale, meetings, { top, height }) {
    paint.font = '600 12px system-ui, sans-serif';
    paint.textAlign = 'left';
    paint.fillStyle = this.#colours.muted;
    for (const { t, name } of meetings) {
      const x = Math.round(scale.x(t));
      for (let y = top + 4; y < top + height - 8; y += 6) paint.fillRect(x, y, 1.5, 3);
      paint.fillText(`${name} takes over`, x + 8, body({ top, height })[0] + 13);
    }
  }

  #playhead(paint, scale, timeline, height) {
    const x = Math.round(scale.x(timeline.now()));
    paint.fillStyle = this.#colours.accent;
    paint.fillRect(x, 0, 1.5, height - AXIS);
  }
}

function title({ name, leftAt }) {
  return leftAt === null ? name : `${name}, has left`;
}

/** How full a meter is for a level in dBov, 0 to 1. */
export function loudness(dbov) {
  return Math.min(1, Math.max(0, 1 - dbov / FLOOR_DBOV));
}

/** Live, the axis follows the clock; afterwards the whole call is in view if it can be. */
function axis(timeline, width) {
  const room = width - 2 * EDGE;
  const now = timeline?.now() ?? 0;
  const over = timeline && timeline.endedAt !== null;
  const perSecond = over ? Math.max(3, Math.min(PIXELS_PER_SECOND, (room * 1000) / now)) : PIXELS_PER_SECOND;
  const lead = over ? 0 : 48;
  const start = Math.max(0, now - ((room - lead) / perSecond) * 1000);
  return { start, perSecond, x: (t) => EDGE + ((t - start) / 1000) * perSecond };
}

/** Where a lane's spans are drawn: below the row of digits and its title, if there is room. */
function body({ top, height }) {
  const head = Math.min(34, height * 0.4);
  return [top + head, height - head - 8];
}

function rounded(paint, x, y, width, height, radius) {
  paint.beginPath();
  paint.roundRect(x, y, width, height, radius);
  paint.fill();
}

/** `"transfer-failed"` → `"Transfer failed"`. */
export function words(name) {
  const text = name.replace(/[-_]/g, ' ');
  return text[0].toUpperCase() + text.slice(1);
}

/** `75` → `"1:15"`. */
export function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
