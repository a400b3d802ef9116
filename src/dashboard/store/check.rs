//! Whether the store is whole: what `nixfleet-dashboard doctor` looks at. Nothing is changed, a dashboard may run meanwhile,
//! and memory holds one chunk at a time.

mod build_logs;
mod build_times;
pub mod files;
mod metrics;
mod output;
mod runs;

use std::path::Path;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Row as _};

use super::StoreError;
use super::file::{self, FileError, NAME, RESTORE};
use super::open::{identify, newest, reading};

/// The most findings of one kind that are told; the rest is counted.
const TOLD: usize = 10;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, and somebody should look at it.
    Warning,
    /// Something is broken.
    Error,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// Which check.
    pub check: &'static str,
    /// How it ended.
    pub level: Level,
    /// What it saw.
    pub what: String,
    /// What to do about it, unless all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub todo: Option<String>,
}

/// All findings so far, and how far the check is.
pub struct Report<'a> {
    /// In the order of the checks.
    pub findings: Vec<Finding>,
    /// Is told what is being looked at, for a person who waits.
    progress: &'a mut dyn FnMut(&str),
}

impl std::fmt::Debug for Report<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.findings.fmt(formatter)
    }
}

impl<'a> Report<'a> {
    /// Nothing found yet.
    pub fn new(progress: &'a mut dyn FnMut(&str)) -> Self {
        Self {
            findings: Vec::new(),
            progress,
        }
    }

    /// The worst of all.
    pub fn level(&self) -> Level {
        let levels = self.findings.iter().map(|finding| finding.level);
        levels.max().unwrap_or(Level::Ok)
    }

    fn add(&mut self, check: &'static str, level: Level, what: String, todo: Option<String>) {
        self.findings.push(Finding {
            check,
            level,
            what,
            todo,
        });
    }

    /// All is well with `check`.
    pub fn ok(&mut self, check: &'static str, what: impl Into<String>) {
        self.add(check, Level::Ok, what.into(), None);
    }

    /// Somebody should look at it.
    pub fn warn(&mut self, check: &'static str, what: impl Into<String>, todo: impl Into<String>) {
        self.add(check, Level::Warning, what.into(), Some(todo.into()));
    }

    /// It is broken.
    pub fn error(&mut self, check: &'static str, what: impl Into<String>, todo: impl Into<String>) {
        self.add(check, Level::Error, what.into(), Some(todo.into()));
    }

    /// Many findings of one check: the first ones in words, the others as their number; `well` when there are none.
    fn many(&mut self, check: &'static str, mut found: Vec<String>, todo: &str, well: String) {
        let more = found.len().saturating_sub(TOLD);
        if found.is_empty() {
            return self.ok(check, well);
        }
        found.truncate(TOLD);
        for what in found {
            self.error(check, what, todo);
        }
        if more > 0 {
            self.error(check, format!("and {more} more of this kind"), todo);
        }
    }

    fn say(&mut self, what: &str) {
        (self.progress)(what);
    }
}

/// Looks at the database in `dir`.
pub async fn store(dir: &Path, report: &mut Report<'_>) {
    let path = dir.join(NAME);
    match file::inspect(&path) {
        Ok(true) => {}
        Ok(false) => {
            return report.warn(
                "database",
                format!("{}: there is none yet", path.display()),
                "start the dashboard once; or write the data_dir in which it is",
            );
        }
        Err(error) => return refused(report, &error),
    }
    let result = match open(&path).await {
        Ok(mut connection) => {
            let checked = database(&mut connection, &path, report).await;
            let _ = connection.close().await;
            checked
        }
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => {}
        Err(StoreError::File(error)) => refused(report, &error),
        Err(error) => report.error(
            "database",
            format!("{}: the check ended early: {error}", path.display()),
            if error.is_damage() {
                RESTORE
            } else {
                "run it as the dashboard's user, while no other program keeps the database locked"
            },
        ),
    }
}

/// The text of such an error says what to do.
fn refused(report: &mut Report<'_>, error: &FileError) {
    let text = error.to_string();
    let (what, todo) = text.rsplit_once("; ").unwrap_or((&text, RESTORE));
    report.error("database", what, todo);
}

/// A connection that cannot write. On a file system that nobody can write there is no log, and none is needed.
async fn open(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let opened = match SqliteConnection::connect_with(&reading(path)).await {
        Ok(mut connection) => match first_read(&mut connection).await {
            Ok(()) => return Ok(connection),
            Err(error) => error,
        },
        Err(error) => error,
    };
    if file::companion(path, "-wal").exists() || file::check_writable(path).is_ok() {
        return Err(opened);
    }
    SqliteConnection::connect_with(&reading(path).immutable(true)).await
}

async fn first_read(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT count(*) FROM sqlite_schema")
        .fetch_one(connection)
        .await
        .map(drop)
}

async fn database(
    connection: &mut SqliteConnection,
    path: &Path,
    report: &mut Report<'_>,
) -> Result<(), StoreError> {
    let version = identify(connection, path).await?;
    let words = format!("{}, schema version {version}", path.display());
    if version < newest() {
        report.ok(
            "database",
            format!("{words}; the next start brings it to {}", newest()),
        );
    } else {
        report.ok("database", words);
    }
    report.say("reading the whole database file");
    let rows = sqlx::query("PRAGMA integrity_check(100)")
        .fetch_all(&mut *connection)
        .await?;
    let (mut broken, mut unused) = (Vec::new(), 0_u64);
    for row in &rows {
        // One row may have several lines; a page that is lost is the consequence of another that is damaged.
        let text: String = row.try_get(0)?;
        for line in text.lines().map(str::trim) {
            if line.ends_with(": never used") {
                unused += 1;
            } else if line != "ok" && !line.starts_with("***") {
                broken.push(line.to_owned());
            }
        }
    }
    if unused > 0 {
        broken.push(format!("{unused} pages or more belong to nothing"));
    }
    report.many(
        "integrity",
        broken,
        RESTORE,
        "SQLite finds the file whole".into(),
    );
    let rows = sqlx::query("PRAGMA foreign_key_check")
        .fetch_all(&mut *connection)
        .await?;
    let mut orphans = Vec::new();
    for row in &rows {
        let (table, parent): (String, String) = (row.try_get("table")?, row.try_get("parent")?);
        orphans.push(format!("a row of {table} belongs to nothing in {parent}"));
    }
    report.many(
        "references",
        orphans,
        RESTORE,
        "every row belongs to something".into(),
    );
    if version >= build_times::SINCE {
        build_times::check(connection, report).await?;
    }
    runs::check(connection, report).await?;
    if version >= build_logs::SINCE {
        build_logs::check(connection, report).await?;
    }
    if version >= metrics::SINCE {
        metrics::check(connection, report).await?;
    }
    Ok(())
}

#[cfg(test)]
impl super::Store {
    /// The same checks on this store, for tests.
    pub(crate) async fn doctor(&self) -> Vec<Finding> {
        let mut quiet = |_: &str| {};
        let mut report = Report::new(&mut quiet);
        store(&self.dir, &mut report).await;
        report.findings
    }
}

#[cfg(test)]
mod tests;
