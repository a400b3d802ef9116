use tokio::task::JoinSet;
use tokio::time::Instant;

use super::*;

/// A service manager, as far as it listens.
struct Manager {
    socket: UnixDatagram,
    _dir: tempfile::TempDir,
    health: watch::Sender<Health>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Manager {
    fn start(watchdog: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let notify = Notify::from(
            |name| match name {
                "NOTIFY_SOCKET" => Some(path.clone().into()),
                "WATCHDOG_USEC" => watchdog.map(OsString::from),
                _ => None,
            },
            1,
        );
        let (health, seen) = watch::channel(Health::default());
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let limit = Duration::from_secs(3);
        tasks.spawn(watch(notify.unwrap().unwrap(), seen, limit, stop.clone()));
        Self {
            socket,
            _dir: dir,
            health,
            stop,
            tasks,
        }
    }

    /// All that was said while the others had their turn for so long.
    async fn heard(&self, duration: Duration) -> Vec<String> {
        tokio::time::sleep(duration).await;
        let mut said = Vec::new();
        let mut buffer = [0; 1024];
        while let Ok(length) = self.socket.recv(&mut buffer) {
            said.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
        }
        said
    }
}

const SOON: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn the_manager_hears_that_it_is_ready_how_it_is_and_that_it_stops() {
    let mut manager = Manager::start(None);
    assert_eq!(
        manager.heard(SOON).await,
        ["READY=1\nSTATUS=not connected yet"]
    );
    let health = manager.health.clone();
    health.send_modify(|health| health.error = Some("a\nb".into()));
    assert_eq!(manager.heard(SOON).await, ["STATUS=not connected: a b"]);
    health.send_modify(|health| health.connected = true);
    assert_eq!(
        manager.heard(SOON).await,
        ["STATUS=connected to the dashboard"]
    );
    health.send_modify(|health| health.last_ack = Some(Instant::now()));
    assert!(
        manager.heard(Duration::from_secs(9000)).await.is_empty(),
        "nothing new"
    );
    manager.stop.cancel();
    manager.tasks.join_next().await.unwrap().unwrap();
    assert_eq!(manager.heard(SOON).await, ["STOPPING=1\nSTATUS=stopping"]);
}

#[tokio::test(start_paused = true)]
async fn the_watchdog_is_fed_twice_in_its_time_and_only_while_the_heart_beats() {
    let manager = Manager::start(Some("10000000"));
    let fed = |said: Vec<String>| said.iter().filter(|said| *said == "WATCHDOG=1").count();
    assert_eq!(fed(manager.heard(SOON).await), 1);
    assert_eq!(fed(manager.heard(Duration::from_secs(30)).await), 6);
    manager.health.send_modify(|health| {
        health.connected = true;
        health.last_beat = Some(Instant::now());
    });
    // Three intervals of 1 s, and 5 s.
    assert_eq!(fed(manager.heard(Duration::from_secs(5)).await), 1);
    assert_eq!(
        fed(manager.heard(Duration::from_secs(60)).await),
        0,
        "no beat for 65 s"
    );
    manager.health.send_modify(|health| health.beat(true));
    assert_eq!(fed(manager.heard(Duration::from_secs(5)).await), 1);
}

#[tokio::test]
async fn a_watchdog_of_another_process_is_not_fed_and_no_manager_is_no_error() {
    let variables = |name: &str| match name {
        "NOTIFY_SOCKET" => Some(OsString::from("/run/notify")),
        "WATCHDOG_USEC" => Some(OsString::from("10000000")),
        "WATCHDOG_PID" => Some(OsString::from("7")),
        _ => None,
    };
    let notify = Notify::from(variables, 7).unwrap().unwrap();
    assert_eq!(notify.watchdog, Some(Duration::from_secs(5)));
    let notify = Notify::from(variables, 8).unwrap().unwrap();
    assert_eq!(notify.watchdog, None);
    assert!(Notify::from(|_| None, 7).unwrap().is_none());
}

#[test]
#[cfg(target_os = "linux")]
fn an_abstract_socket_is_found() {
    use std::os::linux::net::SocketAddrExt as _;
    let name = format!("nixfleet-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let manager = UnixDatagram::bind_addr(&address).unwrap();
    let named =
        |variable: &str| (variable == "NOTIFY_SOCKET").then(|| OsString::from(format!("@{name}")));
    Notify::from(named, 1).unwrap().unwrap().say("READY=1");
    let mut buffer = [0; 16];
    let length = manager.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"READY=1");
}
