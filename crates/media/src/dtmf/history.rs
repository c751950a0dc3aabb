//! The last slices of the DTMF band.

use zeroize::Zeroize;

/// Slices looked back for a digit's beginning: 160 ms.
const MEMORY: usize = 256;

/// Complex samples in two rows, wiped on drop.
pub(super) struct History {
    re: Box<[f32]>,
    im: Box<[f32]>,
    /// Behind the newest.
    filled: usize,
}

impl History {
    pub(super) fn new() -> Self {
        let row = || vec![0.0; 2 * MEMORY].into();
        Self {
            re: row(),
            im: row(),
            filled: MEMORY,
        }
    }

    pub(super) fn push(&mut self, re: f32, im: f32) {
        if self.filled == self.re.len() {
            self.re.copy_within(MEMORY.., 0);
            self.im.copy_within(MEMORY.., 0);
            self.filled = MEMORY;
        }
        self.re[self.filled] = re;
        self.im[self.filled] = im;
        self.filled += 1;
    }

    /// The last [`MEMORY`].
    pub(super) fn recent(&self) -> Recent<'_> {
        let range = self.filled - MEMORY..self.filled;
        Recent {
            re: &self.re[range.clone()],
            im: &self.im[range],
        }
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.re.zeroize();
        self.im.zeroize();
    }
}

/// Slices, oldest first.
#[derive(Clone, Copy)]
pub(super) struct Recent<'a> {
    re: &'a [f32],
    im: &'a [f32],
}

impl<'a> Recent<'a> {
    pub(super) fn len(&self) -> usize {
        self.re.len()
    }

    /// The `N` before `end`.
    pub(super) fn before<const N: usize>(&self, end: usize) -> Option<Samples<'a, N>> {
        Some(Samples {
            re: self.re.get(..end)?.last_chunk()?,
            im: self.im.get(..end)?.last_chunk()?,
        })
    }
}

/// Complex samples in two rows.
#[derive(Clone, Copy)]
pub(super) struct Samples<'a, const N: usize> {
    pub(super) re: &'a [f32; N],
    pub(super) im: &'a [f32; N],
}
