// Sound in and out of the page: microphone or silence, level meters, the ring.

let context = null;

/** The page's one AudioContext; call it where the person has just touched the page. */
export function audioContext() {
  context ??= new AudioContext({ latencyHint: 'interactive' });
  if (context.state === 'suspended') context.resume().catch(() => {});
  return context;
}

/** A track of silence, for people without a microphone. */
function silence() {
  const output = audioContext().createMediaStreamDestination();
  const source = new ConstantSourceNode(audioContext(), { offset: 0 });
  source.connect(output);
  source.start();
  const [track] = output.stream.getAudioTracks();
  return { track, microphone: false };
}

/**
 * The track to speak with. `choice`: "" for the default microphone, "none", or a device id.
 * Without a usable microphone it is silence, with `reason` saying why.
 */
export async function voice(choice) {
  if (choice === 'none') return silence();
  if (!navigator.mediaDevices?.getUserMedia) {
    return { ...silence(), reason: 'This browser offers no microphone to this page.' };
  }
  try {
    const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    if (choice) audio.deviceId = { exact: choice };
    const stream = await navigator.mediaDevices.getUserMedia({ audio });
    return { track: stream.getAudioTracks()[0], microphone: true };
  } catch (error) {
    return { ...silence(), reason: why(error) };
  }
}

function why(error) {
  if (error.name === 'NotAllowedError') return 'The microphone is blocked for this page.';
  if (error.name === 'NotFoundError' || error.name === 'OverconstrainedError') return 'No microphone was found.';
  return 'The microphone can’t be used right now.';
}

/** The microphones the browser lets us name. */
export async function microphones() {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
  return devices.filter((device) => device.kind === 'audioinput' && device.deviceId && device.deviceId !== 'default');
}

/** Measures a stream's level. */
export class Meter {
  #source;
  #analyser;
  #samples = new Float32Array(2048);

  constructor(stream) {
    this.#source = audioContext().createMediaStreamSource(stream);
    this.#analyser = new AnalyserNode(audioContext(), { fftSize: this.#samples.length });
    this.#source.connect(this.#analyser);
  }

  /** In dBov: −127 (silence) to 0. */
  level() {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    const power = this.#samples.reduce((sum, x) => sum + x * x, 0) / this.#samples.length;
    return power > 0 ? Math.max(-127, 10 * Math.log10(power)) : -127;
  }

  close() {
    this.#source.disconnect();
  }
}

/** A soft ring: two low tones, a second on, two off. Silent until the page was touched. */
export class Ring {
  #timer = null;

  start() {
    if (this.#timer) return;
    this.#burst();
    this.#timer = setInterval(() => this.#burst(), 3000);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = null;
  }

  #burst() {
    // A context begun before the page was touched would only earn a warning.
    if (!navigator.userActivation?.hasBeenActive) return;
    const audio = audioContext();
    if (audio.state !== 'running') return;
    const begin = audio.currentTime;
    const volume = new GainNode(audio, { gain: 0 });
    volume.gain.setTargetAtTime(0.06, begin, 0.04);
    volume.gain.setTargetAtTime(0, begin + 0.9, 0.12);
    volume.connect(audio.destination);
    for (const frequency of [392, 494]) {
      const tone = new OscillatorNode(audio, { frequency, type: 'sine' });
      tone.connect(volume);
      tone.start(begin);
      tone.stop(begin + 1.6);
    }
  }
}
