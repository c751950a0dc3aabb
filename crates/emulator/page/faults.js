// Faults on demand: switches for common ones, a form for any, and those that are on.

import { ask } from './admin.js';
import { element } from './element.js';

const COMMON = [
  { name: 'throttle', label: 'The next answer is throttled: 429, Retry-After 2 s', rule: { operation: 'answer', times: 1, fault: { kind: 'status', status: 429, retryAfter: 2 } } },
  { name: 'fail', label: 'Every third prompt is refused: 503', rule: { operation: 'playPrompt', probability: 0.33, fault: { kind: 'status', status: 503 } } },
  { name: 'reset', label: 'Connections break before the answer, one in five', rule: { operation: '*', probability: 0.2, fault: { kind: 'reset' } } },
  { name: 'slow', label: 'Answers with a body take 5 s to arrive', rule: { operation: '*', fault: { kind: 'slowBody', ms: 5000 } } },
  { name: 'timeout', label: 'The next request is never answered', rule: { operation: '*', times: 1, fault: { kind: 'timeOut' } } },
  { name: 'double', label: 'Notifications come three times', rule: { operation: 'notification:*', fault: { kind: 'duplicate', copies: 3 } } },
  { name: 'late', label: 'Notifications come 2 s late', rule: { operation: 'notification:*', fault: { kind: 'delay', ms: 2000 } } },
  { name: 'lose', label: 'Notifications get lost, one in five', rule: { operation: 'notification:*', probability: 0.2, fault: { kind: 'lose' } } },
];
const OPERATIONS = [
  'answer', 'create', 'get', 'delete', 'reject', 'redirect', 'transfer', 'keepAlive', 'mute', 'playPrompt', 'recordResponse', 'subscribeToTone', 'invite', '*', 'token', 'keys', 'openidConfiguration', 'recording',
  ...['incoming', 'establishing', 'established', 'terminated', 'operation', 'tone', 'roster', '*'].map((kind) => `notification:${kind}`),
];
/** What can happen: in words, and its number as `[property, label, default]` if it has one. */
const KINDS = {
  status: ['refused with a status', ['status', 'Status', 503]],
  reset: ['connection breaks before the answer'],
  delay: ['late', ['ms', 'Milliseconds', 2000]],
  slowBody: ['body comes slowly', ['ms', 'Milliseconds', 5000]],
  timeOut: ['never answered'],
  lose: ['notification lost'],
  duplicate: ['notification sent several times', ['copies', 'Copies', 2]],
  reorder: ['notification sent after the next one'],
  empty: ['notification without a body'],
  wrongKey: ['notification signed with a wrong key'],
  expired: ['notification with an expired token'],
  skew: ['notification signed by a clock ahead', ['ms', 'Milliseconds', 600000]],
  legacyFirst: ['former format first (notification:incoming)'],
};

/** A switch; `turn(on)` says by a promise whether it could be. */
export function toggle({ name, label }, turn, announce) {
  const box = element('input');
  box.type = 'checkbox';
  box.dataset.testid = `fault-${name}`;
  box.addEventListener('change', async () => {
    const done = await turn(box.checked).then(() => true, () => false);
    if (!done) box.checked = !box.checked;
    announce(done ? `${label}: ${box.checked ? 'on' : 'off'}` : 'The emulator does not answer');
  });
  const line = element('label');
  line.append(box, ' ', label);
  return line;
}

export class Faults {
  #on = new Map();
  #boxes = new Map();
  #lines = new Map();
  #calls = '';

  /** `calls()` gives the bots' names by the ids of the calls that the page's call is to Graph. */
  constructor({ switches, form, list, calls, announce }) {
    Object.assign(this, { form, list, calls, announce });
    for (const fault of COMMON) {
      const line = toggle(fault, (on) => this.#switch(fault, on), announce);
      this.#boxes.set(fault.name, line.querySelector('input'));
      switches.append(line);
    }
    form.querySelector('datalist').append(...OPERATIONS.map((name) => new Option(name, name)));
    form.kind.append(...Object.entries(KINDS).map(([kind, [words]]) => new Option(words, kind)));
    form.kind.addEventListener('change', () => this.#choose());
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#add();
    });
    this.#choose();
  }

  async #switch({ name, rule }, on) {
    if (on) this.#on.set(name, (await ask('POST', 'faults', rule)).id);
    else await ask('DELETE', `faults/${this.#on.get(name)}`);
    if (!on) this.#on.delete(name);
    await this.look().catch(() => {});
  }

  /** Each kind has its own number, or none. */
  #choose() {
    const [, number] = KINDS[this.form.kind.value];
    const { value, retryAfter } = this.form;
    value.closest('label').hidden = value.disabled = !number;
    retryAfter.closest('label').hidden = this.form.kind.value !== 'status';
    if (!number) return;
    value.previousElementSibling.textContent = number[1];
    value.value = number[2];
  }

  async #add() {
    const { operation, call, person, nth, times, probability, kind, value, retryAfter } = this.form;
    const [words, number] = KINDS[kind.value];
    const fault = { kind: kind.value };
    if (number) fault[number[0]] = Number(value.value);
    if (kind.value === 'status') Object.assign(fault, given({ retryAfter }));
    const rule = { operation: operation.value.trim(), fault, ...given({ nth, times, probability }) };
    if (call.value) rule.call = call.value;
    if (person.value.trim()) rule.person = person.value.trim();
    const refused = await ask('POST', 'faults', rule).then(() => '', ({ message }) => message);
    this.form.querySelector('output').textContent = refused;
    this.announce(refused || `${rule.operation}, ${words}: on`);
    await this.look().catch(() => {});
  }

  /** Shows the rules there are; what stays keeps the focus. */
  async look() {
    const known = [...this.#on];
    const rules = await ask('GET', 'faults');
    const ids = new Set(rules.map(({ id }) => id));
    for (const [name, id] of known) {
      // Removed in the list, or by somebody else.
      if (ids.has(id) || this.#on.get(name) !== id) continue;
      this.#on.delete(name);
      this.#boxes.get(name).checked = false;
    }
    for (const [id, line] of this.#lines) {
      if (ids.has(id)) continue;
      line.remove();
      this.#lines.delete(id);
    }
    for (const rule of rules) this.#line(rule).firstChild.textContent = `${inWords(rule)}: fitted ${rule.seen}, struck ${rule.struck} `;
    this.form.parentElement.querySelector('.none').hidden = rules.length > 0;
    this.#offer();
  }

  #line(rule) {
    const known = this.#lines.get(rule.id);
    if (known) return known;
    const line = element('li');
    const remove = element('button', 'Remove');
    remove.type = 'button';
    remove.dataset.testid = 'remove-fault';
    remove.setAttribute('aria-label', `Remove ${inWords(rule)}`);
    remove.addEventListener('click', async () => {
      // It may be gone already.
      await ask('DELETE', `faults/${rule.id}`).catch(() => {});
      this.announce(`${inWords(rule)}: off`);
      await this.look().catch(() => {});
      this.form.operation.focus();
    });
    line.append(element('span'), remove);
    this.#lines.set(rule.id, line);
    this.list.append(line);
    return line;
  }

  /** The calls that a rule can be for: all, or one of those that go on here. */
  #offer() {
    const calls = [...this.calls()];
    if (calls.join() === this.#calls) return;
    this.#calls = calls.join();
    const { call } = this.form;
    const chosen = call.value;
    const own = calls.map(([id, bot]) => new Option(bot ? `of ${bot} only` : 'this call only', id));
    call.replaceChildren(new Option('all', ''), ...own);
    call.value = calls.some(([id]) => id === chosen) ? chosen : '';
  }
}

/** What is filled in of these fields, as numbers. */
function given(fields) {
  const filled = Object.entries(fields).filter(([, { value }]) => value !== '');
  return Object.fromEntries(filled.map(([name, { value }]) => [name, Number(value)]));
}

function inWords({ operation, call, person, nth, times, probability, fault }) {
  const [words, number] = KINDS[fault.kind] ?? [fault.kind];
  return [
    `${operation} ${words}`,
    number && `${number[1].toLowerCase()} ${fault[number[0]]}`,
    fault.retryAfter !== undefined && `Retry-After ${fault.retryAfter} s`,
    call && 'one call',
    person && `calls of ${person}`,
    nth && `time ${nth}`,
    times && `at most ${times}`,
    probability !== undefined && `probability ${probability}`,
  ].filter(Boolean).join(', ');
}
