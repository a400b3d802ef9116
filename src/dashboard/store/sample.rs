//! A store with runs in it, for tests; written as rows, so that tests can also write what no program would.

use tempfile::TempDir;

use super::output::chunk::{Chunk, LineEnd};
use super::{Store, output};
use crate::run::id::RunId;
use crate::run::phase::RunState;
use crate::run::view::RunView;

/// A new store in a directory of its own.
pub async fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    sqlx::query("INSERT INTO hosts (hostname, created_at) VALUES ('web1', 1)")
        .execute(&store.writer)
        .await
        .unwrap();
    (dir, store)
}

/// A run of `web1`, asked for at `created_at`, whose output is `pieces`, a chunk each.
pub async fn run(store: &Store, state: RunState, created_at: i64, pieces: &[&[u8]]) -> RunId {
    let id = RunId::new();
    let mut view = RunView {
        state,
        ..RunView::default()
    };
    let mut chunks = Vec::new();
    let mut chunk = Chunk {
        first_line: 1,
        ..Chunk::default()
    };
    for piece in pieces {
        chunk.bytes = piece.to_vec();
        chunk.lines.clear();
        let mut start = chunk.line_start;
        for at in memchr::memchr_iter(b'\n', piece) {
            let end = chunk.offset + at as u64 + 1;
            chunk.lines.push(LineEnd {
                end,
                visible: start,
                at: end,
            });
            start = end;
        }
        chunk.tail_visible = start;
        chunks.push(chunk.clone());
        chunk.offset = chunk.end();
        chunk.first_line += chunk.lines.len() as u64;
        chunk.line_start = start;
    }
    (view.bytes, view.lines) = (chunk.offset, chunk.first_line - 1);
    let mut write = store.writer.begin().await.unwrap();
    sqlx::query(
        "INSERT INTO runs (id, hostname, command, args, requested_by, created_at, state, view, last_seq)
         VALUES (?1, 'web1', 'switch', '[]', 'ann', ?2, ?3, ?4, 1)",
    )
    .bind(id.to_string())
    .bind(created_at)
    .bind(state.name())
    .bind(serde_json::to_string(&view).unwrap())
    .execute(&mut *write)
    .await
    .unwrap();
    for chunk in &chunks {
        output::add(&mut write, &id.to_string(), chunk)
            .await
            .unwrap();
    }
    write.commit().await.unwrap();
    id
}

/// Any statement.
pub async fn change(store: &Store, sql: &str) {
    sqlx::query(sql).execute(&store.writer).await.unwrap();
}

/// All output of a run, as far as it is there, and whether something is left out.
pub async fn whole(store: &Store, run: RunId) -> (Vec<u8>, u64) {
    let (mut all, mut at) = (Vec::new(), 0);
    while let Some((bytes, next)) = store.output_from(run, at).await.unwrap() {
        all.extend_from_slice(&bytes);
        at = next;
    }
    (all, at)
}
