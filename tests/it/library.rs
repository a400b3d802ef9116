//! The agent as a library, against a real dashboard: two agents that talk, keys, organizations, what breaks, and the
//! example, as a process.

#[path = "../../examples/heartbeat_agent.rs"]
#[expect(dead_code, reason = "its `main` is for its own binary")]
mod example;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nixfleet::agent::{Builder, HeartbeatAgent, Message, MessageError, Reconnect, RunningAgent};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::support::Fleet;
use crate::support::process::{DEADLINE, Process, command, wait_until};

/// Makes a key for a host and adds it; answers its file.
fn key(fleet: &Fleet, host: &str, organization: &str) -> PathBuf {
    let file = fleet.path(&format!("{host}.key"));
    let made = command("nixfleet-agent")
        .args(["key", "create"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let public = String::from_utf8(made.stdout).unwrap();
    key_command(
        fleet,
        &["add", host, public.trim(), "--organization", organization],
    );
    file
}

fn key_command(fleet: &Fleet, arguments: &[&str]) -> String {
    let done = command("nixfleet-dashboard")
        .arg("--config")
        .arg(fleet.path("dashboard.toml"))
        .arg("key")
        .args(arguments)
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap()
}

fn builder(fleet: &Fleet, host: &str) -> Builder {
    HeartbeatAgent::builder()
        .url(&fleet.api.base)
        .hostname(host)
        .token_file(fleet.path("agent-token"))
        .interval(Duration::from_secs(1))
        .reconnect(Reconnect {
            first: Duration::from_millis(100),
            longest: Duration::from_millis(500),
            ..Reconnect::default()
        })
}

async fn started(builder: Builder) -> RunningAgent {
    let agent = builder.build().unwrap().start().await.unwrap();
    agent.connected(DEADLINE).await.unwrap();
    agent
}

/// A handler that passes on what it hears.
fn into(
    heard: &mpsc::Sender<Message>,
) -> impl Fn(Message) -> futures_util::future::BoxFuture<'static, ()> + use<> {
    let heard = heard.clone();
    move |message| {
        let heard = heard.clone();
        Box::pin(async move { heard.send(message).await.unwrap() })
    }
}

async fn next(heard: &mut mpsc::Receiver<Message>) -> Message {
    tokio::time::timeout(DEADLINE, heard.recv())
        .await
        .unwrap()
        .unwrap()
}

/// Publishes until `n` have it: who listens may be on the way.
async fn publish_to(agent: &RunningAgent, subject: &str, payload: &Value, n: u32) {
    let begin = Instant::now();
    loop {
        match agent.publish(subject, payload).await {
            Ok(delivered) if delivered == n => return,
            Ok(_) | Err(MessageError::NotConnected | MessageError::Disconnected) => {}
            Err(error) => panic!("{error}"),
        }
        assert!(
            begin.elapsed() < DEADLINE,
            "never {n} who listen to {subject}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_agents_talk_ask_and_answer_and_other_organizations_hear_nothing() {
    let fleet = Fleet::start();
    let (hear, mut heard) = mpsc::channel(16);
    let (hear_outside, mut heard_outside) = mpsc::channel(16);
    let answering = started(
        builder(&fleet, "a1")
            .organization("acme")
            .on("tasks.*.new", into(&hear))
            .on("ask.>", |question: Message| async move {
                let (from, payload) = (question.from().to_owned(), question.payload().clone());
                question
                    .reply(json!({ "from": from, "asked": payload }))
                    .await
                    .unwrap();
            }),
    )
    .await;
    let _outside = started(
        builder(&fleet, "b1")
            .organization("other")
            .on(">", into(&hear_outside)),
    )
    .await;
    let _unnamed = started(builder(&fleet, "c1").on(">", into(&hear_outside))).await;
    let asking = started(builder(&fleet, "a2").organization("acme")).await;

    publish_to(&asking, "tasks.web.new", &json!({ "id": 7 }), 1).await;
    let message = next(&mut heard).await;
    assert_eq!(
        (message.subject().as_str(), message.from()),
        ("tasks.web.new", "a2")
    );
    assert_eq!(message.payload(), &json!({ "id": 7 }));
    assert!(!message.awaits_reply());
    assert_eq!(message.reply(1).await, Err(MessageError::NoReply));
    assert_eq!(asking.publish("tasks.web", 1).await, Ok(0));

    let answer = asking
        .request("ask.what.ever", [1, 2], DEADLINE)
        .await
        .unwrap();
    assert_eq!(answer.payload(), &json!({ "from": "a2", "asked": [1, 2] }));
    assert_eq!(answer.from(), "a1");
    let nobody = asking.request("unheard", 1, DEADLINE).await.unwrap_err();
    assert_eq!(nobody.to_string(), "nobody listens to `unheard`");
    let late = asking
        .request("tasks.web.new", 1, Duration::from_millis(200))
        .await
        .unwrap_err();
    assert_eq!(late.to_string(), "no answer within 0.2 s");
    assert!(
        heard_outside.try_recv().is_err(),
        "another organization heard it"
    );

    // What the program says of itself is in its heartbeats; how the connection is, it knows.
    answering.set_status("waits for tasks");
    answering.set_metric("tasks_waiting", 3.0).unwrap();
    wait_until("an acknowledged heartbeat", || {
        answering.connection_health().last_ack
    });
    let health = answering.connection_health();
    assert!(
        health.healthy && health.connected && health.attempts == 0,
        "{health:?}"
    );
    wait_until("the status", || {
        let host = fleet.api.get("/api/hosts/a1").body;
        let said = host["status_text"] == "waits for tasks"
            && host["custom_metrics"]["tasks_waiting"] == 3.0;
        (said && host["status"] == "online").then_some(())
    });
    answering.stop().await.unwrap();
    wait_until("the good-bye", || {
        (fleet.api.get("/api/hosts/a1").body["status"] != "online").then_some(())
    });
}

#[tokio::test]
async fn a_handler_that_blocks_its_thread_delays_no_heartbeat_and_its_messages_are_counted() {
    let fleet = Fleet::start();
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    // This test's runtime has one thread: what blocks a handler blocks all of it, but not the agent.
    let agent = started(builder(&fleet, "slow").on("work", move |_| {
        let count = Arc::clone(&count);
        async move {
            if count.fetch_add(1, Ordering::SeqCst) == 0 {
                std::thread::sleep(Duration::from_secs(8));
            }
        }
    }))
    .await;
    let api = fleet.api.clone();
    let beats = move || {
        api.get("/api/hosts/slow").body["heartbeats"]
            .as_u64()
            .unwrap()
    };
    let publisher = std::thread::spawn({
        let api = fleet.api.clone();
        move || {
            wait_until("the handler to listen", || {
                let answer = api.post("/api/publish", &json!({ "subject": "work" }));
                (answer.body["delivered"] == 1).then_some(())
            });
            wait_until("the handler to be at work", || {
                (seen.load(Ordering::SeqCst) > 0).then_some(())
            });
            let before = beats();
            // A handler at work, and more messages than wait for it.
            let (mut sent, begin) = (0, Instant::now());
            while sent < 300 {
                let answer = api.post(
                    "/api/publish",
                    &json!({ "subject": "work", "payload": sent }),
                );
                if answer.status == 200 {
                    sent += 1;
                } else {
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
            std::thread::sleep(Duration::from_secs(4).saturating_sub(begin.elapsed()));
            (beats() - before, begin.elapsed())
        }
    });
    while !publisher.is_finished() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (beats, time) = publisher.join().unwrap();
    assert!(
        beats + 1 >= time.as_secs(),
        "{beats} heartbeats in {time:?}"
    );
    assert!(
        agent.n_dropped() > 0,
        "300 messages did not wait in a queue of 256"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_break_it_connects_again_and_listens_to_the_same() {
    let mut fleet = Fleet::start();
    let (hear, mut heard) = mpsc::channel(16);
    let agent = started(
        builder(&fleet, "a1")
            .on("x.*", into(&hear))
            .on("panic", |_| async { panic!("a handler's own fault") }),
    )
    .await;
    publish_to(&agent, "panic", &Value::Null, 1).await;
    publish_to(&agent, "x.1", &json!(1), 1).await;
    assert_eq!(next(&mut heard).await.payload(), &json!(1));
    fleet.kill_dashboard();
    wait_until("the break", || {
        (!agent.connection_health().connected).then_some(())
    });
    assert_eq!(
        agent.publish("x.2", 2).await,
        Err(MessageError::NotConnected)
    );
    wait_until("an attempt", || {
        (agent.connection_health().attempts > 0).then_some(())
    });
    assert!(!agent.connection_health().healthy);
    fleet.start_dashboard();
    agent.connected(DEADLINE).await.unwrap();
    publish_to(&agent, "x.3", &json!(3), 1).await;
    let message = next(&mut heard).await;
    assert_eq!(
        message.payload(),
        &json!(3),
        "what was sent meanwhile is not kept"
    );
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_let_their_own_host_in_until_they_are_removed() {
    let fleet = Fleet::start();
    let file = key(&fleet, "worker-1", "acme");
    let with = |host: &str, organization: &str| {
        HeartbeatAgent::builder()
            .url(&fleet.api.base)
            .hostname(host)
            .key_file(&file)
            .organization(organization)
            .interval(Duration::from_secs(1))
    };
    let agent = started(with("worker-1", "acme")).await;
    let listed = key_command(&fleet, &["list"]);
    assert!(
        listed.contains("worker-1") && listed.contains("organization acme"),
        "{listed}"
    );
    for (wrong, part) in [
        (with("worker-2", "acme"), "another host than worker-2"),
        (
            with("worker-1", "other"),
            "another organization than `other`",
        ),
        (builder(&fleet, "worker-1"), "set key_file"),
    ] {
        let mut agent = wrong
            .reconnect(Reconnect::never())
            .build()
            .unwrap()
            .start()
            .await
            .unwrap();
        let ended = tokio::time::timeout(DEADLINE, agent.ended()).await.unwrap();
        let error = ended.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    assert!(agent.connection_health().connected, "nobody took its place");

    let public = listed
        .split_whitespace()
        .find(|word| word.len() == 44)
        .unwrap();
    let begin = Instant::now();
    key_command(&fleet, &["remove", public]);
    wait_until("the removed key's connection to end", || {
        (!agent.connection_health().connected).then_some(())
    });
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
    let error = wait_until("a refusal", || {
        agent
            .client()
            .last_error()
            .filter(|error| error.contains("401"))
    });
    assert!(error.contains(&format!("key add HOST {public}")), "{error}");
    // Refused, it does not come again and again: pauses grow.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let attempts = agent.connection_health().attempts;
    assert!((1..=8).contains(&attempts), "{attempts} attempts");
}

#[test]
fn the_program_comes_with_a_key_too_and_runs_as_ever() {
    let fleet = Fleet::start();
    let file = key(&fleet, "web1", "");
    let config = fleet.path("web1.toml");
    let text = format!(
        "url = \"{}\"\nkey_file = \"{}\"\nhostname = \"web1\"\ninterval = 1\nstate_dir = \"{}\"\n[commands.greet]\nargv = [\"/bin/echo\", \"hello\"]\n",
        fleet.api.base,
        file.display(),
        fleet.path("state-web1").display()
    );
    std::fs::write(&config, &text).unwrap();
    let _agent = Fleet::start_agent(&config);
    fleet.wait_online("web1");
    let run = fleet.run("web1", "greet");
    assert_eq!(fleet.finished(&run)["state"], "succeeded");

    std::fs::write(&config, format!("token_file = \"/t\"\n{text}")).unwrap();
    let checked = command("nixfleet-agent")
        .args(["check-config", "--config"])
        .arg(&config)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(
        !checked.status.success() && error.contains("remove the token"),
        "{error}"
    );
    let again = command("nixfleet-agent")
        .args(["key", "create"])
        .arg(&file)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(
        !again.status.success() && error.contains("not overwritten"),
        "{error}"
    );
    let shown = command("nixfleet-agent")
        .args(["key", "show"])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(shown.stdout).unwrap().trim().len(), 44);
}

/// The example's own process: this binary again, with this test alone.
#[tokio::test]
async fn example_process() {
    let Ok(arguments) = std::env::var("NIXFLEET_EXAMPLE") else {
        return;
    };
    let arguments: Vec<String> = arguments.split('\n').map(str::to_owned).collect();
    if let Err(error) = example::run(&arguments).await {
        eprintln!("example: {error}");
        std::process::exit(1);
    }
}

fn cli(fleet: &Fleet, arguments: &[&str]) -> Command {
    let token = fleet.path("api-token");
    std::fs::write(&token, &fleet.api.token).unwrap();
    let mut command = Command::new(crate::support::process::program("nixfleet"));
    command
        .args(["--url", &fleet.api.base, "--token-file"])
        .arg(token)
        .args(arguments);
    command
}

#[test]
fn the_example_works_answers_the_command_line_and_ends_cleanly() {
    let fleet = Fleet::start();
    let file = key(&fleet, "worker-1", "acme");
    let arguments = [
        fleet.api.base.as_str(),
        "worker-1",
        file.to_str().unwrap(),
        "acme",
    ]
    .join("\n");
    let mut example = Process::start(
        "example",
        Command::new(std::env::current_exe().unwrap())
            .args(["library::example_process", "--exact", "--nocapture"])
            .env("NIXFLEET_EXAMPLE", arguments),
    );
    example.wait_for("own task: {\"sum\":6.5}");
    example.wait_for("healthy: true");
    let organization = ["--organization", "acme"];

    let mut listening = Process::start(
        "subscribe",
        cli(&fleet, &["subscribe", "health.*", "chat.>"]).args(organization),
    );
    listening.wait_for("listening");
    let asked = cli(&fleet, &["request", "tasks.sum.new", "[1, 2, 3]"])
        .args(organization)
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&asked.stdout).trim(),
        r#"{"sum":6.0}"#,
        "{asked:?}"
    );
    let said = cli(&fleet, &["--json", "publish", "chat.room", "\"hello\""])
        .args(organization)
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&said.stdout).trim(),
        r#"{"delivered":2}"#,
        "{said:?}"
    );
    example.wait_for("on chat.room: \"hello\"");
    listening.wait_for("chat.room  operator token tests  \"hello\"");
    listening.wait_for("health.worker  worker-1  {");
    let unheard = cli(&fleet, &["request", "tasks.sum.new", "1"])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&unheard.stderr).into_owned();
    assert!(
        !unheard.status.success() && error.contains("nobody listens"),
        "{error}"
    );
    let silent = cli(&fleet, &["request", "chat.room", "1", "--timeout", "0.2"])
        .args(organization)
        .output()
        .unwrap();
    assert_eq!(silent.status.code(), Some(124), "{silent:?}");
    let bad = cli(&fleet, &["publish", "a.*", "1"]).output().unwrap();
    assert!(
        String::from_utf8_lossy(&bad.stderr).contains("wildcards"),
        "{bad:?}"
    );

    example.signal(Signal::SIGTERM);
    assert!(example.wait().success(), "{}", example.output());
    assert!(example.output().contains("stopped"));
}
