//! How large the store is, and what room there is for it.

use std::path::Path;

use sqlx::Row;

use super::file::{NAME, companion};
use super::{Store, StoreError, uint};

/// Sizes in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Space {
    /// The database's file.
    pub file: u64,
    /// Its log of newest commits.
    pub wal: u64,
    /// What the dashboard may still write on that disk.
    pub free: u64,
    /// The whole disk.
    pub disk: u64,
}

impl Space {
    /// Looks at the data directory's files and disk; what cannot be seen is 0.
    pub fn of(dir: &Path) -> Self {
        let path = dir.join(NAME);
        let len = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let (free, disk) = nix::sys::statvfs::statvfs(dir).map_or((0, 0), |disk| {
            // The types differ between systems.
            #[expect(clippy::useless_conversion, reason = "u32 on macOS, u64 on Linux")]
            let (free, all) = (u64::from(disk.blocks_available()), u64::from(disk.blocks()));
            let unit = disk.fragment_size();
            #[expect(clippy::useless_conversion, reason = "c_ulong differs between systems")]
            let unit = u64::from(unit);
            (free.saturating_mul(unit), all.saturating_mul(unit))
        });
        Self {
            file: len(&path),
            wal: len(&companion(&path, "-wal")),
            free,
            disk,
        }
    }

    /// Whether the disk is nearly full: less than 512 MiB are free, or less than 5 % and 5 GiB.
    pub fn is_short(self) -> bool {
        self.free < 512 << 20 || (self.free < 5 << 30 && self.free < self.disk / 20)
    }
}

/// Bytes for people: `1.4 GB`.
pub fn shown(bytes: u64) -> String {
    let mut number = bytes as f64;
    let mut unit = "bytes";
    for larger in ["kB", "MB", "GB", "TB"] {
        if number < 1000.0 {
            break;
        }
        number /= 1000.0;
        unit = larger;
    }
    if unit == "bytes" {
        return format!("{bytes} bytes");
    }
    format!("{number:.1} {unit}")
}

impl Store {
    /// Sizes of the files and of the disk.
    pub fn space(&self) -> Space {
        Space::of(&self.dir)
    }

    /// How many bytes of the database's file hold something. The rest of it is free inside and used again before the file
    /// grows.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn used(&self) -> Result<u64, StoreError> {
        let row = sqlx::query(
            "SELECT (page_count - freelist_count) * page_size AS used
             FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
        )
        .fetch_one(&self.readers)
        .await?;
        uint(&row, "used")
    }
}

/// The first column of the only row of a pragma.
pub(super) async fn pragma(
    connection: &mut sqlx::SqliteConnection,
    name: &str,
) -> Result<i64, sqlx::Error> {
    sqlx::query(&format!("PRAGMA {name}"))
        .fetch_one(connection)
        .await?
        .try_get(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_for_people() {
        for (bytes, expected) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (1_440_000_000, "1.4 GB"),
        ] {
            assert_eq!(shown(bytes), expected);
        }
    }

    #[test]
    fn a_disk_is_short_when_little_of_it_and_little_at_all_is_free() {
        let space = |free, disk| Space {
            free,
            disk,
            ..Space::default()
        };
        assert!(space(100 << 20, 1 << 30).is_short());
        assert!(space(4 << 30, 100 << 30).is_short());
        assert!(!space(1 << 30, 4 << 30).is_short(), "a quarter");
        assert!(
            !space(6 << 30, 1 << 40).is_short(),
            "less than one percent, but plenty"
        );
    }
}
