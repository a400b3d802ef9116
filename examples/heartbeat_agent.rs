//! A worker on the dashboard: heartbeats, tasks by subject, answers, its own health, and a clean end.
//!
//! ```sh
//! nixfleet-agent key create worker.key
//! nixfleet-dashboard key add worker-1 "$(nixfleet-agent key show worker.key)" --organization acme
//! cargo run --example heartbeat_agent --features agent -- wss://fleet.example.org worker-1 worker.key acme
//! nixfleet request --organization acme tasks.sum.new "[1, 2, 3]"
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nixfleet::agent::{Client, HeartbeatAgent, Message, MessageError, Reconnect};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

/// How often the worker tells how it is.
const REPORT: Duration = Duration::from_secs(5);

/// A task is a list of numbers; its answer is their sum.
async fn sum(task: Message, done: Arc<AtomicU64>) {
    let answer = match task.decode::<Vec<f64>>() {
        Ok(numbers) => json!({ "sum": numbers.iter().sum::<f64>() }),
        Err(error) => json!({ "error": format!("a task is a list of numbers: {error}") }),
    };
    println!("task from {}: {} -> {answer}", task.from(), task.payload());
    let n_done = done.fetch_add(1, Ordering::Relaxed) + 1;
    // Heartbeats say it from now on.
    task.agent().set_status(&format!("{n_done} tasks done"));
    if let Err(error) = task.agent().set_metric("tasks_done", n_done as f64) {
        eprintln!("{error}");
    }
    if task.awaits_reply()
        && let Err(error) = task.reply(answer).await
    {
        eprintln!("the answer was not sent: {error}");
    }
}

/// Tells all who care how the worker is.
async fn report(agent: &Client) -> Result<(), MessageError> {
    let health = agent.connection_health();
    println!(
        "healthy: {}, connected: {}, seconds since the last acknowledgement: {}, attempts: {}, dropped: {}",
        health.healthy,
        health.connected,
        health.since_ack.map_or_else(
            || "none yet".to_owned(),
            |since| since.as_secs().to_string()
        ),
        health.attempts,
        agent.n_dropped(),
    );
    let report = json!({ "healthy": health.healthy, "last_ack": health.last_ack });
    let listeners = agent.publish("health.worker", report).await?;
    println!("published to {listeners}");
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    run(&arguments).await
}

/// The whole example, for arguments without the program's name.
pub async fn run(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let [url, hostname, key_file, organization] = arguments else {
        return Err("usage: heartbeat_agent URL HOSTNAME KEY_FILE ORGANIZATION".into());
    };
    let done = Arc::new(AtomicU64::new(0));
    let agent = HeartbeatAgent::builder()
        .url(url)
        .hostname(hostname)
        .key_file(key_file)
        .organization(organization)
        .interval(Duration::from_secs(1))
        .offline_after(3)
        .reconnect(Reconnect::attempts(10))
        .on("tasks.*.new", move |task| sum(task, Arc::clone(&done)))
        .on("chat.>", |message: Message| async move {
            println!(
                "{} on {}: {}",
                message.from(),
                message.subject(),
                message.payload()
            );
        })
        .build()?;
    // From here on it beats, whatever this program does.
    let mut agent = agent.start().await?;
    agent.connected(Duration::from_secs(20)).await?;
    println!("connected");

    // The worker gives itself a task, as anybody else would.
    let answer = agent
        .request("tasks.sum.new", [1.0, 2.0, 3.5], Duration::from_secs(10))
        .await?;
    println!("own task: {}", answer.payload());

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut reports = tokio::time::interval(REPORT);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = reports.tick() => {
                // While there is no connection, there is nobody to tell. It comes back by itself.
                if let Err(error) = report(&agent).await {
                    eprintln!("no report: {error}");
                }
            }
            ended = agent.ended() => {
                ended?;
                return Ok(());
            }
        }
    }
    agent.stop().await?;
    println!("stopped");
    Ok(())
}
