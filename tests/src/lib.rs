//! Whole-call tests of Switchboard
