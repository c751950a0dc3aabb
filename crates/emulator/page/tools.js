// Switches for faults, this phone's network and the clock, and what the judge found: the
// emulator's own REST API, by hand.

import { element } from './element.js';

const FAULTS = [
  { name: 'throttle', label: 'The next answer is throttled: 429, Retry-After 2 s', rule: { operation: 'answer', times: 1, fault: { kind: 'status', status: 429, retryAfter: 2 } } },
  { name: 'fail', label: 'Every third prompt is refused: 503', rule: { operation: 'playPrompt', probability: 0.33, fault: { kind: 'status', status: 503 } } },
  { name: 'reset', label: 'Connections break before the answer, one in five', rule: { operation: '*', probability: 0.2, fault: { kind: 'reset' } } },
  { name: 'slow', label: 'Answers with a body take 5 s to arrive', rule: { operation: '*', fault: { kind: 'slowBody', ms: 5000 } } },
  { name: 'timeout', label: 'The next request is never answered', rule: { operation: '*', times: 1, fault: { kind: 'timeOut' } } },
  { name: 'double', label: 'Notifications come three times', rule: { operation: 'notification:*', fault: { kind: 'duplicate', copies: 3 } } },
  { name: 'late', label: 'Notifications come 2 s late', rule: { operation: 'notification:*', fault: { kind: 'delay', ms: 2000 } } },
  { name: 'lose', label: 'Notifications get lost, one in five', rule: { operation: 'notification:*', probability: 0.2, fault: { kind: 'lose' } } },
];
const NETWORK = [
  { name: 'loss', label: 'This phone’s network is bad: 10 % loss in bursts, 40 ms jitter', rule: { conditions: { loss: 0.1, burst: 3, jitterMs: 40 } } },
  { name: 'stall', label: 'Nothing reaches this phone', rule: { direction: 'down', conditions: { stall: true } } },
];
const STEPS = [['1 minute', 60_000], ['16 minutes', 960_000], ['44 minutes', 2_640_000]];
const LOOK_MS = 2000;

export class Tools {
  #on = new Map();
  #waiting = '';
  #suffers = {};

  constructor({ panel, faults, network, clock, lobby, judge, me, announce }) {
    Object.assign(this, { panel, advanced: clock.querySelector('output'), lobby, judge, me, announce });
    for (const fault of FAULTS) faults.append(this.#toggle(fault, (on) => this.#fault(fault, on)));
    for (const harm of NETWORK) network.append(this.#toggle(harm, (on) => this.#harm(harm, on)));
    network.append(this.#move());
    for (const [label, ms] of STEPS) {
      const step = element('button', `+ ${label}`);
      step.type = 'button';
      step.dataset.testid = `advance-${ms}`;
      step.addEventListener('click', () => this.#advance(label, ms));
      clock.append(step);
    }
    setInterval(() => panel.open && this.#look(), LOOK_MS);
    panel.addEventListener('toggle', () => panel.open && this.#look());
  }

  #toggle({ name, label }, turn) {
    const box = element('input');
    box.type = 'checkbox';
    box.dataset.testid = `fault-${name}`;
    box.addEventListener('change', async () => {
      const done = await turn(box.checked).then(() => true, () => false);
      if (!done) box.checked = !box.checked;
      this.announce(done ? `${label}: ${box.checked ? 'on' : 'off'}` : 'The emulator does not answer');
    });
    const line = element('label');
    line.append(box, ' ', label);
    return line;
  }

  async #fault({ name, rule }, on) {
    if (on) this.#on.set(name, (await ask('POST', 'faults', rule)).id);
    else await ask('DELETE', `faults/${this.#on.get(name)}`);
  }

  /** A rule that is off stays, empty, so that it can be switched on during a call. */
  #harm({ rule }, on) {
    this.#suffers = on ? rule.conditions : {};
    return ask('POST', 'network', { phone: this.me()?.id, ...rule, conditions: this.#suffers });
  }

  /** A button that moves this phone to another port; what its packets suffer stays. */
  #move() {
    const move = element('button', 'Another port for this phone’s packets');
    move.type = 'button';
    move.dataset.testid = 'address-change';
    move.addEventListener('click', async () => {
      const conditions = { ...this.#suffers, addressChange: true };
      const done = await ask('POST', 'network', { phone: this.me()?.id, conditions }).then(() => true, () => false);
      this.announce(done ? 'This phone’s packets come from another port' : 'The emulator does not answer');
    });
    return move;
  }

  async #advance(label, advanceMs) {
    await ask('POST', 'clock', { advanceMs });
    this.announce(`The clock is ${label} further`);
    await this.#look();
  }

  /** Shows who waits in a lobby; a list that is the same stays, with the focus in it. */
  #waits(waiting) {
    const shown = waiting.map(({ participant }) => participant).join();
    if (this.lobby.children.length && shown === this.#waiting) return;
    this.#waiting = shown;
    const lines = waiting.map(({ participant, name, meeting }) => {
      const line = element('li', `${name}, ${meeting} `);
      line.append(this.#lets('Admit', 'POST', participant, name), ' ', this.#lets('Turn away', 'DELETE', participant, name));
      return line;
    });
    this.lobby.replaceChildren(...(lines.length ? lines : [element('li', 'Nobody waits.')]));
  }

  #lets(label, method, participant, name) {
    const button = element('button', label);
    button.type = 'button';
    button.dataset.testid = method === 'POST' ? 'admit' : 'turn-away';
    button.setAttribute('aria-label', `${label} ${name}`);
    button.addEventListener('click', async () => {
      const done = await ask(method, `lobby/${participant}`).then(() => true, () => false);
      this.announce(done ? `${label} ${name}: done` : `${name} waits no more`);
      await this.#look();
    });
    return button;
  }

  async #look() {
    const looks = [ask('GET', 'clock'), ask('GET', 'judge'), ask('GET', 'lobby')];
    // An emulator that is gone is told of elsewhere.
    const [clock, verdicts, waiting] = await Promise.all(looks).catch(() => [null, [], []]);
    if (!clock) return;
    this.#waits(waiting);
    this.advanced.textContent = `${Math.round(clock.advancedMs / 60_000)} min ahead`;
    const lines = verdicts.slice(-20).map(({ rule, detail }) => element('li', `${rule}: ${detail}`));
    if (lines.length !== this.judge.children.length || !lines.length) {
      this.judge.replaceChildren(...(lines.length ? lines : [element('li', 'Nothing so far.')]));
    }
  }
}

async function ask(method, path, body) {
  const answer = await fetch(`/admin/${path}`, { method, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.status === 204 ? null : answer.json();
}
