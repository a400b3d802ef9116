//! The table of promises names tests that exist.

use std::collections::BTreeSet;
use std::path::Path;

/// The rows that must be there.
const ROWS: [&str; 23] = [
    "A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A9", "A10", "B1", "B2", "B3", "B4", "B5",
    "B6", "D4", "D6", "E1", "E2", "E3", "E4", "E5",
];

#[test]
fn each_promise_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join("tests/promises.md")).unwrap();
    let mut rows = BTreeSet::new();
    let mut wrong = Vec::new();
    for line in table.lines().filter(|line| line.starts_with("| ")) {
        let row = line[2..].split(' ').next().unwrap_or_default();
        if row == "row" {
            continue;
        }
        rows.insert(row);
        let tests: Vec<_> = line.split('`').filter(|text| text.contains("::")).collect();
        if tests.is_empty() {
            wrong.push(format!("{row}: no test"));
        }
        for test in tests {
            let (file, name) = test.split_once("::").unwrap();
            let code = std::fs::read_to_string(root.join(file)).unwrap_or_default();
            // The attribute may have arguments, and others after it.
            let is_test = code.split("#[").any(|part| {
                let head = part.split_once('{').map_or(part, |(head, _)| head);
                (part.starts_with("test]") || part.starts_with("tokio::test"))
                    && head.contains(&format!("fn {name}("))
            });
            if !is_test {
                wrong.push(format!("{row}: there is no test {test}"));
            }
        }
    }
    assert_eq!(rows, BTreeSet::from(ROWS));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
