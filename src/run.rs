//! The vocabulary of one run: ids, phases, events, lines and what they add up to. Pure: no I/O, no clock, no async.

pub mod event;
pub mod id;
pub mod kind;
pub mod phase;
pub mod view;
