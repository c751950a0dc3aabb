//! G.711 (ITU-T G.711): A-law and µ-law by their definition.

/// One µ-law byte as a sample, −1…1 (G.711 Table 2a).
pub fn mulaw(byte: u8) -> f32 {
    let code = !byte;
    let exponent = (code >> 4) & 7;
    let mantissa = i32::from(code & 0x0f);
    let magnitude = (((mantissa << 3) + 0x84) << exponent) - 0x84;
    let sample = if code & 0x80 == 0 {
        magnitude
    } else {
        -magnitude
    };
    sample as f32 / 32768.0
}

/// One A-law byte as a sample, −1…1 (G.711 Table 1a).
pub fn alaw(byte: u8) -> f32 {
    let code = byte ^ 0x55;
    let exponent = (code >> 4) & 7;
    let mantissa = i32::from(code & 0x0f);
    let magnitude = match exponent {
        0 => (mantissa << 4) + 8,
        _ => ((mantissa << 4) + 0x108) << (exponent - 1),
    };
    let sample = if code & 0x80 == 0 {
        -magnitude
    } else {
        magnitude
    };
    sample as f32 / 32768.0
}

/// The µ-law byte in whose interval a sample lies (G.711 Table 2a); beyond ±1
/// the outermost, 0 for what is no number.
pub fn to_mulaw(sample: f32) -> u8 {
    let linear = (sample * 32768.0).clamp(-32_635.0, 32_635.0);
    // With the bias every segment begins at a power of two.
    let biased = linear.abs() as u32 + 0x84;
    let exponent = (biased >> 8).checked_ilog2().map_or(0, |n| n + 1);
    let code = (exponent << 4) as u8 | (biased >> (exponent + 3)) as u8 & 0x0f;
    if linear < 0.0 { !(code | 0x80) } else { !code }
}

/// The A-law byte in whose interval a sample lies (G.711 Table 1a); beyond ±1
/// the outermost, the smallest for what is no number.
pub fn to_alaw(sample: f32) -> u8 {
    let linear = (sample * 32768.0).clamp(-32_767.0, 32_767.0);
    let magnitude = linear.abs() as u32;
    let exponent = (magnitude >> 8).checked_ilog2().map_or(0, |n| n + 1);
    let code = (exponent << 4) as u8 | (magnitude >> (exponent.max(1) + 3)) as u8 & 0x0f;
    let positive = if linear < 0.0 { 0 } else { 0x80 };
    (code | positive) ^ 0x55
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_its_anchor_values() {
        let pcm = |x: f32| (x * 32768.0) as i32;
        assert_eq!(pcm(mulaw(0xff)), 0);
        assert_eq!(pcm(mulaw(0x80)), 32124);
        assert_eq!(pcm(mulaw(0x00)), -32124);
        assert_eq!(pcm(alaw(0xd5)), 8);
        assert_eq!(pcm(alaw(0x55)), -8);
        assert_eq!(pcm(alaw(0xaa)), 32256);
        assert_eq!(pcm(alaw(0x2a)), -32256);
    }

    #[test]
    fn every_codeword_survives() {
        for byte in 0..=255 {
            assert_eq!(to_alaw(alaw(byte)), byte);
            // Minus zero is the one sample with two codewords.
            let expected = if byte == 0x7f { 0xff } else { byte };
            assert_eq!(to_mulaw(mulaw(byte)), expected);
        }
    }

    /// By the definition: the sample lies within half a step of its codeword's
    /// value, the step being that of the codeword's segment.
    #[test]
    fn every_sample_takes_the_codeword_of_its_interval() {
        for pcm in -32_768..=32_767i32 {
            let sample = pcm as f32 / 32768.0;
            let off = |value: f32| (pcm - (value * 32768.0) as i32).abs();
            let byte = to_mulaw(sample);
            let half = 4 << (!byte >> 4 & 7);
            // The outermost interval ends at 32 635 and takes all beyond.
            let beyond = (pcm.abs() - 32_635).max(0);
            assert!(off(mulaw(byte)) <= half + beyond, "µ-law {pcm}");
            let byte = to_alaw(sample);
            let half = 8 << ((byte ^ 0x55) >> 4 & 7).saturating_sub(1);
            assert!(off(alaw(byte)) <= half, "A-law {pcm}");
        }
    }

    #[test]
    fn what_is_out_of_range_is_clipped() {
        assert_eq!((to_mulaw(9.0), to_mulaw(f32::NEG_INFINITY)), (0x80, 0x00));
        assert_eq!((to_alaw(9.0), to_alaw(f32::NEG_INFINITY)), (0xaa, 0x2a));
        assert_eq!(mulaw(to_mulaw(f32::NAN)).abs(), 0.0);
        assert!(alaw(to_alaw(f32::NAN)).abs() < 0.001);
    }
}
