//! What the helper is asked by somebody who has taken over the agent, or by anybody else on the host: nothing starts.

mod made_up;
mod oversized;

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nixfleet::run::id::RunId;

use crate::support::helper::{NOBODY, OTHER, Privileged, can_change_users};
use crate::support::process::{DEADLINE, Process};

/// Where the client of [`client`] finds the socket, and what to do there.
const SOCKET: &str = "NIXFLEET_TEST_SOCKET";
const DO: &str = "NIXFLEET_TEST_DO";
/// The most memory that the helper may have had, in bytes; a debug build.
const MEMORY: u64 = 40 << 20;

/// Commands of every kind of argument. None of them may ever start here; each would leave a file.
fn commands(host: &Privileged) -> String {
    let mut text = String::new();
    for kind in ["flake", "host", "generation", "system", "text"] {
        let trace = host.fleet.path(&format!("started-{kind}"));
        let trace = trace.display();
        writeln!(
            text,
            "[commands.with-{kind}]\nargv = [\"touch\", \"{trace}\"]\nargs = [\"{kind}\"]"
        )
        .unwrap();
    }
    text + "[commands.good]\nargv = [\"true\"]\n[commands.free]\nargv = [\"touch\"]\nallow_args = true\n"
}

/// Sends requests as another user and answers what came back to each.
fn ask_as(user: u32, host: &Privileged, requests: &[Vec<u8>]) -> Vec<String> {
    let path = host.fleet.path(&format!("requests-{}", RunId::new()));
    std::fs::write(&path, serde_json::to_vec(requests).unwrap()).unwrap();
    let mut client = client_as(user, host, path.to_str().unwrap());
    assert!(client.wait().success(), "{}", client.output());
    let output = client.output();
    let answers = output
        .lines()
        .find_map(|line| line.strip_prefix("answers: "));
    serde_json::from_str(answers.unwrap_or_else(|| panic!("{output}"))).unwrap()
}

fn client_as(user: u32, host: &Privileged, what: &str) -> Process {
    Process::start(
        &format!("client {user}"),
        Command::new(std::env::current_exe().unwrap())
            .args([
                "helper_requests::client",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env(SOCKET, host.socket())
            .env(DO, what)
            .stdin(Stdio::null())
            .current_dir("/")
            .uid(user)
            .gid(user),
    )
}

fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// A helper that refuses early closes; what it said before is what counts.
fn ask(socket: &Path, request: &[u8]) -> String {
    let mut stream = connect(socket);
    let _ = stream.write_all(request);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

#[test]
#[ignore = "other tests start it as another user"]
fn client() {
    let socket = std::env::var_os(SOCKET).unwrap();
    let socket = Path::new(&socket);
    let what = std::env::var(DO).unwrap();
    if let Some(count) = what.strip_prefix("silent ") {
        // Connections that say nothing, kept for as long as this process lives.
        let count: usize = count.parse().unwrap();
        let _silent: Vec<UnixStream> = (0..count).map(|_| connect(socket)).collect();
        println!("silent");
        std::thread::sleep(DEADLINE);
    } else if let Some(file) = what.strip_prefix("at once ") {
        let requests: Vec<Vec<u8>> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        std::thread::scope(|scope| {
            for requests in requests.chunks(requests.len() / 32 + 1) {
                scope.spawn(move || {
                    for request in requests {
                        drop(ask(socket, request));
                    }
                });
            }
        });
    } else {
        let requests: Vec<Vec<u8>> = serde_json::from_slice(&std::fs::read(what).unwrap()).unwrap();
        let answers: Vec<String> = requests
            .iter()
            .map(|request| ask(socket, request))
            .collect();
        println!("\nanswers: {}", serde_json::to_string(&answers).unwrap());
    }
}

/// Lines of the helper's log that refuse this user.
fn refusals(host: &Privileged, user: u32) -> Vec<String> {
    let said = format!("refused, asked by user {user} (process ");
    let output = host.helper.as_ref().unwrap().output();
    let lines = output.lines().filter(|line| line.contains(&said));
    lines.map(str::to_owned).collect()
}

/// Nothing was started, made or kept.
#[track_caller]
fn check_untouched(host: &Privileged) {
    let runs = std::fs::read_dir(host.state_dir().join("runs")).unwrap();
    assert_eq!(runs.count(), 0, "a run's directory was made");
    let helper = host.helper.as_ref().unwrap();
    let pid = helper.pid();
    let children = format!("/proc/{pid}/task/{pid}/children");
    assert_eq!(std::fs::read_to_string(children).unwrap(), "");
    for entry in std::fs::read_dir(host.fleet.dir.path()).unwrap() {
        let name = entry.unwrap().file_name();
        let name = name.to_string_lossy();
        assert!(!name.starts_with("started-"), "{name}");
    }
    let memory = helper.memory("VmHWM");
    println!("the helper's memory was at most {} KiB", memory / 1024);
    assert!(memory < MEMORY, "{memory} bytes");
}

/// The helper serves as if nothing had been.
#[track_caller]
fn check_serves(host: &Privileged) {
    let answers = ask_as(NOBODY, host, &[made_up::start("good", &[])]);
    assert_eq!(answers, ["{\"answer\":\"done\"}\n"]);
}

#[test]
fn a_thousand_bad_requests_are_refused_and_logged_and_start_nothing() {
    if !can_change_users("requests of other users") {
        return;
    }
    let mut host = Privileged::prepare("");
    host.configure(&commands(&host));
    host.start_helper();
    let seed = made_up::seed();
    let requests = made_up::requests(seed);
    assert!(requests.len() >= 1000, "{}", requests.len());
    let begun = Instant::now();
    let answers = ask_as(NOBODY, &host, &requests);
    println!(
        "{} requests in {:?}, seed {seed}",
        requests.len(),
        begun.elapsed()
    );
    assert_eq!(answers.len(), requests.len());
    for (request, answer) in requests.iter().zip(&answers) {
        let shown = String::from_utf8_lossy(&request[..request.len().min(300)]);
        assert!(
            answer.starts_with("{\"answer\":\"refused\",\"reason\":\"")
                && answer.ends_with("\"}\n"),
            "seed {seed}: {shown}: {answer}"
        );
    }
    check_untouched(&host);
    let logged = refusals(&host, NOBODY);
    assert_eq!(logged.len(), requests.len(), "seed {seed}: one line each");
    for line in &logged {
        let process = line.split("(process ").nth(1).unwrap();
        let pid: u32 = process.split(')').next().unwrap().parse().unwrap();
        assert!(pid > 0, "{line}");
        assert!(line.len() < 10_000 && !line.contains('\u{1b}'), "{line}");
    }
    // Each line of the log is the helper's own: none was forged by what was asked.
    let output = host.helper.as_ref().unwrap().output();
    let own = |line: &&str| line.contains(" WARN refused") || line.contains(" INFO ready");
    assert_eq!(output.lines().find(|line| !own(line)), None);
    check_serves(&host);
}

#[test]
fn many_connections_at_once_are_all_answered() {
    if !can_change_users("requests of other users") {
        return;
    }
    let mut host = Privileged::prepare("");
    host.configure(&commands(&host));
    host.start_helper();
    let requests: Vec<_> = made_up::requests(made_up::seed())
        .into_iter()
        .take(320)
        .collect();
    let file = host.fleet.path("requests");
    std::fs::write(&file, serde_json::to_vec(&requests).unwrap()).unwrap();
    let mut clients: Vec<Process> = [NOBODY, OTHER, 2]
        .map(|user| client_as(user, &host, &format!("at once {}", file.display())))
        .into();
    for client in &mut clients {
        assert!(client.wait().success(), "{}", client.output());
    }
    for user in [NOBODY, OTHER, 2] {
        assert_eq!(refusals(&host, user).len(), requests.len());
    }
    check_untouched(&host);
    check_serves(&host);
}

#[test]
fn another_user_is_refused_whatever_is_asked_and_delays_nobody() {
    if !can_change_users("requests of other users") {
        return;
    }
    let mut host = Privileged::prepare("");
    host.configure(&commands(&host));
    host.start_helper();
    let good = [
        made_up::start("good", &[]),
        b"{\"request\":\"offer\"}\n".to_vec(),
        b"{\"request\":\"list\"}\n".to_vec(),
        Vec::new(),
    ];
    for answer in ask_as(OTHER, &host, &good) {
        assert!(answer.contains("for another user"), "{answer}");
    }
    check_untouched(&host);
    // More than wait in a socket's queue, and none says anything.
    let mut silent = client_as(OTHER, &host, "silent 500");
    silent.wait_for("silent");
    let begun = Instant::now();
    check_serves(&host);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    silent.kill();
    assert_eq!(refusals(&host, OTHER).len(), good.len() + 500);
}

/// The agent's user alone can keep the helper waiting, and only for the deadline of a request.
#[test]
fn a_request_that_never_ends_is_given_up() {
    if !can_change_users("requests of other users") {
        return;
    }
    let mut host = Privileged::prepare("");
    host.configure(&commands(&host));
    host.start_helper();
    let mut half = connect(&host.socket());
    half.write_all(b"{\"request\":").unwrap();
    let begun = Instant::now();
    check_serves(&host);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    let mut answer = String::new();
    half.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("no whole request within 5 s"), "{answer}");
}
