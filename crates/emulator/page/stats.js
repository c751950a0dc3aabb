// A connection's numbers from getStats, as text.

const milliseconds = (seconds) => (Number.isFinite(seconds) ? `${Math.round(seconds * 1000)} ms` : '–');

/** `{rtt, jitter, loss, codec}` of a connection. */
export async function connectionStats(pc) {
  const all = [...(await pc.getStats()).values()];
  const inbound = all.find((s) => s.type === 'inbound-rtp' && s.kind === 'audio');
  const transport = all.find((s) => s.type === 'transport');
  const pair = all.find((s) => s.id === transport?.selectedCandidatePairId);
  const codec = all.find((s) => s.id === inbound?.codecId);
  return {
    rtt: milliseconds(pair?.currentRoundTripTime),
    jitter: milliseconds(inbound?.jitter),
    loss: lossText(inbound),
    codec: codec ? codecText(codec) : '–',
  };
}

function lossText(inbound) {
  if (!inbound?.packetsReceived) return '–';
  const lost = Math.max(0, inbound.packetsLost ?? 0);
  return `${((100 * lost) / (lost + inbound.packetsReceived)).toFixed(1)} %`;
}

function codecText({ mimeType, clockRate }) {
  const name = mimeType.split('/')[1];
  return `${name[0].toUpperCase()}${name.slice(1)} ${clockRate / 1000} kHz`;
}
