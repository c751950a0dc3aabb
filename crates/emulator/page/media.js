// One call's media: the browser always offers, non-trickle, and may be asked to offer anew.

const GATHERING_LIMIT_MS = 1000;
const TONE_MS = 120;
const GAP_MS = 70;

export class CallMedia {
  #current = null;
  #pending = null;
  #track = null;
  #held = false;
  #onStream;
  #onFailed;

  /** `onStream(stream)`: the far end's audio. `onFailed()`: no packets get through. */
  constructor({ onStream, onFailed }) {
    this.#onStream = onStream;
    this.#onFailed = onFailed;
  }

  /** The connection in use, or the one being made. */
  get pc() {
    return this.#current ?? this.#pending;
  }

  /** Makes an offer for `track` (or the present one) on a fresh connection. */
  async offer(track = this.#track) {
    this.#track = track;
    this.#pending?.close();
    const pc = new RTCPeerConnection();
    this.#pending = pc;
    const { sender } = pc.addTransceiver(track, { direction: 'sendrecv', streams: [new MediaStream([track])] });
    if (this.#held) await sender.replaceTrack(null);
    pc.ontrack = (event) => this.#onStream(new MediaStream([event.track]));
    pc.onconnectionstatechange = () => this.#watch(pc);
    await pc.setLocalDescription();
    await gathered(pc);
    return pc.localDescription.sdp;
  }

  /** Applies the answer to the latest offer; the connection it replaces is closed. */
  async answer(sdp) {
    const pc = this.#pending;
    if (!pc) return;
    await pc.setRemoteDescription({ type: 'answer', sdp });
    if (this.#pending !== pc) return;
    this.#pending = null;
    this.#current?.close();
    this.#current = pc;
  }

  /** Queues a digit as an RTP event (RFC 4733); false if that wasn't agreed on. */
  press(digit) {
    if (this.#held) return false;
    const dtmf = this.#current?.getSenders()[0]?.dtmf;
    if (!dtmf?.canInsertDTMF) return false;
    // insertDTMF replaces what is still queued.
    dtmf.insertDTMF(dtmf.toneBuffer + digit, TONE_MS, GAP_MS);
    return true;
  }

  /** Speaks with another track from now on. */
  async speakWith(track) {
    this.#track = track;
    if (!this.#held) await this.#send(track);
  }

  /** Sends no packets any more, or speaks again. */
  async hold(held) {
    this.#held = held;
    await this.#send(held ? null : this.#track);
  }

  async #send(track) {
    const senders = [this.#current, this.#pending].flatMap((pc) => pc?.getSenders() ?? []);
    await Promise.all(senders.map((sender) => sender.replaceTrack(track)));
  }

  close() {
    this.#current?.close();
    this.#pending?.close();
    this.#current = this.#pending = null;
  }

  #watch(pc) {
    // A connection that is being replaced may fail: the far end has left it already.
    if (pc.connectionState === 'failed' && pc === (this.#pending ?? this.#current)) this.#onFailed();
  }
}

function gathered(pc) {
  if (pc.iceGatheringState === 'complete') return Promise.resolve();
  return new Promise((resolve) => {
    setTimeout(resolve, GATHERING_LIMIT_MS);
    pc.addEventListener('icegatheringstatechange', () => {
      if (pc.iceGatheringState === 'complete') resolve();
    });
  });
}
