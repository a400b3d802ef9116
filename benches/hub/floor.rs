//! What the machine does without the dashboard.

use std::time::Instant;

use nixfleet::wire::MAX_BATCH;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::Outcome;

/// Bytes of the frame that acknowledges a heartbeat.
const ACK: usize = 40;

/// A bare TCP server in a process of its own: prints its address, answers each message with as many bytes as a heartbeat's
/// acknowledgement has, ends with its input.
pub async fn serve() -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let mut line = String::new();
    let ended = tokio::task::spawn_blocking(move || std::io::stdin().read_line(&mut line));
    tokio::select! {
        () = answer(listener, ACK) => {}
        _ = ended => {}
    }
    Ok(())
}

/// Answers all that comes with its own first bytes, at most so many.
async fn answer(listener: TcpListener, most: usize) {
    let mut tasks = JoinSet::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        tasks.spawn(async move {
            let mut buffer = [0; 1024];
            while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                let _ = stream.write_all(&buffer[..n.min(most)]).await;
            }
        });
    }
}

/// A message to that server, and its answer.
pub async fn exchange(stream: &mut TcpStream, message: &[u8]) -> Outcome<()> {
    stream.write_all(message).await?;
    stream.read_exact(&mut [0; ACK]).await?;
    Ok(())
}

/// Messages a second that a bare TCP server echoes, each before the next.
pub async fn echo(message: Vec<u8>, connections: usize, rounds: u64) -> Outcome<f64> {
    let echo = TcpListener::bind("127.0.0.1:0").await?;
    let address = echo.local_addr()?;
    let mut server = JoinSet::new();
    server.spawn(answer(echo, usize::MAX));
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
