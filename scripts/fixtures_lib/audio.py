"""Samples as lists of floats in -1..1: tones, speech, WAV files, speech spans."""

import array
import math
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import wave

# ITU-T Q.23: the frequencies of each key.
KEYS = {
    key: (low, high)
    for low, row in ((697, "123A"), (770, "456B"), (852, "789C"), (941, "*0#D"))
    for high, key in zip((1209, 1336, 1477, 1633), row)
}
ALL_DIGITS = "0123456789*#ABCD"


def silence(rate, ms):
    return [0.0] * (rate * ms // 1000)


def tone(rate, ms, parts):
    """Sines of (Hz, dBFS), with 2 ms edges so that they do not click."""
    count, edge = rate * ms // 1000, rate * 2 // 1000
    out = []
    for n in range(count):
        shape = min(1.0, (n + 1) / edge, (count - n) / edge)
        out.append(shape * sum(amplitude(db) * math.sin(2 * math.pi * hz * n / rate) for hz, db in parts))
    return out


def amplitude(db):
    return 10 ** (db / 20)


def key(rate, ms, digit, db=-13.0, twist=2.0):
    """A DTMF signal: low tone at `db` dBFS, high tone `twist` dB above it."""
    low, high = KEYS[digit]
    return tone(rate, ms, [(low, db), (high, db + twist)])


def noise(rate, ms, db, seed):
    """White noise of an RMS level."""
    source = random.Random(seed)
    return [amplitude(db) * source.gauss(0.0, 1.0) for _ in range(rate * ms // 1000)]


def mix(*layers):
    out = [0.0] * max(map(len, layers))
    for layer in layers:
        for n, sample in enumerate(layer):
            out[n] += sample
    return out


def rms_db(samples):
    power = sum(s * s for s in samples) / max(1, len(samples))
    return 10 * math.log10(power + 1e-12)


def at_level(samples, db, rate):
    """Scaled so that the spoken parts (not the pauses) have an RMS of `db` dBFS."""
    spoken = [s for start, end in spans(samples, rate) for s in samples[start * rate // 1000 : end * rate // 1000]]
    gain = amplitude(db - rms_db(spoken or samples))
    return [max(-1.0, min(1.0, s * gain)) for s in samples]


def spans(samples, rate, pause_ms=500):
    """Where sound is, in ms: 10 ms frames within 32 dB of the loudest, pauses
    shorter than `pause_ms` bridged, anything under 80 ms dropped."""
    frame = rate // 100
    levels = [rms_db(samples[at : at + frame]) for at in range(0, len(samples) - frame + 1, frame)]
    loudest = max(levels, default=-120.0)
    out = []
    for n, level in enumerate(levels):
        if level < loudest - 32 or level < -65:
            continue
        if out and n * 10 - out[-1][1] < pause_ms:
            out[-1][1] = (n + 1) * 10
        else:
            out.append([n * 10, (n + 1) * 10])
    return [span for span in out if span[1] - span[0] >= 80]


def int16(samples):
    return struct.pack(f"<{len(samples)}h", *(max(-32768, min(32767, round(s * 32767))) for s in samples))


def riff(fmt, data, magic=b"RIFF", extra=b""):
    body = b"WAVE" + extra + b"fmt " + struct.pack("<I", len(fmt)) + fmt
    body += b"data" + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return magic + struct.pack("<I", len(body)) + body


def fmt_chunk(tag, channels, rate, bits):
    frame = channels * bits // 8
    return struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits)


def wav16(rate, samples, channels=1):
    return riff(fmt_chunk(1, channels, rate, 16), int16(samples))


def wav_float(rate, samples, channels=1):
    return riff(fmt_chunk(3, channels, rate, 32), struct.pack(f"<{len(samples)}f", *samples))


def interleave(left, right):
    return [s for pair in zip(left, right) for s in pair]


def load(path, rate):
    """Any audio file as mono at `rate` (sox, or ffmpeg for G.722)."""
    with tempfile.TemporaryDirectory() as work:
        out = pathlib.Path(work) / "out.wav"
        if str(path).endswith(".g722"):
            step = pathlib.Path(work) / "in.wav"
            run("ffmpeg", "-v", "error", "-f", "g722", "-i", path, "-bitexact", step)
            path = step
        raw = ["-t", "raw", "-r", "16000", "-e", "signed", "-b", "16", "-c", "1"] if str(path).endswith(".raw") else []
        run("sox", "-D", *raw, path, "-r", str(rate), "-c", "1", "-b", "16", out)
        return read16(out)


def read16(path):
    with wave.open(str(path)) as file:
        samples = array.array("h", file.readframes(file.getnframes()))
    if sys.byteorder == "big":
        samples.byteswap()
    return [s / 32768 for s in samples]


def espeak(text, voice, rate):
    with tempfile.TemporaryDirectory() as work:
        out = pathlib.Path(work) / "out.wav"
        run("espeak-ng", "-v", voice, "-s", "150", "-w", out, text)
        return load(out, rate)


def rhvoice(text, voice, rate):
    with tempfile.TemporaryDirectory() as work:
        out = pathlib.Path(work) / "out.wav"
        run("RHVoice-test", "-p", voice, "-o", out, stdin=text)
        return load(out, rate)


def run(*command, stdin=None):
    subprocess.run([str(part) for part in command], input=stdin, text=True, check=True, stdout=subprocess.DEVNULL)
