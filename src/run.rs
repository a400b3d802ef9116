//! The vocabulary of one run: ids, phases, events, lines and what they add up to. Pure: no I/O, no clock, no async.

pub mod ansi;
mod bar;
pub(crate) mod checked_text;
pub mod event;
pub mod id;
pub mod kind;
pub mod lines;
pub mod phase;
pub mod progress_line;
pub mod records;
mod rules;
pub mod summary;
pub mod system;
pub mod tracker;
pub mod view;
pub mod work;
