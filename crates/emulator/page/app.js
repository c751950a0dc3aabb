// The softphone: a phone at the emulator (role caller or agent), one call at a time.
//
// For tests and curious people `window.switchboard` shows, read-only, where it stands:
// state(), callId(), pc(), lanes(), inspector() and phone(); see the end of this file.

import { CallMedia } from './media.js';
import { Lanes } from './lanes.js';
import { Meter, Ring, audioContext, microphones, voice } from './audio.js';
import { Inspector } from './inspector.js';
import { Signal } from './signal.js';
import { Targets } from './targets.js';
import { Timeline } from './timeline.js';
import { Tools } from './tools.js';
import { buildKeypad, listenToKeyboard } from './keys.js';
import { connectionStats } from './stats.js';
import * as view from './view.js';

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const role = query.get('role') === 'agent' ? 'agent' : 'caller';
const myName = (query.get('name') || (role === 'agent' ? 'Agent' : 'Caller')).slice(0, 40);
const tenant = query.get('tenant') || undefined;
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const STATS_MS = 1000;
const CALM_FRAME_MS = 500;
const TALKING = new Set(['established', 'transferring']);

let online = false;
let me = null;
let bot = null;
let call = null;
const ring = new Ring();
const lanes = new Lanes($('timeline'));

// One call, from the first click until the next call replaces it.
class Call {
  id = null;
  state = 'idle';
  muted = false;
  held = false;
  farMuted = false;
  over = false;
  leaving = false;
  track = null;
  meters = {};

  constructor({ incoming = false, peer, reason = null, id = null }) {
    Object.assign(this, { incoming, peer, reason, id });
    this.timeline = new Timeline({ handedOver: ['transfer', 'redirect'].includes(reason) });
    this.media = new CallMedia({
      onStream: (stream) => this.hear(stream),
      onFailed: () => this.fail('No audio gets through: the media connection failed.'),
    });
  }

  enter(state) {
    if (this.state === state || this.over) return;
    this.state = state;
    view.markStep(state, this.timeline.now() / 1000);
    refresh();
  }

  /** Gets a track to speak with. */
  async speak() {
    const { track, microphone, reason } = await voice($('microphone').value);
    if (this.over) {
      track.stop();
      return;
    }
    this.track?.stop();
    this.meters.own?.close();
    this.track = track;
    track.enabled = !this.muted;
    this.meters.own = new Meter(new MediaStream([track]));
    view.showNote(voiceNote(microphone, reason));
    microphones().then(view.showMicrophones);
  }

  /** Plays the far end. */
  hear(stream) {
    const audio = $('remote');
    audio.srcObject = stream;
    audio.play().catch(() => view.showNote('Click anywhere to hear the call.'));
    this.meters.far?.close();
    this.meters.far = new Meter(stream);
  }

  mute() {
    this.muted = !this.muted;
    if (this.track) this.track.enabled = !this.muted;
    this.tellMuted();
    view.announce(this.muted ? 'Muted' : 'Microphone on');
    refresh();
  }

  /** Bots see on the roster who is muted. */
  tellMuted() {
    const taken = this.id && !(this.incoming && this.state === 'ringing');
    if (taken) signal.send({ type: 'mute', call: this.id, muted: this.muted });
  }

  /** On hold this side sends nothing and hears nothing. */
  async hold() {
    if (!TALKING.has(this.state)) return;
    this.held = !this.held;
    await this.media.hold(this.held);
    this.listen();
    view.showLevel('out', null);
    view.announce(this.held ? 'On hold' : 'No longer on hold');
    refresh();
  }

  /** Whether the far end is to be heard. */
  listen() {
    $('remote').muted = this.held || this.farMuted;
  }

  press(digit) {
    const when = this.held ? 'the call is off hold' : 'the call is connected';
    if (this.media.press(digit)) this.timeline.pressed();
    else view.showNote(`Keys work once ${when}.`);
  }

  /** Ends the call from this side. */
  hangUp() {
    if (this.over) return;
    // Until the server has named the call there is nothing to hang up; see `dialing`.
    this.leaving = true;
    if (this.id) signal.send({ type: 'hangup', call: this.id });
    this.end('You hung up');
  }

  fail(message) {
    if (this.over) return;
    view.showError(message);
    this.hangUp();
  }

  /** The call is over, whoever ended it. */
  end(why) {
    if (this.over) return;
    this.enter('terminated');
    this.over = true;
    this.timeline.end();
    this.media.close();
    this.track?.stop();
    for (const meter of Object.values(this.meters)) meter.close();
    $('remote').srcObject = null;
    ring.stop();
    view.showLevel('in', null);
    view.showLevel('out', null);
    view.showSubline(why);
    view.showNow('Call ended');
    view.showNext(role === 'agent' ? 'Ready for the next call.' : 'Press Call to call again.');
    refresh();
  }
}

function voiceNote(microphone, reason) {
  if (microphone) return '';
  return reason ? `${reason} You are silent in this call; the keys work.` : 'You are silent in this call; the keys work.';
}

function begin(options) {
  view.clearCall();
  call = new Call(options);
  $('remote').muted = false;
  nameFarEnd(options.peer);
  animate();
  return call;
}

function nameFarEnd(peer) {
  call.timeline.nameFarEnd(peer);
  const own = call.incoming && call.reason !== 'call' ? 'You, at your microphone' : 'You, as the far end hears you';
  view.nameMeters(own, `${peer}, as you hear them`);
}

const isFree = () => online && (!call || call.over);

async function dial() {
  if (!isFree()) return;
  audioContext();
  const to = await targets.chosen(bot?.name);
  if (!isFree()) return;
  const mine = begin({ peer: to.name });
  mine.enter('preparing');
  view.showNow('Preparing the call');
  view.showNext('Keys, speech and prompts appear below.');
  await attempt(mine, async () => {
    await mine.speak();
    const sdp = await mine.media.offer(mine.track);
    if (mine.over) return;
    mine.enter('ringing');
    view.showNow('Ringing');
    signal.send({ type: 'dial', target: to.target, sdp });
  });
}

async function accept() {
  const mine = call;
  if (!ringsHere() || mine.leaving) return;
  audioContext();
  ring.stop();
  mine.enter('establishing');
  await attempt(mine, async () => {
    await mine.speak();
    const sdp = await mine.media.offer(mine.track);
    if (mine.over) return;
    signal.send({ type: 'accept', call: mine.id, sdp });
    if (mine.muted) mine.tellMuted();
  });
}

function decline() {
  if (!ringsHere()) return;
  signal.send({ type: 'decline', call: call.id });
  call.end('You declined');
}

function ringsHere() {
  return Boolean(call && !call.over && call.incoming && call.state === 'ringing');
}

/** Runs a step of a call; what goes wrong ends it with words. */
async function attempt(mine, step) {
  try {
    await step();
  } catch (error) {
    mine.fail(`The call can’t go on: ${error.message}`);
  }
}

// What the server says.
const handlers = {
  registered(message) {
    me = message.phone;
    bot = message.bot;
    online = true;
    view.showLink('connected');
    view.showPhones(me, []);
    refresh();
  },
  phones({ phones }) {
    view.showPhones(me, phones);
  },
  dialing({ call: id }) {
    if (!call || call.id) return;
    call.id = id;
    if (call.muted) call.tellMuted();
    if (call.leaving) signal.send({ type: 'hangup', call: id });
  },
  incoming({ call: id, from, reason }) {
    if (call && !call.over) {
      signal.send({ type: 'decline', call: id });
      return;
    }
    begin({ incoming: true, peer: from.name, reason, id }).enter('ringing');
    view.showSubline(reason === 'transfer' ? 'transferred to you by the bot' : '');
    view.showNow(`${from.name} is calling`);
    view.showNext('Accept or decline.');
    ring.start();
  },
  answer({ sdp }) {
    const mine = call;
    // A bot that had muted itself has left by a second answer.
    mine.farMuted = false;
    mine.listen();
    attempt(mine, () => mine.media.answer(sdp));
  },
  renegotiate({ call: id }) {
    const mine = call;
    attempt(mine, async () => {
      const sdp = await mine.media.offer();
      if (!mine.over) signal.send({ type: 'offer', call: id, sdp });
    });
  },
  state({ state, with: peer }) {
    if (state === 'terminated') {
      call.end('');
      return;
    }
    if (peer?.name) meet(peer.name, state);
    if (state === 'lobby') {
      view.showNow('You are in the lobby');
      view.showNext('Nobody hears you until somebody in the meeting lets you in.');
    }
    call.enter(state);
    refresh();
  },
  ended({ reason }) {
    call.end(reason?.message ?? '');
    view.showSubline(endText(reason));
  },
  remoteMuted({ muted }) {
    call.farMuted = muted;
    call.listen();
    view.showNote(muted ? `${call.peer} is muted.` : '');
  },
  serverMuted({ muted }) {
    view.showSubline(muted ? 'The bot muted you: nobody hears you' : '');
    view.announce(muted ? 'The bot muted you: nobody hears you' : 'The bot no longer mutes you');
  },
  lobby({ waiting }) {
    const names = waiting.map(({ name }) => name).join(', ');
    view.showNote(names && `In the lobby: ${names}. The inspector lets people in.`);
  },
  roster(roster) {
    const { come, gone } = call.timeline.attend(roster);
    view.announce([...come.map((name) => `${name} is here`), ...gone.map((name) => `${name} has left`)].join(', '));
    view.showNow(`You are in “${call.peer}”`);
    view.showNext(`With ${call.timeline.others().join(', ') || 'nobody else so far'}.`);
  },
  timeline({ event }) {
    if (call.over) return;
    call.timeline.apply(event);
    shown[event.type]?.(event, call.timeline.lane(event)?.name);
  },
  error({ message, call: id }) {
    view.showError(message);
    // An error without a call that arrives while dialling is the answer to it.
    if (call && !call.over && !id && !call.id) call.end('');
  },
};

/** The far end is, or will be, `peer`. */
function meet(peer, state) {
  if (state === 'transferring') {
    view.showNow('The bot is transferring you');
    return;
  }
  if (peer !== call.peer) call.timeline.meets(peer);
  call.peer = peer;
  nameFarEnd(peer);
  if (state === 'established' && peer !== bot?.name && !call.timeline.shared) {
    view.showNow(`You are talking to ${peer}`);
    view.showNext('Hang up when you are done.');
  }
}

// What a timeline event changes besides the timeline.
const shown = {
  dtmf: (event, who) => view.addDigit(event, call.timeline.isOwn(event) ? '' : who),
  // After a transfer the lines speak of the person, not of a bot that has left.
  prompt: (event, who) => (call.timeline.shared || call.peer === bot?.name) && view.showPrompt(event, who),
  bot: ({ next }) => call.peer === bot?.name && view.showNext(next),
  level: (event) => call.timeline.isOwn(event) && view.showLevel('in', event.dbov),
};

const ABOUT_A_CALL = new Set(['answer', 'renegotiate', 'state', 'ended', 'remoteMuted', 'serverMuted', 'lobby', 'roster', 'timeline']);

function endText(reason) {
  if (!reason) return '';
  const codes = reason.code === undefined ? '' : ` (${[reason.code, reason.subcode].filter((c) => c !== undefined && c !== null).join('/')})`;
  return `${reason.message || 'Ended'}${reason.code ? codes : ''}`;
}

const signal = new Signal({
  open() {
    signal.send({ type: 'register', name: myName, role, tenant });
  },
  message(message) {
    // News of a call that was replaced is of no interest.
    if (ABOUT_A_CALL.has(message.type) && (!call || call.id !== message.call)) return;
    handlers[message.type]?.(message);
  },
  close() {
    online = false;
    view.showLink('lost');
    view.showPhones(me, []);
    call?.end('The connection to the emulator was lost');
    refresh();
  },
});

function refresh() {
  const state = call?.state ?? 'idle';
  const { incoming, peer, muted = false, held = false } = call ?? {};
  view.showState(state, { role, incoming, peer, muted, held, bot, online });
  const title = { ringing: '☎ ', established: '● ', transferring: '● ' }[state] ?? '';
  document.title = `${title}${myName} – Switchboard`;
}

// Draws while there is a call, and once more after it.
let lastFrame = 0;
let nextFrame = null;
function animate() {
  cancelAnimationFrame(nextFrame);
  nextFrame = requestAnimationFrame(frame);
}

function frame(time) {
  const running = call && !call.over;
  if (running) animate();
  const levels = running ? measure(call) : {};
  if (running && calm.matches && time - lastFrame < CALM_FRAME_MS) return;
  lastFrame = time;
  for (const [meter, level] of Object.entries(levels)) view.showLevel(meter, level);
  lanes.draw(call?.timeline);
  view.showClock((call?.timeline.now() ?? 0) / 1000);
}

/** Notes the levels of both sides, and gives them by their meters. */
function measure({ meters, timeline, held, state }) {
  const levels = {};
  if (held) return levels;
  if (meters.far) timeline.played_at((levels.out = meters.far.level()));
  // What nobody else tells of this side: what it says before it is heard is nobody's.
  if (meters.own && !timeline.reported) {
    levels.in = meters.own.level();
    if (TALKING.has(state)) timeline.heard_at(levels.in);
  }
  return levels;
}

setInterval(async () => {
  const pc = call && !call.over && call.media.pc;
  if (pc) view.showStats(await connectionStats(pc));
}, STATS_MS);

const hangUp = () => (ringsHere() ? decline() : call?.hangUp());
const mute = () => call && !call.over && call.mute();
const hold = () => call && !call.over && attempt(call, () => call.hold());

buildKeypad($('keypad'), (digit) => {
  if (call && !call.over) call.press(digit);
});
listenToKeyboard($('keypad'), {
  enter: () => (ringsHere() ? accept() : dial()),
  c: dial,
  a: accept,
  d: decline,
  m: mute,
  o: hold,
  h: hangUp,
  escape: hangUp,
  i: () => { panel.open = !panel.open; },
});
$('call').addEventListener('click', dial);
$('accept').addEventListener('click', accept);
$('decline').addEventListener('click', decline);
$('mute').addEventListener('click', mute);
$('hold').addEventListener('click', hold);
$('hangup').addEventListener('click', hangUp);
$('error-close').addEventListener('click', () => view.showError(''));
$('microphone').addEventListener('change', () => {
  const mine = call;
  if (mine?.track && !mine.over) attempt(mine, async () => {
    await mine.speak();
    await mine.media.speakWith(mine.track);
  });
});
// Browsers let a page make sound once it was touched: the ring, and a call that was blocked.
addEventListener('pointerdown', () => {
  audioContext();
  const audio = $('remote');
  if (audio.srcObject && audio.paused) audio.play().catch(() => {});
});
addEventListener('resize', () => lanes.draw(call?.timeline));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => lanes.draw(call?.timeline));
addEventListener('pagehide', () => {
  call?.hangUp();
  signal.leave();
});
// A page from the back-forward cache has no socket any more.
addEventListener('pageshow', ({ persisted }) => persisted && location.reload());

const targets = new Targets({ field: $('to'), list: $('targets'), dial });
const panel = $('inspector');
const inspector = new Inspector({ panel, list: $('axis'), empty: $('axis-empty'), call: () => call, announce: view.announce });
const faults = { switches: $('faults'), form: $('fault'), list: $('faults-on'), calls: () => inspector.calls() };
new Tools({ panel, faults, network: $('network'), clock: $('clock-step'), lobby: $('lobby'), judge: $('judge'), me: () => me, announce: view.announce });

document.body.dataset.role = role;
view.showNext(role === 'agent' ? 'Calls the bot transfers ring here.' : 'Press Call and the bot answers.');
view.showMicrophones([]);
microphones().then(view.showMicrophones);
view.markStep('idle', null);
view.announce('');
refresh();
lanes.draw(null);

// The debug handle: copies and the live connection, nothing that changes the phone.
window.switchboard = Object.freeze({
  /** "idle", "preparing", "ringing", "establishing", "lobby", "established", "transferring", "terminated" */
  state: () => call?.state ?? 'idle',
  /** The call's id at the emulator, or null. */
  callId: () => call?.id ?? null,
  /** The RTCPeerConnection in use, or null. */
  pc: () => (call && !call.over ? call.media.pc : null),
  /** What the call's timeline holds, a lane for each: [{ name, levels, speech, digits, prompts, leftAt }]. */
  lanes: () => structuredClone(call?.timeline.lanes.map((lane) => ({ ...lane })) ?? []),
  /** The inspector's rows: [{ kind, title, status, start }]. */
  inspector: () => inspector.rows(),
  /** { registered, bot, peer } */
  phone: () => ({ registered: online, bot: Boolean(bot), peer: call?.peer ?? null }),
});
