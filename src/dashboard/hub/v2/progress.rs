//! How far a command is, as the earlier agents say it.

use crate::run::event::{Progress, ProgressUnit};
use crate::wire::v2::{Operations, TestProgress};

/// The parts of a command in the order in which they are done; the one that goes on, or the last one that is over.
pub(super) fn of_operations(operations: &Operations) -> Option<Progress> {
    let parts = [
        ("pull", &operations.pull),
        ("lock", &operations.lock),
        ("system", &operations.system),
        ("tests", &operations.tests),
    ];
    let known = parts
        .iter()
        .filter_map(|(name, stage)| Some((*name, stage.as_ref()?)));
    let mut begun = known.filter(|(_, stage)| stage.status != "pending");
    let (name, stage) = begun
        .clone()
        .find(|(_, stage)| stage.status == "in_progress")
        .or_else(|| begun.next_back())?;
    let failed = stage
        .results
        .iter()
        .filter(|result| *result == "fail")
        .count();
    let failed = if failed == 0 {
        String::new()
    } else {
        format!(", {failed} failed")
    };
    Some(Progress {
        done: stage.current,
        total: stage.total,
        unit: if name == "tests" {
            ProgressUnit::Tests
        } else {
            ProgressUnit::Builds
        },
        activity: Some(format!(
            "{name}: {} of {}{failed}",
            stage.current, stage.total
        )),
        ..Progress::default()
    })
}

/// What `test_progress` says.
pub(super) fn of_tests(tests: &TestProgress) -> Progress {
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) if !text.is_empty() => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let mut activity = format!("test {} of {}", tests.current, tests.total);
    for (what, value) in [
        ("", &tests.running),
        ("", &tests.result),
        ("passed: ", &tests.passed),
    ] {
        if let Some(text) = text(value) {
            activity.push_str(", ");
            activity.push_str(what);
            activity.push_str(&text);
        }
    }
    let going_on = tests.running.as_bool().unwrap_or(tests.running.is_string());
    Progress {
        done: tests.current.saturating_sub(u64::from(going_on)),
        total: tests.total,
        unit: ProgressUnit::Tests,
        activity: Some(activity),
        ..Progress::default()
    }
}
