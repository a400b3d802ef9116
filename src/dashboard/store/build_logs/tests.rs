use super::*;
use crate::dashboard::store::check::Level;
use crate::dashboard::store::sample::{change, run, store};
use crate::run::phase::RunState::{Failed, Running};

fn lines(drv: &str, first: u64, lines: &[&str]) -> BuildLines {
    BuildLines {
        name: drv.trim_end_matches(".drv").to_owned(),
        drv: drv.to_owned(),
        first,
        lines: lines.iter().map(ToString::to_string).collect(),
        rest_dropped: false,
    }
}

async fn put(store: &Store, run: RunId, all: &[BuildLines]) {
    let mut write = store.writer.begin().await.unwrap();
    for lines in all {
        add(&mut write, &run.to_string(), lines).await.unwrap();
    }
    write.commit().await.unwrap();
}

/// `N text` of each line, and the next number.
async fn read(store: &Store, run: RunId, drv: &str, from: u64, limit: usize) -> (String, u64) {
    let build = store.build(run, drv).await.unwrap().expect("a log");
    let found = store.build_lines(&build, from, limit).await.unwrap();
    assert!(found.at_end || found.lines.len() == limit);
    let next = found.next;
    let shown: Vec<_> = found
        .lines
        .iter()
        .map(|(n, text)| format!("{n} {text}"))
        .collect();
    (shown.join("|"), next)
}

#[tokio::test]
async fn any_range_is_read_and_holes_are_numbers_that_are_missing() {
    let (_dir, store) = store().await;
    let (one, other) = (
        run(&store, Running, 1, &[]).await,
        run(&store, Running, 2, &[]).await,
    );
    let told = [
        lines("a.drv", 1, &["one", "", "three"]),
        lines("b.drv", 1, &["\u{1b}[31mred"]),
        lines("a.drv", 4, &["four"]),
        // 5 to 9 could not be kept.
        lines("a.drv", 10, &["ten", "eleven"]),
        lines("a.drv", 13, &[]),
    ];
    put(&store, one, &told).await;
    put(&store, other, &[lines("a.drv", 1, &["elsewhere"])]).await;
    for (from, limit, expected, next) in [
        (0, 99, "1 one|2 |3 three|4 four|10 ten|11 eleven", 12),
        (1, 2, "1 one|2 ", 3),
        (3, 2, "3 three|4 four", 5),
        (5, 1, "10 ten", 11),
        (7, 9, "10 ten|11 eleven", 12),
        (11, 9, "11 eleven", 12),
        (12, 9, "", 12),
        (u64::MAX, 9, "", u64::MAX),
    ] {
        let found = read(&store, one, "a.drv", from, limit).await;
        assert_eq!(found, (expected.to_owned(), next), "from {from}");
    }
    assert_eq!(read(&store, one, "b.drv", 1, 9).await.0, "1 \u{1b}[31mred");
    assert_eq!(store.build(one, "c.drv").await.unwrap(), None);
    let builds = store.builds(one, 9).await.unwrap();
    let builds: Vec<_> = builds
        .iter()
        .map(|build| (build.name.as_str(), build.lines))
        .collect();
    assert_eq!(builds, [("a", 12), ("b", 1)]);
    assert_eq!(store.builds(one, 1).await.unwrap().len(), 1);
    // All records once more.
    put(&store, one, &told).await;
    assert_eq!(read(&store, one, "a.drv", 1, 99).await.1, 12);
    assert_eq!(store.builds(one, 9).await.unwrap().len(), 2);
}

#[tokio::test]
async fn lines_that_a_host_tells_twice_differently_come_once() {
    let (_dir, store) = store().await;
    let run = run(&store, Running, 1, &[]).await;
    let told = [
        lines("a.drv", 1, &["1", "2", "3"]),
        lines("a.drv", 2, &["x", "y", "4"]),
    ];
    put(&store, run, &told).await;
    let (found, next) = read(&store, run, "a.drv", 1, 99).await;
    assert_eq!((found.as_str(), next), ("1 1|2 2|3 3|4 4", 5));
}

#[tokio::test]
async fn logs_go_with_their_run_and_with_its_output() {
    let (_dir, store) = store().await;
    let (going, over) = (
        run(&store, Running, 1, &[]).await,
        run(&store, Failed, 2, &[]).await,
    );
    for run in [going, over] {
        let many: Vec<_> = (0..1500)
            .map(|n| lines("a.drv", n + 1, &["line"]))
            .collect();
        put(&store, run, &many).await;
    }
    assert_eq!(store.remove_oldest_output().await.unwrap(), Some(over));
    assert_eq!(store.remove_oldest_output().await.unwrap(), None);
    assert_eq!(store.builds(over, 9).await.unwrap(), []);
    let noted = store.run(over).await.unwrap().unwrap().notes;
    assert!(noted.build_logs_cut);
    assert_eq!(read(&store, going, "a.drv", 1500, 9).await.0, "1500 line");
    change(&store, &format!("DELETE FROM runs WHERE id = '{going}'")).await;
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM build_log_lines")
        .fetch_one(&store.readers)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn the_doctor_reads_them_back() {
    let (_dir, store) = store().await;
    let run = run(&store, Failed, 1, &[]).await;
    put(
        &store,
        run,
        &[
            lines("a.drv", 1, &["one", "two"]),
            lines("a.drv", 3, &["three"]),
        ],
    )
    .await;
    let found = async || {
        let found = store.doctor().await;
        let of_logs = found
            .into_iter()
            .filter(|finding| finding.check == "build logs");
        of_logs
            .map(|finding| (finding.level, finding.what))
            .collect::<Vec<_>>()
    };
    assert_eq!(found().await, [(Level::Ok, "3 lines read back".to_owned())]);
    change(
        &store,
        "UPDATE build_log_lines SET n_lines = 7 WHERE first_line = 1",
    )
    .await;
    change(
        &store,
        "UPDATE build_log_lines SET bytes = x'00' WHERE first_line = 3",
    )
    .await;
    let found = found().await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].1.contains("has 2 lines, not 7"), "{found:?}");
    assert!(found[1].1.contains("line 3"), "{found:?}");
}
