// Everything that writes to the document.

import { clock, loudness, words } from './lanes.js';

const $ = (id) => document.getElementById(id);
const show = (id, visible) => { $(id).hidden = !visible; };
const SOURCES = { rtp: 'RTP event', inband: 'in-band' };
const STATES = {
  preparing: 'Preparing the call',
  ringing: 'Ringing',
  establishing: 'Establishing',
  lobby: 'In the lobby',
  established: 'Connected',
  transferring: 'Transferring',
  terminated: 'Call ended',
};

/** Speaks a sentence to screen readers. */
export function announce(text) {
  $('announce').textContent = text;
}

export function showError(message) {
  $('error-text').textContent = message;
  show('error', Boolean(message));
}

export function showNote(message) {
  $('note').textContent = message;
}

/** The connection to the emulator: `connected` or `lost`. */
export function showLink(state) {
  $('link').textContent = state === 'connected' ? 'registered' : 'not connected – trying again';
  $('link').dataset.link = state;
}

/** Who this phone is, and who else is there. */
export function showPhones(me, phones) {
  $('me-name').textContent = me ? me.name : 'Softphone';
  const others = phones.filter((phone) => phone.id !== me?.id);
  $('phones').replaceChildren(...others.map(({ name, role, busy }) => {
    const item = document.createElement('li');
    item.dataset.busy = Boolean(busy);
    item.textContent = `${name}${role === 'agent' && name !== 'Agent' ? ' (agent)' : ''} · ${busy ? 'on a call' : 'free'}`;
    return item;
  }));
}

/** What the display and the buttons say in `state`. */
export function showState(state, { role, incoming, peer, muted, held, bot, online }) {
  const busy = !['idle', 'terminated'].includes(state);
  const talking = ['established', 'transferring'].includes(state);
  const ringingIn = state === 'ringing' && incoming;
  Object.assign(document.body.dataset, { state, role, incoming: Boolean(ringingIn) });
  show('call', !busy);
  $('call').disabled = !online;
  show('accept', ringingIn);
  show('decline', ringingIn);
  show('mute', busy && !ringingIn);
  show('hold', talking);
  show('hangup', busy && !ringingIn);
  press('mute', muted, muted ? 'Muted' : 'Mute');
  press('hold', held, held ? 'On hold' : 'Hold');
  for (const key of $('keypad').children) key.setAttribute('aria-disabled', String(!talking || held));
  $('headline').textContent = headline(state, { role, ringingIn, peer, held, bot, online });
}

function press(id, pressed, text) {
  $(id).setAttribute('aria-pressed', String(pressed));
  $(id).firstElementChild.textContent = text;
}

function headline(state, { role, ringingIn, peer, held, bot, online }) {
  if (ringingIn) return `${peer} is calling`;
  if (state === 'established') return held ? `${peer}, on hold` : peer;
  if (state === 'ringing') return `Calling ${peer}…`;
  if (state !== 'idle') return STATES[state];
  if (!online) return 'Looking for the emulator';
  if (role === 'agent') return 'Waiting for calls';
  return bot ? 'Ready to call' : 'No bot is registered';
}

export function showSubline(text) {
  $('subline').textContent = text;
}

/** Marks a step of the ribbon as reached, at `seconds` into the call. */
export function markStep(state, seconds) {
  const current = document.querySelector(`#ribbon [data-step="${state}"]`);
  if (!current) return;
  document.querySelector('#ribbon [aria-current]')?.removeAttribute('aria-current');
  current.setAttribute('aria-current', 'step');
  current.dataset.reached = '';
  const time = current.querySelector('time');
  if (seconds !== null && !time.textContent) time.textContent = `${clock(seconds)}.${Math.floor(seconds * 10) % 10}`;
  announce(STATES[state] ?? '');
}

/** Forgets the last call: ribbon, digits, lines. */
export function clearCall() {
  for (const step of document.querySelectorAll('#ribbon [data-step]')) {
    step.removeAttribute('aria-current');
    delete step.dataset.reached;
    step.querySelector('time').textContent = '';
  }
  document.querySelector('#ribbon [data-step="idle"]').dataset.reached = '';
  $('digits').replaceChildren();
  show('no-digits', true);
  showError('');
  showSubline('');
  showStats({});
}

export function showClock(seconds) {
  $('clock').textContent = clock(seconds);
}

/** Adds a digit as the bot heard it; `who` pressed it, if it was somebody else. */
export function addDigit({ digit, source, duration_ms }, who) {
  const item = document.createElement('li');
  Object.assign(item.dataset, { testid: 'digit', digit, source, duration: duration_ms });
  const key = document.createElement('b');
  key.textContent = digit;
  const detail = document.createElement('span');
  detail.textContent = [who, SOURCES[source] ?? source, `${Math.round(duration_ms)} ms`].filter(Boolean).join(' · ');
  item.append(key, detail);
  $('digits').append(item);
  $('digits').scrollLeft = $('digits').scrollWidth;
  show('no-digits', false);
  announce(who ? `Key ${digit} of ${who}` : `Key ${digit}`);
}

/** What a bot does now. */
export function showPrompt({ name, state }, who) {
  const lines = {
    started: `${who} is saying “${words(name)}”`,
    finished: `${who} is listening`,
    interrupted: `${who} stopped saying “${words(name)}”`,
  };
  $('now').textContent = lines[state] ?? '';
}

export function showNow(text) {
  $('now').textContent = text;
}

export function showNext(text) {
  $('next').textContent = text;
}

/** Names both meters. */
export function nameMeters(above, below) {
  $('level-in-label').textContent = above;
  $('level-out-label').textContent = below;
}

/** Shows a level in dBov on the meter `in` or `out`; null empties it. */
export function showLevel(meter, dbov) {
  $(`level-${meter}`).style.transform = `scaleX(${dbov === null ? 0 : loudness(dbov)})`;
  $(`level-${meter}-text`).textContent = dbov === null ? '–' : dbov <= -100 ? 'silent' : `−${Math.round(-dbov)} dB`;
}

export function showStats(stats) {
  for (const name of ['rtt', 'jitter', 'loss', 'codec', 'sent', 'heard']) $(`stat-${name}`).textContent = stats[name] ?? '–';
}

/** Fills the choice of voices, keeping what was chosen. */
export function showMicrophones(devices) {
  const select = $('microphone');
  const chosen = select.value;
  const options = [['', 'Microphone'], ...devices.map((d, i) => [d.deviceId, d.label || `Microphone ${i + 1}`]), ['none', 'No microphone']];
  const same = options.length === select.length && options.every(([value, text], i) => select[i].value === value && select[i].text === text);
  // An unchanged list stays, lest it closes under someone's mouse.
  if (same) return;
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  select.value = options.some(([value]) => value === chosen) ? chosen : '';
}
