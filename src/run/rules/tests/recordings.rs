//! The table against all recordings of rebuilds: what is ordinary output in them means nothing.

use std::path::Path;

use super::M;
use crate::run::lines::{Found, LineAssembler};
use crate::run::rules::{Meaning, plain, said};

/// All lines of a recording, with what each means.
fn lines(bytes: &[u8]) -> Vec<(String, Option<Meaning>)> {
    let mut found = Vec::new();
    let mut sink = |piece: Found<'_>| {
        if let Found::Line { visible, .. } = piece {
            let meaning = said(visible, None).map(|said| said.meaning);
            found.push((plain(visible), meaning));
        }
    };
    let mut assembler = LineAssembler::default();
    assembler.push(bytes, &mut sink);
    assembler.finish(&mut sink);
    found
}

fn each(mut check: impl FnMut(&str, Vec<(String, Option<Meaning>)>)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rebuilds");
    let mut count = 0;
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "raw") {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let bytes = std::fs::read(&path).unwrap();
            check(&name, lines(&bytes));
            count += 1;
        }
    }
    assert!(count >= 120, "{count} recordings");
}

/// Whether it is of an activation, and in which order its lines come.
fn part(meaning: Meaning) -> Option<u8> {
    match meaning {
        M::BuildPlan | M::FetchPlan | M::PlanEntry | M::BuildStart | M::CopyStart => Some(1),
        M::Activating => Some(2),
        M::Switching => Some(3),
        M::Step
        | M::StepError
        | M::ActivationError
        | M::ScriptFailed
        | M::InitChanged
        | M::UnitFailed
        | M::UnitsFailed
        | M::UserFailed => Some(4),
        _ => None,
    }
}

#[test]
fn nothing_of_a_later_part_comes_before_it() {
    let mut wrong = Vec::new();
    each(|name, lines| {
        let activates = [
            "switch",
            "cachedown",
            "test",
            "boot",
            "act",
            "ctrlc-activate",
            "mixed",
            "daemon",
            "fetch",
        ]
        .iter()
        .any(|what| name.contains(what))
            && !name.contains("dry-");
        let mut reached = 0;
        for (line, meaning) in lines {
            let Some(part) = meaning.and_then(part) else {
                continue;
            };
            let early = part == 1 && reached > 1;
            let not_begun = part > 2 && reached < 2;
            if (part > 1 && !activates) || early || not_begun {
                wrong.push(format!("{name}: {line}"));
            }
            if part < 4 {
                reached = reached.max(part);
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
