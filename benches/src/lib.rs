//! Criterion benchmarks of Switchboard
