//! The program on each host.
