//! Any bytes as a request to the root helper: what is taken for one means the same when it is written again, and its
//! arguments, if they are let through, are no options, no relative paths and nothing that another reader would split.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use nixfleet::agent::commands::arguments::{self, ArgKind};
use nixfleet::agent::helper::{MAX_REQUEST, Request, parse};
use nixfleet_fuzz::{requests, seed};

/// Where no system is.
const NOWHERE: &str = "/var/empty/none";

fn check_arguments(args: &[String]) {
    let kinds = [
        ArgKind::Flake,
        ArgKind::Host,
        ArgKind::Generation,
        ArgKind::System,
        ArgKind::Text,
    ];
    for arg in args {
        for kind in kinds {
            let one = std::slice::from_ref(arg);
            if arguments::check(one, &[kind], false, Path::new(NOWHERE)).is_err() {
                continue;
            }
            assert!(!arg.starts_with('-') && !arg.contains(char::is_control));
            assert!(arg.len() <= arguments::MAX_ARG);
            assert!(kind != ArgKind::System, "there are no systems");
            if kind != ArgKind::Text {
                assert!(!arg.is_empty() && arg.is_ascii() && !arg.contains(".."));
                assert!(!arg.contains([' ', ';', '$', '`', '|', '\'', '"', '\\', '<', '>', '*']));
            }
        }
    }
    let _ = arguments::check(args, &[], true, Path::new(NOWHERE));
}

fuzz_target!(
    init: seed(requests()),
    |data: &[u8]| {
        let Ok(request) = parse(data) else {
            return;
        };
        assert!(data.len() <= MAX_REQUEST);
        let again = serde_json::to_vec(&request).expect("a request that can be written");
        assert!(!again.contains(&b'\n'), "one line");
        // An id may be written shorter than we do.
        if again.len() <= MAX_REQUEST {
            assert_eq!(parse(&again), Ok(request.clone()));
        }
        if let Request::Start { run } = &request {
            let name = run.command.as_str();
            assert!(!name.is_empty() && !name.starts_with('-') && !name.contains(['/', '.', ' ']));
            check_arguments(&run.args);
        }
    }
);
