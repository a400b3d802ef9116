//! A run's outcome is known before its output is here, and its output is compared with what the host read.

use std::time::{Duration, Instant};

use crate::cli::nixfleet;
use crate::recovery::{counting, expected, wait_for_lines};
use crate::support::Fleet;
use crate::support::process::wait_until;
use crate::support::throttle::Throttle;

/// How late a failure may be known.
const LATE: Duration = Duration::from_secs(1);

#[test]
fn a_failure_is_known_long_before_the_flood_that_came_with_it() {
    let fleet = Fleet::start();
    let dashboard = fleet.api.base.trim_start_matches("http://").to_owned();
    let link = Throttle::start(dashboard, 1_500_000);
    let (copy, mark) = (fleet.path("copy"), fleet.path("ended"));
    let script = format!(
        "#!/bin/sh\nhead -c 14800000 /dev/urandom | base64 -w 76 >{copy}\ncat {copy}\necho the end >>{copy}\necho the end\ntouch {mark}\nexit 3\n",
        copy = copy.display(),
        mark = mark.display()
    );
    let script = fleet.script("flood", &script);
    let more = format!(
        "[commands.flood]\nargv = [\"{}\"]\ndescription = \"prints a lot\"\n",
        script.display()
    );
    let config = fleet.agent_config("web1", &more);
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace(&fleet.api.base, &format!("http://{}", link.address));
    std::fs::write(&config, text).unwrap();
    let _agent = Fleet::start_agent(&config);
    fleet.wait_online("web1");
    let run = fleet.run("web1", "flood");
    wait_until("the script's end", || mark.exists().then_some(()));
    let ended = Instant::now();
    let shown = wait_until("the failure", || {
        let body = fleet.api.get(&format!("/api/runs/{run}")).body;
        (body["state"] == "failed").then_some(body)
    });
    let late = ended.elapsed();
    let pending = shown["bytes_pending"].as_u64().unwrap();
    println!("known after {late:?}, {pending} bytes still to come");
    assert!(late < LATE, "known only after {late:?}");
    assert!(pending > 1_000_000, "the link was not slow: {shown}");
    assert_eq!(shown["incomplete"], true, "{shown}");
    assert_eq!(shown["exit_code"], 3, "{shown}");
    assert_eq!(shown["verified"], serde_json::Value::Null, "{shown}");
    // The next run of the script begins a new copy.
    let printed = std::fs::read(&copy).unwrap();
    // The host is free for the next run.
    let next = fleet.command("web1", "flood");
    assert_eq!(next.status, 202, "{}", next.body);
    let next = next.body["command_id"].as_str().unwrap().to_owned();
    assert_eq!(
        fleet
            .api
            .post(&format!("/api/runs/{next}/stop"), &serde_json::json!({}))
            .status,
        202
    );
    // Whoever follows it gets all of it, however late.
    let followed = std::thread::scope(|scope| {
        let following = scope.spawn(|| nixfleet(&fleet, &["logs", "-f", &run]));
        wait_until("a reader", || {
            let body = fleet.api.get(&format!("/api/runs/{run}")).body;
            (body["bytes"].as_u64() > shown["bytes"].as_u64()).then_some(())
        });
        link.set_rate(u64::MAX);
        following.join().unwrap()
    });
    let whole = fleet.finished(&run);
    assert_eq!(whole["verified"], true, "{whole}");
    assert_eq!(whole["bytes_pending"], 0, "{whole}");
    let log = fleet.log(&run);
    assert_eq!(log.len(), printed.len());
    assert!(log == printed, "other bytes");
    assert_eq!(followed.stdout.len(), printed.len());
    assert!(followed.stdout == printed, "other bytes were followed");
    let said = String::from_utf8(followed.stderr).unwrap();
    assert!(said.contains("failed"), "{said}");
    assert!(said.contains("(incomplete, "), "{said}");
}

#[test]
fn output_whose_checksum_is_another_one_is_fetched_again() {
    let mut fleet = Fleet::start();
    let _agent = fleet.agent("web1", &counting(&fleet));
    let run = fleet.run("web1", "count");
    wait_for_lines(&fleet, &run, 500);
    fleet.kill_dashboard();
    let database = fleet.path("dashboard").join("nixfleet.db");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let changed = runtime.block_on(async {
        let url = format!("sqlite://{}", database.display());
        let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
        let sql = "UPDATE runs SET notes = json_set(notes, '$.crc32c', 1) WHERE state = 'running'";
        let done = sqlx::query(sql).execute(&pool).await.unwrap();
        pool.close().await;
        done.rows_affected()
    });
    assert_eq!(changed, 1);
    fleet.start_dashboard();
    let finished = fleet.finished(&run);
    assert_eq!(
        (
            &finished["state"],
            &finished["exit_code"],
            &finished["verified"]
        ),
        (&"failed".into(), &7.into(), &true.into()),
        "{finished}"
    );
    assert_eq!(fleet.log(&run), expected());
    let dashboard = fleet.dashboard.as_ref().unwrap().output();
    assert!(dashboard.contains("its checksum is"), "{dashboard}");
}
