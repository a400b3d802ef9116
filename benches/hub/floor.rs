//! What the machine does without the dashboard.

use std::time::Instant;

use nixfleet::wire::MAX_BATCH;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::Outcome;

/// Messages a second that a bare TCP server echoes, each before the next.
pub async fn echo(message: Vec<u8>, connections: usize, rounds: u64) -> Outcome<f64> {
    let echo = TcpListener::bind("127.0.0.1:0").await?;
    let address = echo.local_addr()?;
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut tasks = JoinSet::new();
        while let Ok((mut stream, _)) = echo.accept().await {
            tasks.spawn(async move {
                let mut buffer = [0; 1024];
                while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                    let _ = stream.write_all(&buffer[..n]).await;
                }
            });
        }
    });
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    for _ in 0..connections {
        let message = message.clone();
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            let mut buffer = vec![0; message.len()];
            for _ in 0..rounds {
                stream.write_all(&message).await?;
                stream.read_exact(&mut buffer).await?;
            }
            Outcome::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok((connections as u64 * rounds) as f64 / began.elapsed().as_secs_f64())
}

/// MB/s of plain blobs of a frame's size, each in a transaction that is on the disk.
pub async fn inserts(n_bytes: usize) -> Outcome<f64> {
    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
    let dir = tempfile::tempdir()?;
    let options = SqliteConnectOptions::new()
        .filename(dir.path().join("bare.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut connection = sqlx::ConnectOptions::connect(&options).await?;
    sqlx::query("CREATE TABLE bare (id INTEGER PRIMARY KEY, bytes BLOB)")
        .execute(&mut connection)
        .await?;
    let blob = vec![b'x'; MAX_BATCH];
    let began = Instant::now();
    for _ in 0..n_bytes / MAX_BATCH {
        sqlx::query("INSERT INTO bare (bytes) VALUES (?1)")
            .bind(&blob[..])
            .execute(&mut connection)
            .await?;
    }
    Ok(n_bytes as f64 / began.elapsed().as_secs_f64() / 1e6)
}
