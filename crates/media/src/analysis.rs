//! Placeholder so that the tree compiles until the analysis itself (ears) lands here: overwrite freely.
use crate::event::MediaEvent;
use crate::rtp::RtpHeader;
/// c
#[derive(Debug, Clone, Copy, Default)]
pub struct AnalyzerConfig {
    /// v
    pub vad_frames: bool,
    /// l
    pub level: bool,
}
/// a
pub struct Analyzer {
    n: u64,
}
impl Analyzer {
    /// n
    pub fn new(_c: AnalyzerConfig) -> Self {
        Self { n: 0 }
    }
    /// p
    pub fn process(&mut self, s: &[f32], sink: &mut impl FnMut(MediaEvent)) {
        let b = self.n / 1600;
        self.n += s.len() as u64;
        if self.n / 1600 != b {
            sink(MediaEvent::Level {
                t_ms: self.n / 16,
                dbov: s.iter().map(|x| x * x).sum::<f32>().log10(),
            })
        }
    }
    /// t
    pub fn telephone_event(
        &mut self,
        _h: &RtpHeader,
        _c: u32,
        _p: &[u8],
        _s: &mut impl FnMut(MediaEvent),
    ) -> bool {
        true
    }
    /// f
    pub fn finish(&mut self, _s: &mut impl FnMut(MediaEvent)) {}
}
