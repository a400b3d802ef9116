//! Many connections, slow ones and idle ones.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_slow_head_and_an_idle_connection_end() {
    let (own, other) = tokio::io::duplex(64 * 1024);
    let api = Arc::new(Api::new(Arc::new(told().status)));
    let door = Arc::new(Door::own(Path::new("/")));
    let mut tasks = JoinSet::new();
    let open = Arc::new(std::sync::atomic::AtomicUsize::new(1));
    tasks.spawn(exchange::exchange(Box::pin(own), api, door, open));
    let mut other = other;
    let begun = Instant::now();
    other
        .write_all(b"GET /status HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    let mut bytes = [0; 16 * 1024];
    assert!(other.read(&mut bytes).await.unwrap() > 100);
    // One byte of the next head after 20 s of silence, then nothing.
    tokio::time::sleep(Duration::from_secs(20)).await;
    other.write_all(b"G").await.unwrap();
    let length = other.read(&mut bytes).await.unwrap();
    assert!(bytes[..length].starts_with(b"HTTP/1.1 408"));
    assert_eq!(begun.elapsed().as_secs(), 25);
    assert_eq!(other.read(&mut bytes).await.unwrap(), 0);
    tasks.join_next().await.unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(31));
}

#[tokio::test]
async fn two_hundred_ask_at_once_and_those_beyond_the_limit_wait() {
    let served = Served::start(|door| door.most = 150).await;
    let mut asking = JoinSet::new();
    for _ in 0..200 {
        let address = served.address;
        asking.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            for _ in 0..5 {
                let request = b"GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n";
                stream.write_all(request).await.unwrap();
                let mut answer = String::new();
                timeout(DEADLINE, stream.read_to_string(&mut answer))
                    .await
                    .unwrap()
                    .unwrap();
                assert_eq!(split(&answer).0, 200);
                stream = TcpStream::connect(address).await.unwrap();
            }
        });
    }
    while let Some(asked) = asking.join_next().await {
        asked.unwrap();
    }
    // All places taken by silence: who comes then waits until one of them has had its time.
    let mut silent = Vec::new();
    for _ in 0..150 {
        silent.push(TcpStream::connect(served.address).await.unwrap());
    }
    let mut waiting = TcpStream::connect(served.address).await.unwrap();
    waiting
        .write_all(b"GET /status HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    let early = timeout(
        Duration::from_millis(300),
        waiting.read_to_string(&mut answer),
    )
    .await;
    assert!(early.is_err(), "{answer}");
    drop(silent);
    timeout(DEADLINE, waiting.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(split(&answer).0, 200);
}

/// Not part of an ordinary run: `cargo nextest run --release --run-ignored only local_api`.
#[tokio::test]
#[ignore = "a measurement"]
async fn two_thousand_requests_a_second_on_two_hundred_connections() {
    let served = Served::start(|_| {}).await;
    let address = served.address;
    let begun = Instant::now();
    let mut asking = JoinSet::new();
    for _ in 0..200 {
        asking.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let mut bytes = vec![0; 16 * 1024];
            for _ in 0..100 {
                stream
                    .write_all(b"GET /status HTTP/1.1\r\n\r\n")
                    .await
                    .unwrap();
                let length = stream.read(&mut bytes).await.unwrap();
                assert!(bytes[..length].starts_with(b"HTTP/1.1 200"));
            }
        });
    }
    while let Some(asked) = asking.join_next().await {
        asked.unwrap();
    }
    let rate = 20_000.0 / begun.elapsed().as_secs_f64();
    println!("{rate:.0} requests/s on 200 connections");
    assert!(rate > 2000.0, "{rate:.0} requests/s");
}
