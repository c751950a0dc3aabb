//! Memory of a C state.

use std::ffi::c_int;

use zeroize::Zeroize;

/// Zeroed memory of a size that libopus asks for, aligned for anything in C;
/// never moved, wiped on drop.
pub(crate) struct Memory(Box<[u128]>);

impl Memory {
    pub(crate) fn new(bytes: c_int) -> Self {
        let bytes = usize::try_from(bytes).unwrap_or(0);
        Self(vec![0; bytes.div_ceil(size_of::<u128>())].into())
    }

    pub(crate) fn get<T>(&self) -> *const T {
        self.0.as_ptr().cast()
    }

    pub(crate) fn get_mut<T>(&mut self) -> *mut T {
        self.0.as_mut_ptr().cast()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
