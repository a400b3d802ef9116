use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use super::*;

/// Longer than anything here takes; a test that waits so long has failed.
const DEADLINE: Duration = Duration::from_secs(20);
/// Within this nothing must arrive.
const QUIET: Duration = Duration::from_millis(150);

/// A connection through a proxy: the client's end and the server's.
fn connected() -> (Proxy, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap(), 1);
    let client = TcpStream::connect(proxy.address()).unwrap();
    let (server, _) = listener.accept().unwrap();
    for end in [&client, &server] {
        end.set_read_timeout(Some(DEADLINE)).unwrap();
        end.set_nodelay(true).unwrap();
    }
    // From here on it is surely registered.
    let mut ends = (client, server);
    pass(&mut ends.0, &mut ends.1, b"hello");
    (proxy, ends.0, ends.1)
}

#[track_caller]
fn pass(from: &mut TcpStream, to: &mut TcpStream, bytes: &[u8]) {
    from.write_all(bytes).unwrap();
    let mut read = vec![0; bytes.len()];
    to.read_exact(&mut read).unwrap();
    assert_eq!(read, bytes);
}

#[track_caller]
fn nothing_arrives(at: &mut TcpStream) {
    at.set_read_timeout(Some(QUIET)).unwrap();
    let error = at.read(&mut [0]).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "{error}"
    );
    at.set_read_timeout(Some(DEADLINE)).unwrap();
}

#[track_caller]
fn ends(at: &mut TcpStream, cut: Cut) {
    let read = at.read(&mut [0; 64]);
    match cut {
        Cut::Fin => assert_eq!(read.unwrap(), 0),
        Cut::Rst => assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset),
    }
}

#[test]
fn what_is_healthy_passes_both_ways_and_ends_are_passed_on() {
    let (proxy, mut client, mut server) = connected();
    pass(&mut server, &mut client, &vec![7; 300_000]);
    client.shutdown(std::net::Shutdown::Write).unwrap();
    ends(&mut server, Cut::Fin);
    pass(&mut server, &mut client, b"still there");
    drop(server);
    ends(&mut client, Cut::Fin);
    assert_eq!(proxy.accepted(), 1);
}

#[test]
fn cuts_are_a_fin_or_a_reset_at_both_ends() {
    for cut in [Cut::Fin, Cut::Rst] {
        let (proxy, mut client, mut server) = connected();
        proxy.cut(cut);
        proxy.heal();
        ends(&mut client, cut);
        ends(&mut server, cut);
    }
}

#[test]
fn a_delay_takes_its_time_and_loses_nothing() {
    let (proxy, mut client, mut server) = connected();
    let latency = Duration::from_millis(120);
    proxy.treat_all(Treatment {
        delay: Some((latency, Duration::from_millis(20))),
        ..Treatment::default()
    });
    let start = Instant::now();
    pass(&mut client, &mut server, b"slow");
    assert!(start.elapsed() >= latency, "{:?}", start.elapsed());
}

#[test]
fn a_throttled_direction_has_its_rate() {
    let (proxy, mut client, mut server) = connected();
    proxy.treat_all(Treatment {
        rate: Some(100_000),
        ..Treatment::default()
    });
    let start = Instant::now();
    pass(&mut client, &mut server, &vec![1; 30_000]);
    assert!(
        start.elapsed() >= Duration::from_millis(250),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_truncated_piece_arrives_in_part_and_is_the_last() {
    let (proxy, mut client, mut server) = connected();
    proxy.treat_open(Treatment {
        truncate: Some(Cut::Fin),
        ..Treatment::default()
    });
    let piece: Vec<u8> = (0..1000_u32).map(|n| n as u8).collect();
    client.write_all(&piece).unwrap();
    let mut arrived = Vec::new();
    server.read_to_end(&mut arrived).unwrap();
    assert!(arrived.len() < piece.len() && piece.starts_with(&arrived));
    ends(&mut client, Cut::Fin);
}

#[test]
fn a_deaf_stall_holds_one_direction_back_until_it_heals() {
    let (proxy, mut client, mut server) = connected();
    let stall = Stall {
        to_server: true,
        to_client: false,
        swallow: false,
    };
    proxy.treat_all(Treatment {
        stall: Some(stall),
        ..Treatment::default()
    });
    pass(&mut server, &mut client, b"the other direction");
    client.write_all(b"late").unwrap();
    nothing_arrives(&mut server);
    proxy.heal();
    let mut read = [0; 4];
    server.read_exact(&mut read).unwrap();
    assert_eq!(&read, b"late");
}

#[test]
fn a_swallowing_stall_takes_all_and_says_nothing() {
    let (proxy, mut client, mut server) = connected();
    let stall = Stall {
        to_server: true,
        to_client: true,
        swallow: true,
    };
    proxy.treat_open(Treatment {
        stall: Some(stall),
        ..Treatment::default()
    });
    // More than any buffer between the two ends holds.
    client.write_all(&vec![0; 20_000_000]).unwrap();
    nothing_arrives(&mut server);
    proxy.cut(Cut::Rst);
    ends(&mut server, Cut::Rst);
}

#[test]
fn new_connections_have_the_treatment_of_all_and_not_of_the_open_ones() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap(), 1);
    proxy.treat_open(Treatment {
        cut: Some(Cut::Rst),
        ..Treatment::default()
    });
    let mut client = TcpStream::connect(proxy.address()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    pass(&mut client, &mut server, b"untouched");
    proxy.treat_all(Treatment {
        cut: Some(Cut::Rst),
        ..Treatment::default()
    });
    let mut refused = TcpStream::connect(proxy.address()).unwrap();
    ends(&mut refused, Cut::Rst);
}

#[test]
fn a_server_that_is_not_there_resets_the_client() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap();
    drop(listener);
    let proxy = Proxy::start(target, 1);
    let mut client = TcpStream::connect(proxy.address()).unwrap();
    ends(&mut client, Cut::Rst);
}
