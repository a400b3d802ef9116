//! What SQLite's result codes mean to whoever runs the dashboard.

use super::StoreError;

/// SQLite's primary result code (<https://sqlite.org/rescode.html>), if the error is SQLite's own.
fn code(error: &sqlx::Error) -> Option<u32> {
    let sqlx::Error::Database(error) = error else {
        return None;
    };
    // Extended codes have the primary one in their low byte.
    let code: u32 = error.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// The error in words, with what to do.
pub(super) fn words(error: &sqlx::Error) -> String {
    if matches!(error, sqlx::Error::PoolTimedOut) {
        return "it is busy: no connection became free in time".into();
    }
    let advice = match code(error) {
        Some(5 | 6) => "another process keeps it locked, `fuser nixfleet.db` names it",
        Some(8) => {
            "it cannot be written, check the permissions and that the file system is not read-only"
        }
        Some(10) => "the disk does not do its work or is full, the system's log says more",
        Some(11 | 26) => {
            "it is damaged, `nixfleet-dashboard doctor` shows where, and a backup repairs it"
        }
        Some(13) => "the disk is full, free some space in data_dir",
        Some(14) => "a file beside it cannot be opened, check the permissions of data_dir",
        _ => return error.to_string(),
    };
    match error {
        sqlx::Error::Database(said) => {
            let code = said.code().unwrap_or_default();
            format!("{advice} ({}, code {code})", said.message())
        }
        _ => advice.to_owned(),
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl StoreError {
    /// Whether stored data is damaged: waiting does not help, a backup does.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Database(error) => matches!(code(error), Some(11 | 26)),
            Self::Unreadable { .. } => true,
            Self::File(_) | Self::Migration(_) => false,
        }
    }
}
