// A connection's numbers from getStats, as text.

import { mos } from './mos.js';

/** A packet of 20 ms and what its encoder looks ahead. */
const PACKET_MS = 26;
/** What a far end that tells nothing of its buffer probably waits. */
const BUFFER_MS = 40;

/** Looks that the estimate goes back, one a second. */
const LOOKS = 10;
const looks = new WeakMap();

const milliseconds = (seconds) => (Number.isFinite(seconds) ? `${Math.round(seconds * 1000)} ms` : '–');

/** `{rtt, jitter, loss, codec, heard, sent}` of a connection; the last two are MOS. */
export async function connectionStats(pc) {
  const all = [...(await pc.getStats()).values()];
  const inbound = all.find((s) => s.type === 'inbound-rtp' && s.kind === 'audio');
  const reported = all.find((s) => s.type === 'remote-inbound-rtp' && s.kind === 'audio');
  const transport = all.find((s) => s.type === 'transport');
  const pair = all.find((s) => s.id === transport?.selectedCandidatePairId);
  const codec = all.find((s) => s.id === inbound?.codecId);
  const lately = recent(pc, inbound);
  const way = 500 * (pair?.currentRoundTripTime ?? NaN) + PACKET_MS;
  return {
    rtt: milliseconds(pair?.currentRoundTripTime),
    jitter: milliseconds(inbound?.jitter),
    loss: percent(lossOf(inbound)),
    codec: codec ? codecText(codec) : '–',
    heard: score(lossOf(lately), way + waited(lately)),
    sent: score(reported?.fractionLost, way + BUFFER_MS),
  };
}

/** What came in the last seconds, so that a bad start is forgotten. */
function recent(pc, inbound) {
  const past = looks.get(pc) ?? [];
  const since = (name) => (inbound?.[name] ?? 0) - (past[0]?.[name] ?? 0);
  const names = ['packetsLost', 'packetsReceived', 'jitterBufferDelay', 'jitterBufferEmittedCount'];
  const lately = Object.fromEntries(names.map((name) => [name, since(name)]));
  if (inbound) looks.set(pc, [...past, inbound].slice(-LOOKS));
  return lately;
}

/** The part of the packets that never came. */
function lossOf(inbound) {
  if (!inbound?.packetsReceived) return NaN;
  const lost = Math.max(0, inbound.packetsLost ?? 0);
  return lost / (lost + inbound.packetsReceived);
}

/** How long this side's buffer held audio back, in ms on average. */
function waited(inbound) {
  const { jitterBufferDelay = 0, jitterBufferEmittedCount = 0 } = inbound ?? {};
  return jitterBufferEmittedCount ? (1000 * jitterBufferDelay) / jitterBufferEmittedCount : BUFFER_MS;
}

function score(loss, delay) {
  const known = Number.isFinite(loss) && Number.isFinite(delay);
  return known ? mos(loss, delay).toFixed(1) : '–';
}

function percent(part) {
  return Number.isFinite(part) ? `${(100 * part).toFixed(1)} %` : '–';
}

function codecText({ mimeType, clockRate }) {
  const name = mimeType.split('/')[1];
  return `${name[0].toUpperCase()}${name.slice(1)} ${clockRate / 1000} kHz`;
}
