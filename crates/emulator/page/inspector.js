// The inspector: what was asked, told and heard in a call, on one time axis. Requests and
// notifications come from the emulator's journal, which redacts them; media events are
// this phone's own.

import { element } from './element.js';

const LOOK_MS = 700;
const KINDS = { request: 'Request', notification: 'Notification', state: 'Call', speech: 'Speech', digit: 'Key', prompt: 'Prompt' };

export class Inspector {
  #entries = new Map();
  #rows = new Map();
  #changed = 0;
  #call = null;
  #timer = null;

  /** `panel` is a <details>; `call()` gives the page's call, or null. */
  constructor({ panel, list, empty, call, announce }) {
    Object.assign(this, { panel, list, empty, call, announce });
    panel.addEventListener('toggle', () => (panel.open ? this.#start() : this.#stop()));
  }

  /** For tests and curious people: kind, title, status, whose it is, and time of every row. */
  rows() {
    return this.#items().map(({ kind, title, status, who, start }) => ({ kind, title, status, who, start }));
  }

  /** The ids of the calls that the page's call is to Graph, with the bots' names if several are in it. */
  calls() {
    const calls = new Map();
    for (const { call, bot } of this.#entries.values()) if (call) calls.set(call, bot ?? '');
    const own = this.call();
    if (own?.id && !own.timeline.shared) calls.set(own.id, '');
    return calls;
  }

  #start() {
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS);
    this.#look();
  }

  #stop() {
    clearInterval(this.#timer);
    this.#timer = null;
  }

  async #look() {
    // Without a call, what is asked without one: a refused token, a call that could not be placed.
    const id = this.call()?.id ?? '';
    if (id !== this.#call) {
      this.#entries.clear();
      for (const row of this.#rows.values()) row.item.remove();
      this.#rows.clear();
      this.#changed = 0;
      this.#call = id;
    }
    // An emulator that is gone is told of elsewhere.
    const news = await look(id, this.#changed).catch(() => null);
    if (news && id === this.#call) {
      this.#changed = news.changed;
      for (const entry of news.entries) this.#entries.set(entry.seq, entry);
    }
    this.#draw();
  }

  /** Everything there is, in the order of time. */
  #items() {
    const { lanes = [], shared = false } = this.call()?.timeline ?? {};
    const media = lanes.flatMap((lane, n) => heard(lane, n === 0).map((item) => ({
      ...item,
      key: `${item.kind} ${n} ${item.at}`,
      who: shared ? lane.name : '',
    })));
    const asked = [...this.#entries.values()].filter((entry) => entry.kind !== 'prompt').map(read);
    return [...asked, ...media].sort((a, b) => a.start - b.start);
  }

  #draw() {
    const items = this.#items();
    this.list.classList.toggle('shared', items.some(({ who }) => who));
    const end = Math.max(1000, this.call()?.timeline.now() ?? 0, ...items.map((item) => item.end ?? item.start));
    items.forEach((item, index) => {
      let row = this.#rows.get(item.key);
      if (!row) {
        row = new Row(item, this.announce);
        this.#rows.set(item.key, row);
      }
      row.show(item, end);
      // Rows that stay keep the focus.
      if (this.list.children[index] !== row.item) this.list.insertBefore(row.item, this.list.children[index] ?? null);
    });
    this.empty.hidden = items.length > 0;
  }
}

async function look(call, after) {
  const answer = await fetch(`/admin/journal?call=${encodeURIComponent(call)}&after=${after}`);
  return answer.json();
}

/** What was heard of one who is in the call. */
function heard({ name, speech, digits, prompts }, own) {
  const speaks = own ? 'You speak' : `${name} speaks`;
  return [
    ...speech.map(({ start, end }, at) => ({ kind: 'speech', at, title: speaks, start, end })),
    ...digits.map(({ t, digit, source, duration }, at) => ({ kind: 'digit', at, title: `Key ${digit}`, status: source, start: t, end: t + duration })),
    ...prompts.map(({ start, end, name, cut }, at) => ({ kind: 'prompt', at, title: name, status: cut ? 'cut short' : '', start, end })),
  ];
}

/** A journal entry as an item of the axis. */
function read(entry) {
  const start = entry.tMs;
  const end = start + (entry.ms ?? 0);
  const item = { key: `journal ${entry.seq}`, kind: entry.kind, who: entry.bot ?? '', start, end, request: entry.request, response: entry.response };
  if (entry.kind === 'state') return { ...item, title: entry.state, status: entry.code ?? '' };
  const open = entry.status === null;
  const status = open ? 'under way' : entry.status;
  const failed = !open && (entry.status < 200 || entry.status >= 300);
  if (entry.kind === 'notification') {
    const again = entry.attempts > 1 ? ` (${entry.attempts} times)` : '';
    return { ...item, title: entry.notification + again, status, failed, seq: entry.seq, curl: curl('POST', entry.url, entry.request) };
  }
  return { ...item, title: entry.operation, status, failed, seq: entry.seq, curl: curl(entry.method, location.origin + entry.path, entry.request) };
}

/** The request for a shell; the token is the reader's own. */
function curl(method, url, body) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const lines = [`curl -X ${method} ${quoted(url)}`, '-H "Authorization: Bearer $token"'];
  if (body) lines.push(`--json ${quoted(JSON.stringify(body))}`);
  return lines.join(' \\\n  ');
}

// One line of the axis, which opens to show bodies.
class Row {
  #shown = '';

  constructor(item, announce) {
    this.announce = announce;
    this.item = element('li');
    this.item.className = `entry ${item.kind}`;
    this.item.dataset.testid = 'entry';
    this.line = element('button');
    this.line.type = 'button';
    this.track = element('i');
    this.details = element('div');
    this.details.hidden = true;
    this.item.append(this.line, this.details);
    this.line.addEventListener('click', () => {
      this.details.hidden = !this.details.hidden;
      this.line.setAttribute('aria-expanded', String(!this.details.hidden));
    });
  }

  show(item, total) {
    const width = Math.max(0, (item.end ?? total) - item.start);
    this.track.style.setProperty('--from', item.start / total);
    this.track.style.setProperty('--for', width / total);
    const text = JSON.stringify([item.title, item.who, item.status, item.request, item.response]);
    if (text === this.#shown) return;
    this.#shown = text;
    const opens = Boolean(item.curl);
    this.line.disabled = !opens;
    if (opens) this.line.setAttribute('aria-expanded', String(!this.details.hidden));
    const status = element('span', String(item.status ?? ''));
    status.className = item.failed ? 'status failed' : 'status';
    const track = element('span');
    track.className = 'track';
    track.setAttribute('aria-hidden', 'true');
    track.append(this.track);
    const who = element('em', item.who);
    this.line.replaceChildren(element('time', seconds(item.start)), element('b', KINDS[item.kind] ?? item.kind), who, element('span', item.title), status, track);
    if (opens) this.#bodies(item);
  }

  #bodies({ curl: command, seq, kind, request, response }) {
    const copy = element('button', 'Copy as curl');
    copy.type = 'button';
    copy.dataset.testid = 'copy';
    const shown = body('As curl', command);
    copy.addEventListener('click', async () => {
      try {
        await navigator.clipboard.writeText(command);
        this.announce('Copied');
      } catch {
        getSelection().selectAllChildren(shown.querySelector('pre'));
        this.announce('The browser does not let the page copy; the text is selected');
      }
    });
    const pretty = (value) => JSON.stringify(value, null, 2);
    const parts = [shown, copy];
    if (seq) parts.push(this.#again(seq, kind));
    if (request) parts.push(body('Request', pretty(request)));
    if (response) parts.push(body('Response', pretty(response)));
    this.details.replaceChildren(...parts);
  }

  /** A button that has the emulator send the request, or the notification, again. */
  #again(seq, kind) {
    const again = element('button', 'Send again');
    again.type = 'button';
    const told = kind === 'notification';
    again.dataset.testid = told ? 'replay-notification' : 'replay';
    again.title = told
      ? 'To the bot, the same body and message id, freshly signed; not if something is shown as …'
      : 'As the same application, with a token of its own; what is shown as … is sent as …';
    again.addEventListener('click', async () => {
      const answer = await fetch(`/admin/journal/${seq}/replay`, { method: 'POST' }).then((a) => a.json(), () => ({}));
      this.announce(answer.status ? `Sent again: ${answer.status}` : `Not sent: ${answer.error ?? 'the emulator does not answer'}`);
    });
    return again;
  }
}

function body(title, text) {
  const part = element('section');
  const pre = element('pre', text);
  pre.tabIndex = 0;
  pre.setAttribute('aria-label', title);
  part.append(element('h3', title), pre);
  return part;
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(3)} s`;
}
