//! What no estimate ever does, whatever a host says.

use proptest::prelude::*;

use super::*;

fn any_expect() -> impl Strategy<Value = Option<Expect>> {
    let number = prop_oneof![0..600_000_u64, any::<u64>()];
    proptest::option::of((number.clone(), number).prop_map(|(ms, most)| Expect { ms, most }))
}

fn any_step() -> impl Strategy<Value = (u64, Option<Phase>, Input)> {
    let phases = [Evaluating, Fetching, Building, Activating, Phase::Switching];
    let number = || prop_oneof![0..100_u64, any::<u64>()];
    let builds = (
        number(),
        number(),
        number(),
        any_expect(),
        number(),
        proptest::collection::vec((number(), any_expect()), 0..4),
    )
        .prop_map(
            |(planned, waiting, slots, work, longest, running)| BuildsLeft {
                planned,
                waiting,
                slots,
                work,
                longest,
                running: running
                    .into_iter()
                    .map(|(since, expect)| Running {
                        since,
                        expect,
                        known: true,
                    })
                    .collect(),
            },
        );
    let fetched = (number(), number(), number(), number(), number()).prop_map(
        |(planned, done, bytes_done, bytes_total, bytes_per_second)| Fetches {
            planned,
            done,
            bytes_done,
            bytes_total,
            bytes_per_second,
        },
    );
    let work = (
        any_expect(),
        any_expect(),
        any_expect(),
        any_expect(),
        number(),
    );
    let known = work.prop_map(
        |(evaluating, work, activating, switching, bytes_per_second)| Usual {
            evaluating,
            work,
            activating,
            switching,
            bytes_per_second,
            ..Usual::default()
        },
    );
    let input = (
        proptest::option::of(builds),
        proptest::option::of(fetched),
        proptest::option::of(known),
    )
        .prop_map(|(builds, fetches, usual)| Input {
            usual,
            builds,
            fetches,
            ..Input::default()
        });
    let phase = proptest::option::of(proptest::sample::select(phases.to_vec()));
    (
        prop_oneof![9 => 0..100_000_u64, 1 => any::<u64>()],
        phase,
        input,
    )
}

proptest! {
    #[test]
    fn percent_never_falls_and_nothing_overflows(steps in proptest::collection::vec(any_step(), 1..40)) {
        let (mut before, mut now) = (Before::default(), START);
        let mut phases = spans(&[(Evaluating, 0)]);
        for (passed, phase, input) in steps {
            now = now.saturating_add(passed);
            phases.extend(phase.map(|phase| PhaseSpan { phase, started_at: now, ended_at: None, first_line: 1 }));
            let (eta, next) = estimate(&Input { spans: phases.clone(), before, ..input }, now);
            prop_assert!(eta.percent >= before.percent && eta.percent <= 99);
            prop_assert!(eta.seconds.is_none_or(|seconds| (1..=MOST / 1000).contains(&seconds)));
            let stood = before.left.is_some_and(|left| left > now.saturating_sub(before.at));
            prop_assert!(eta.seconds.is_some() || !stood, "taken back before its time was over");
            prop_assert!(eta.seconds_most.is_none_or(|most| Some(most) > eta.seconds));
            before = next;
        }
    }
}
