use super::*;

mod rebuilds;
