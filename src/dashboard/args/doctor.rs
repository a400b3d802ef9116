//! `doctor`: whether the store and what lies around it are whole.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;

use crate::dashboard::config::{AgentToken, Settings};
use crate::dashboard::store::check::{self, Level, Report, files};

/// How often the line that shows how far it is changes.
const PROGRESS: Duration = Duration::from_millis(200);

pub(super) fn run(settings: &Settings, json: bool) -> anyhow::Result<()> {
    let terminal = std::io::stderr().is_terminal() && !json;
    let mut said: Option<Instant> = None;
    let mut progress = |what: &str| {
        if terminal && said.is_none_or(|at| at.elapsed() >= PROGRESS) {
            said = Some(Instant::now());
            let _ = write!(std::io::stderr(), "\r\x1b[K{what} …");
        }
    };
    let mut report = Report::new(&mut progress);
    files::data_dir(&settings.data_dir, &mut report);
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?
        .block_on(check::store(&settings.data_dir, &mut report));
    if let Some(AgentToken::File(path)) = &settings.agent_token {
        files::secret("agent_token_file", path, &mut report);
    }
    if let Some(tls) = &settings.tls {
        files::readable_by_others("tls_key_file", &tls.key, &mut report);
    }
    let level = report.level();
    let findings = report.findings;
    if terminal {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    if json {
        let body = serde_json::json!({"ok": level < Level::Error, "checks": findings});
        println!("{body}");
    } else {
        for finding in &findings {
            let word = match finding.level {
                Level::Ok => "ok",
                Level::Warning => "warning",
                Level::Error => "error",
            };
            // What is stored came from the network: no escape reaches the terminal.
            println!("{word:8} {:17} {}", finding.check, plain(&finding.what));
            if let Some(todo) = &finding.todo {
                println!("{:26} -> {}", "", plain(todo));
            }
        }
    }
    let broken = findings
        .iter()
        .filter(|finding| finding.level == Level::Error)
        .count();
    anyhow::ensure!(
        broken == 0,
        "{broken} of {} checks found something broken",
        findings.len()
    );
    Ok(())
}

/// The text without control characters.
fn plain(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { '�' } else { letter })
        .collect()
}
