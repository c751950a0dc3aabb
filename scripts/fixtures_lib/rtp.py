"""RTP streams in pcap files: PCMU or Opus, and RFC 4733 telephone events."""

import pathlib
import struct
import subprocess
import tempfile

from . import audio

EVENTS = "0123456789*#ABCD"  # RFC 4733 §3.2: event codes in order
EPOCH_US = 1_700_000_000_000_000


def mulaw(sample):
    """ITU-T G.711 µ-law of one sample in -1..1."""
    value = max(-32635, min(32635, round(sample * 32767)))
    sign = 0x80 if value < 0 else 0
    magnitude = abs(value) + 132
    exponent = magnitude.bit_length() - 8
    return ~(sign | exponent << 4 | magnitude >> exponent + 3 & 0x0F) & 0xFF


def pcmu_frames(samples):
    """20 ms payloads at 8 kHz."""
    return [bytes(map(mulaw, samples[at : at + 160])) for at in range(0, len(samples) - 159, 160)]


def opus_frames(samples, rate):
    """20 ms payloads, encoded by opusenc and taken out of its Ogg file."""
    with tempfile.TemporaryDirectory() as work:
        wav, ogg = pathlib.Path(work) / "in.wav", pathlib.Path(work) / "out.opus"
        wav.write_bytes(audio.wav16(rate, samples))
        command = ["opusenc", "--quiet", "--speech", "--bitrate", "24", "--framesize", "20", "--serial", "1"]
        subprocess.run([*command, str(wav), str(ogg)], check=True)
        return ogg_packets(ogg.read_bytes())[2:]  # without OpusHead and OpusTags


def ogg_packets(data):
    """RFC 3533: packets of a single logical stream."""
    packets, partial, at = [], b"", 0
    while at < len(data):
        lacing = data[at + 27 : at + 27 + data[at + 26]]
        at += 27 + len(lacing)
        for size in lacing:
            partial += data[at : at + size]
            at += size
            if size < 255:
                packets.append(partial)
                partial = b""
    return packets


def stream(frames, payload_type, step, events=(), event_type=101, ssrc=0x5357_4244):
    """(time in µs, RTP packet) of 20 ms frames; during an event (digit, start ms,
    duration ms) its packets take the audio's place, as a gateway sends them, and the last is
    sent three times (RFC 4733 §2.5.1.4)."""
    out, sequence, talking = [], 1000, True

    def send(at_ms, kind, marker, timestamp, payload):
        nonlocal sequence
        header = struct.pack(">BBHII", 0x80, marker << 7 | kind, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
        out.append((at_ms * 1000, header + payload))
        sequence += 1

    for index, frame in enumerate(frames):
        at, now = index * 20, 160_000 + index * step
        event = next((e for e in events if e[1] <= at < e[1] + e[2]), None)
        if event is None:
            send(at, payload_type, talking, now, frame)
            talking = False
            continue
        digit, start, duration = event
        begin, passed = 160_000 + start // 20 * step, at - start + 20
        final = passed >= duration
        for _ in range(3 if final else 1):
            body = struct.pack(">BBH", EVENTS.index(digit), final << 7 | 10, passed // 20 * step)
            send(at, event_type, at == start, begin, body)
        talking = final
    return out


def pcap(packets, link="ethernet"):
    """A classic little-endian pcap of UDP over IPv4 (or IPv6) packets."""
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, {"ethernet": 1, "raw": 101}[link])
    for at, payload in packets:
        packet = ipv4(payload)
        if link == "ethernet":
            packet = bytes.fromhex("020000000002 020000000001 0800") + packet
        seconds, micros = divmod(EPOCH_US + at, 1_000_000)
        out += struct.pack("<IIII", seconds, micros, len(packet), len(packet)) + packet
    return out


def ipv4(payload):
    udp = struct.pack(">HHHH", 40000, 50000, 8 + len(payload), 0) + payload
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, b"\xc0\0\x02\x01", b"\xc0\0\x02\x02")
    total = sum(struct.unpack(">10H", head))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack(">H", ~total & 0xFFFF) + head[12:] + udp
