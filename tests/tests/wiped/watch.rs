//! An allocator that looks at what is freed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};

/// Words of four bytes, one after the other, by which a stretch of a signal is known. Fewer are
/// counters and levels: those are told anyway.
const STRETCH: usize = 16;

/// Hands out zeros, and keeps a copy of what the watching thread frees. Growing is allocating,
/// copying and freeing.
pub(crate) struct Watching;

thread_local! {
    static WATCHES: Cell<bool> = const { Cell::new(false) };
    static FREED: RefCell<Vec<Freed>> = const { RefCell::new(Vec::new()) };
}

/// A block as it was when it was freed.
#[derive(Debug)]
struct Freed {
    at: usize,
    bytes: Vec<u8>,
}

// SAFETY: memory comes from the system's allocator and goes back there, by the same layout.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // A thread that ends has no variables any more, and watches nothing.
        if WATCHES.try_with(|on| on.replace(false)) == Ok(true) {
            // SAFETY: the block is the caller's for a last time, and was zeros at first.
            let bytes = unsafe { std::slice::from_raw_parts(memory, layout.size()) };
            let freed = Freed {
                at: memory as usize,
                bytes: bytes.to_vec(),
            };
            FREED.with_borrow_mut(|all| all.push(freed));
            WATCHES.set(true);
        }
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// What a thread frees while `run` runs.
fn freed_by(run: impl FnOnce()) -> Vec<Freed> {
    FREED.take();
    WATCHES.set(true);
    run();
    WATCHES.set(false);
    FREED.take()
}

/// Blocks that an owner frees and that tell which of the two signals it had: how long they are,
/// and how many bytes in a row tell it.
pub(crate) fn unwiped(signals: [&[f32]; 2], mut owner: impl FnMut(&[f32])) -> Vec<(usize, usize)> {
    // What is set up once, for all.
    owner(signals[0]);
    let [one, other] = signals.map(|signal| {
        clear_the_stack();
        freed_by(|| owner(signal))
    });
    assert!(!one.is_empty(), "nothing was freed");
    assert_eq!(one.len(), other.len(), "the two runs free differently");
    let pairs = one.iter().zip(&other);
    let told = pairs.map(|(one, other)| (one.bytes.len(), 4 * longest_difference(one, other)));
    told.filter(|(_, told)| *told >= 4 * STRETCH).collect()
}

/// What is built on the stack takes what lay there along, in its padding: that is to be the same.
#[inline(never)]
fn clear_the_stack() {
    #[allow(clippy::large_stack_arrays)]
    let mut space = [0_u8; 1 << 20];
    std::hint::black_box(&mut space);
}

/// The longest row of words that differ.
fn longest_difference(one: &Freed, other: &Freed) -> usize {
    let (mut row, mut longest) = (0, 0);
    let words = |freed: &Freed| freed.bytes.as_chunks::<4>().0.to_vec();
    let (ones, others) = (words(one), words(other));
    for (place, (a, b)) in ones.iter().zip(&others).enumerate() {
        let differ = a != b && !points(one, place) && !points(other, place);
        row = if differ { row + 1 } else { 0 };
        longest = longest.max(row);
    }
    longest
}

/// Whether this word is half of an address near the block's own.
fn points(freed: &Freed, place: usize) -> bool {
    let begin = place / 2 * 8;
    let Some(address) = freed.bytes.get(begin..begin + 8) else {
        return false;
    };
    let address = usize::from_ne_bytes(address.try_into().unwrap());
    address >> 32 == freed.at >> 32
}
