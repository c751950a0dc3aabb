// How good a call probably sounds: the E-model (ITU-T G.107), simplified to what a browser
// measures.
//
//   R   = 93.2 − Id − Ie,eff
//   Id  = 0.024 d + 0.11 (d − 177.3) for d > 177.3, d being the one-way delay in ms
//         (Cole and Rosenbluth, "Voice over IP performance monitoring", 2001)
//   Ie,eff = Ie + (95 − Ie) Ppl / (Ppl + Bpl), with Ppl in per cent, losses at random
//   MOS = 1 + 0.035 R + 7·10⁻⁶ R (R − 60) (100 − R)          (G.107, Annex B)
//
// There are no Ie and Bpl for Opus in ITU-T G.113. Those of G.711 with concealment stand in
// for them, Ie = 0 and Bpl = 25.1, so that 4.4 is the best there is.

const R0 = 93.2;
const BPL = 25.1;
const NARROW = 177.3;

/** MOS, 1 to 4.4, from the part of the packets that is lost and the one-way delay in ms. */
export function mos(loss, delay) {
  const ppl = 100 * Math.min(1, Math.max(0, loss));
  const id = 0.024 * delay + (delay > NARROW ? 0.11 * (delay - NARROW) : 0);
  const r = R0 - id - (95 * ppl) / (ppl + BPL);
  if (r <= 0) return 1;
  return 1 + 0.035 * r + 7e-6 * r * (r - 60) * (100 - r);
}
