//! Conditions that look at what has been.

use super::*;

#[test]
fn the_newest_run_of_each_command_counts() {
    let failed = Condition::RunFailed {
        commands: Vec::new(),
    };
    let degraded = Condition::RunDegraded {
        commands: Vec::new(),
    };
    let online = reading(HostStatus::Online, None);
    let mut memory = Memory::default();
    let ids: Vec<RunId> = (0..4).map(|_| RunId::new()).collect();
    let end = |n: usize, state, reason: &str| RunEnd::new(ids[n], state, reason);
    check(&failed, &online, &memory, "");
    memory.ran(
        &host(),
        "switch",
        end(1, RunState::Failed, "building: hello failed\nmore"),
    );
    check(
        &failed,
        &online,
        &memory,
        "switch|switch failed: building: hello failed",
    );
    check(&degraded, &online, &memory, "");
    // Another command's success, an older run, and one that was stopped say nothing.
    memory.ran(&host(), "pull", end(2, RunState::Succeeded, ""));
    memory.ran(&host(), "switch", end(0, RunState::Succeeded, ""));
    memory.ran(&host(), "switch", end(2, RunState::Stopped, ""));
    check(
        &failed,
        &online,
        &memory,
        "switch|switch failed: building: hello failed",
    );
    let only_boot = Condition::RunFailed {
        commands: vec![Pattern("boot".into())],
    };
    check(&only_boot, &online, &memory, "");
    memory.ran(&host(), "switch", end(2, RunState::Degraded, ""));
    check(&failed, &online, &memory, "");
    check(
        &degraded,
        &online,
        &memory,
        "switch|switch left failed units",
    );
    memory.ran(&host(), "switch", end(3, RunState::RebootRequired, ""));
    check(&degraded, &online, &memory, "");
    for (state, words) in [
        (RunState::Lost, "was lost"),
        (RunState::TimedOut, "took too long"),
        (RunState::RolledBack, "was rolled back"),
    ] {
        memory.ran(&host(), "switch", end(3, state, ""));
        check(&failed, &online, &memory, &format!("switch|switch {words}"));
    }
}

#[test]
fn a_host_flaps_when_it_goes_away_too_often() {
    let flapping = Condition::Flapping {
        times: 3,
        within: Duration::from_secs(600),
    };
    let online = reading(HostStatus::Online, None);
    let mut memory = Memory::default();
    let minute = |n: u64| NOW - n * 60_000;
    // A departure is one, whether it passes through `reconnecting` or not.
    for (at, status) in [
        (20, "offline"),
        (19, "online"),
        (9, "reconnecting"),
        (8, "offline"),
        (7, "online"),
        (6, "reconnecting"),
        (5, "online"),
    ] {
        memory.became(&host(), status, minute(at));
    }
    check(&flapping, &online, &memory, "");
    memory.became(&host(), "offline", minute(1));
    check(
        &flapping,
        &online,
        &memory,
        "|went away 3 times within 10 min",
    );
}

#[test]
fn what_is_unusual_at_this_hour() {
    let unusual = Condition::Unusual {
        metric: Metric::Temperature,
        deviations: 4.0,
        least: 10.0,
    };
    let mut memory = Memory::default();
    let at = |value| {
        let own = Resources {
            temperature: Some(value),
            ..Resources::default()
        };
        reading(HostStatus::Online, Some(own))
    };
    check(&unusual, &at(90.0), &memory, "?");
    // Four weeks of this hour at 50, give or take 3.
    for week in (1..=4).rev() {
        for minute in 0..30 {
            let then = NOW - week * 7 * 86_400_000 - NOW % 3_600_000 + minute * 60_000;
            let value = if minute % 2 == 0 { 47.0 } else { 53.0 };
            memory.learn(&[at(value)], &[Metric::Temperature], then);
        }
    }
    memory.learn(&[at(50.0)], &[Metric::Temperature], NOW);
    check(&unusual, &at(61.0), &memory, "");
    check(
        &unusual,
        &at(63.0),
        &memory,
        "|temperature is 63.0 °C, and usually 50.0 °C at this hour",
    );
    check(
        &unusual,
        &at(37.0),
        &memory,
        "|temperature is 37.0 °C, and usually 50.0 °C at this hour",
    );
    assert_eq!(memory.unsaved().len(), 1);
    memory.keep(|_| false);
    check(&unusual, &at(90.0), &memory, "?");
}
