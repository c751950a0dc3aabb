// Switches for faults, this phone's network and the clock, and what the judge found: the
// emulator's own REST API, by hand.

import { ask } from './admin.js';
import { element } from './element.js';
import { Faults, toggle } from './faults.js';

const BAD = { loss: 0.1, burst: 3, jitterMs: 40 };
const NETWORK = [
  { name: 'loss', label: 'This phone’s network is bad: 10 % loss in bursts, 40 ms jitter', rule: { conditions: BAD } },
  { name: 'stall', label: 'Nothing reaches this phone', rule: { direction: 'down', conditions: { stall: true } } },
];
const BOTS = { name: 'bots', label: 'Bots’ own network in rooms is as bad' };
const STEPS = [['1 minute', 60_000], ['16 minutes', 960_000], ['44 minutes', 2_640_000]];
const LOOK_MS = 2000;

export class Tools {
  #waiting = '';
  #judged = '';
  #suffers = {};

  constructor({ panel, faults, network, clock, lobby, judge, me, announce }) {
    Object.assign(this, { panel, advanced: clock.querySelector('output'), lobby, judge, me, announce });
    this.faults = new Faults({ ...faults, announce });
    for (const harm of NETWORK) network.append(toggle(harm, (on) => this.#harm(harm, on), announce));
    network.append(toggle(BOTS, (on) => this.#harmBots(on), announce), this.#move());
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

  /** A rule that is off stays, empty, so that it can be switched on during a call. */
  #harm({ rule }, on) {
    this.#suffers = on ? rule.conditions : {};
    return ask('POST', 'network', { phone: this.me()?.id, ...rule, conditions: this.#suffers });
  }

  async #harmBots(on) {
    const conditions = on ? BAD : {};
    const apps = await ask('GET', 'apps');
    return Promise.all(apps.map(({ clientId: bot }) => ask('POST', 'network', { bot, conditions })));
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
    const looks = [ask('GET', 'clock'), ask('GET', 'judge'), ask('GET', 'lobby'), this.faults.look()];
    // An emulator that is gone is told of elsewhere.
    const [clock, verdicts, waiting] = await Promise.all(looks).catch(() => [null, [], []]);
    if (!clock) return;
    this.#waits(waiting);
    this.advanced.textContent = `${Math.round(clock.advancedMs / 60_000)} min ahead`;
    this.#judges(verdicts);
  }

  /** Shows the latest findings; a list that is the same stays. */
  #judges(verdicts) {
    const lines = verdicts.slice(-20).map(({ rule, detail }) => `${rule}: ${detail}`);
    const shown = lines.join('\n');
    if (this.judge.children.length && shown === this.#judged) return;
    this.#judged = shown;
    this.judge.replaceChildren(...(lines.length ? lines : ['Nothing so far.']).map((line) => element('li', line)));
  }
}
