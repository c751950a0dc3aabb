//! A box for what must not outlive its use.

use zeroize::Zeroize;

/// Holds audio or something derived from it.
///
/// It lives on the heap so that moving it leaves no copy behind, is wiped when
/// dropped, and offers no way to clone, print or serialise it; the value is only
/// lent to a closure.
///
/// ```compile_fail,E0599
/// let features = switchboard_nlp::Transient::new([0.0f32; 4]);
/// let copy = features.clone();
/// ```
///
/// ```compile_fail,E0277
/// println!("{:?}", switchboard_nlp::Transient::new([0.0f32; 4]));
/// ```
pub struct Transient<T: Zeroize>(Box<T>);

impl<T: Zeroize> Transient<T> {
    /// Takes a value into custody.
    pub fn new(value: T) -> Self {
        Self(Box::new(value))
    }

    /// Lends the value.
    pub fn with<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        read(&self.0)
    }
}

impl<T: Zeroize> Drop for Transient<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    static WIPED: AtomicBool = AtomicBool::new(false);

    /// Compiles only while `T` lacks the trait: else two implementations would do.
    macro_rules! lacks {
        ($type:ty, $trait:path) => {{
            trait Lacks<A> {
                fn it() {}
            }
            impl<T: ?Sized> Lacks<()> for T {}
            struct Has;
            impl<T: ?Sized + $trait> Lacks<Has> for T {}
            <$type as Lacks<_>>::it();
        }};
    }

    #[test]
    fn it_is_neither_copied_nor_printed_nor_written() {
        lacks!(Transient<String>, Clone);
        lacks!(Transient<String>, std::fmt::Debug);
        lacks!(Transient<String>, std::fmt::Display);
        lacks!(Transient<String>, serde::Serialize);
        lacks!(Transient<String>, AsRef<String>);
        lacks!(Transient<String>, std::ops::Deref);
    }

    struct Probe(u8);

    impl Zeroize for Probe {
        fn zeroize(&mut self) {
            self.0 = 0;
            WIPED.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn lends_its_value_and_wipes_it() {
        let transient = Transient::new(Probe(7));
        assert_eq!(transient.with(|probe| probe.0), 7);
        drop(transient);
        assert!(WIPED.load(Ordering::SeqCst));
    }
}
