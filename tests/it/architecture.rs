//! The structure of the source: which layer may name which, how long files are, what must not appear.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The longest file, in lines. Longer ones are two files.
const MAX_LINES: usize = 350;
/// The longest file of the page.
const MAX_PAGE_LINES: usize = 400;

/// Every layer, and the layers that it may name.
const LAYERS: [(&str, &[&str]); 7] = [
    ("base", &[]),
    ("run", &[]),
    ("wire", &["run"]),
    ("agent", &["base", "run", "wire"]),
    ("dashboard", &["base", "run", "wire"]),
    ("cli", &["base", "run", "wire"]),
    (
        "demo",
        &["base", "run", "wire", "agent", "dashboard", "cli"],
    ),
];

/// What a layer must not name, because it would stop being what it is.
const FORBIDDEN: [(&str, &[&str]); 4] = [
    (
        "run",
        &[
            "tokio",
            "std::fs",
            "std::net",
            "std::process",
            "Instant::now",
            "tracing::",
        ],
    ),
    (
        "wire",
        &[
            "tokio",
            "std::fs",
            "std::net",
            "std::process",
            "Instant::now",
        ],
    ),
    ("agent", &["axum", "sqlx", "ureq"]),
    ("cli", &["axum", "sqlx", "nix::"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(dir: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, endings, found);
        } else if endings
            .iter()
            .any(|ending| path.extension().is_some_and(|found| found == *ending))
        {
            found.push(path);
        }
    }
}

fn source() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    files(&root().join("src"), &["rs"], &mut paths);
    paths
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(root().join("src")).unwrap();
            (
                name.to_str().unwrap().to_owned(),
                fs::read_to_string(&path).unwrap(),
            )
        })
        .collect()
}

fn layer(name: &str) -> &str {
    name.split(['/', '.']).next().unwrap()
}

/// The code without comments: prose may name what it likes.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.split("//").next().unwrap()))
}

#[test]
fn layers_name_only_what_they_may() {
    let mut wrong = String::new();
    for (name, text) in source() {
        let here = layer(&name);
        if matches!(here, "lib" | "bin") {
            continue;
        }
        let Some((_, may)) = LAYERS.iter().find(|(layer, _)| *layer == here) else {
            writeln!(wrong, "src/{name} belongs to no layer").unwrap();
            continue;
        };
        // Tests may read their data.
        let is_test = name.contains("tests") || name.ends_with("golden.rs");
        let forbidden = FORBIDDEN
            .iter()
            .find(|(layer, _)| *layer == here && !is_test);
        for (line, code) in code(&text) {
            for (other, _) in LAYERS {
                if other != here
                    && !may.contains(&other)
                    && code.contains(&format!("crate::{other}"))
                {
                    writeln!(wrong, "src/{name}:{line}: {here} must not name {other}").unwrap();
                }
            }
            for word in forbidden.map_or(&[] as &[&str], |(_, words)| words) {
                if code.contains(word) {
                    writeln!(wrong, "src/{name}:{line}: {here} must not name {word}").unwrap();
                }
            }
            if code.contains("super::super") {
                writeln!(
                    wrong,
                    "src/{name}:{line}: write crate:: instead of super::super"
                )
                .unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn files_are_short_and_named_for_what_they_hold() {
    let mut wrong = String::new();
    for (name, text) in source() {
        let lines = text.lines().count();
        if lines > MAX_LINES {
            writeln!(wrong, "src/{name} has {lines} lines, more than {MAX_LINES}").unwrap();
        }
        let stem = Path::new(&name).file_stem().unwrap().to_str().unwrap();
        if [
            "util", "utils", "common", "helpers", "types", "manager", "mod", "misc",
        ]
        .contains(&stem)
        {
            writeln!(wrong, "src/{name} is named for nothing in particular").unwrap();
        }
    }
    for bin in ["nixfleet", "nixfleet-agent", "nixfleet-dashboard"] {
        let text = fs::read_to_string(root().join(format!("src/bin/{bin}.rs"))).unwrap();
        if text.lines().count() > 60 {
            writeln!(wrong, "src/bin/{bin}.rs is longer than 60 lines").unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn unsafe_code_is_in_one_module() {
    for (name, text) in source() {
        let found =
            code(&text).any(|(_, code)| code.contains("unsafe {") || code.contains("unsafe_code"));
        assert!(
            !found || name == "agent/pty.rs",
            "src/{name} has unsafe code; its place is src/agent/pty.rs"
        );
    }
}

#[test]
fn the_page_has_no_inline_script_and_no_markup_from_texts() {
    let mut paths = Vec::new();
    files(
        &root().join("src/dashboard/ui"),
        &["js", "html", "css"],
        &mut paths,
    );
    assert!(!paths.is_empty(), "the page is missing");
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let shown = path.display();
        assert!(
            text.lines().count() <= MAX_PAGE_LINES,
            "{shown} is longer than {MAX_PAGE_LINES} lines"
        );
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
        ] {
            assert!(!text.contains(word), "{shown} uses {word}");
        }
        if path.extension().is_some_and(|ending| ending == "html") {
            for (at, _) in text.match_indices("<script") {
                let tag = &text[at..at + text[at..].find('>').unwrap()];
                assert!(tag.contains("src="), "{shown} has an inline script");
            }
            assert!(
                !text.contains("style=\"") && !text.contains("<style"),
                "{shown} has an inline style"
            );
            assert!(!text.contains(" onclick="), "{shown} has an inline handler");
        }
        for (at, _) in text.match_indices("http") {
            let rest = &text[at..];
            let own = !rest.starts_with("http://") && !rest.starts_with("https://")
                || rest.starts_with("http://www.w3.org/");
            assert!(
                own,
                "{shown} names another host: {}",
                &rest[..rest.len().min(60)]
            );
        }
    }
}

/// The fields of a struct in a source file, as they are written in a configuration.
fn fields<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let start = text.find(&format!("struct {name} {{")).expect(name);
    let body = &text[start..start + text[start..].find("\n}").unwrap()];
    body.lines()
        .skip(1)
        .map(str::trim)
        .filter(|line| !line.starts_with(['/', '#']))
        .filter_map(|line| line.trim_start_matches("pub ").split_once(": "))
        .map(|(field, _)| field)
        .collect()
}

/// Keys of the agent's file that are tables, and the structs that they are.
const TABLES: [(&str, &str, &str); 11] = [
    ("rebuild", "Rebuild", "[rebuild] "),
    ("repo", "Repo", "[repo] "),
    ("commands", "DeclaredCommand", "[commands.NAME] "),
    ("metrics", "MetricsPaths", "[metrics] "),
    ("reconnect", "Reconnect", "[reconnect] "),
    ("tests", "Tests", "[tests] "),
    ("stop", "Stop", "[stop] "),
    ("limits", "LimitsTable", "[limits] "),
    ("local_api", "LocalApiTable", "[local_api] "),
    ("push", "PushTable", "[[push]] "),
    ("heartbeat_log", "HeartbeatLogTable", "[heartbeat_log] "),
];

#[test]
fn every_key_is_in_the_reference() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let reference = read("docs/configuration.md");
    let agent =
        ["", "/sections", "/tell"].map(|file| read(&format!("src/agent/config_file{file}.rs")));
    let agent = agent.concat();
    let (helper, dashboard) = (
        read("src/agent/helper/config.rs"),
        read("src/dashboard/config.rs"),
    );
    let section = |title: &str| {
        let start = reference.find(&format!("\n## {title}\n")).expect(title) + 1;
        let end = reference[start..].find("\n## ");
        &reference[start..end.map_or(reference.len(), |end| start + end)]
    };
    let mut missing = Vec::new();
    let mut look = |title: &str, key: String| {
        if !section(title).contains(&format!("`{key}`")) {
            missing.push(format!("{title}: {key}"));
        }
    };
    for key in fields(&agent, "ConfigFile") {
        if !TABLES.iter().any(|(table, ..)| *table == key) {
            look("Agent", key.to_owned());
        }
    }
    for (_, name, table) in TABLES {
        for key in fields(&agent, name) {
            look("Agent", format!("{table}{key}"));
        }
    }
    for key in fields(&helper, "HelperFile") {
        let table = TABLES.iter().find(|(table, ..)| *table == key);
        let named = table.map_or(key, |(_, _, named)| named.trim());
        look("Root helper", named.to_owned());
    }
    for key in fields(&dashboard, "Written") {
        look("Dashboard", key.to_owned());
    }
    assert!(
        missing.is_empty(),
        "docs/configuration.md lacks {missing:?}"
    );
    let alerts = read("docs/alerts.md");
    let settings = "src/dashboard/alerts/settings";
    let (rule, channel) = (
        read(&format!("{settings}/written.rs")),
        read(&format!("{settings}/channel.rs")),
    );
    let keys = fields(&rule, "WrittenRule").into_iter();
    for key in keys.chain(fields(&channel, "WrittenChannel")) {
        let key = if key == "hold" { "for" } else { key };
        assert!(
            alerts.contains(&format!("`{key}`")),
            "docs/alerts.md lacks {key}"
        );
    }
}
