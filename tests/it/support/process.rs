//! A program under test.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long anything may take before a test gives up. Long, because test machines are slow; nothing waits it out.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// What a process has printed, line by line. Grows while the process lives and stays when it is gone.
#[derive(Clone, Default)]
pub struct Transcript(Arc<Mutex<Vec<String>>>);

impl Transcript {
    pub fn text(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }

    /// The first line that contains `part`.
    pub fn find(&self, part: &str) -> Option<String> {
        let lines = self.0.lock().unwrap();
        lines.iter().find(|line| line.contains(part)).cloned()
    }

    fn push(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

/// A running program, whose output is kept and shown when a test fails. Killed on drop.
pub struct Process {
    pub name: String,
    child: Child,
    output: Transcript,
    /// One more for each pipe that is still read.
    reading: Arc<()>,
}

impl Process {
    pub fn start(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let output = Transcript::default();
        let pipes: [Box<dyn std::io::Read + Send>; 2] = [
            Box::new(child.stdout.take().unwrap()),
            Box::new(child.stderr.take().unwrap()),
        ];
        let reading = Arc::new(());
        for pipe in pipes {
            let (output, reading) = (output.clone(), reading.clone());
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    output.push(line);
                }
                drop(reading);
            });
        }
        Self {
            name: name.to_owned(),
            child,
            output,
            reading,
        }
    }

    pub fn output(&self) -> String {
        self.transcript().text()
    }

    /// The output, for those who look at it when the process is gone.
    pub fn transcript(&self) -> Transcript {
        self.output.clone()
    }

    /// Waits until a line of the output contains `part`, and answers it.
    #[track_caller]
    pub fn wait_for(&mut self, part: &str) -> String {
        let start = Instant::now();
        loop {
            if let Some(line) = self.output.find(part) {
                return line;
            }
            let ended = self.ended();
            assert!(
                ended.is_none() && start.elapsed() < DEADLINE,
                "{} printed no `{part}` (ended: {ended:?}):\n{}",
                self.name,
                self.output()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Waits for its end, and until all that it printed is read.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.ended()
                && Arc::strong_count(&self.reading) == 1
            {
                return status;
            }
            assert!(
                start.elapsed() < DEADLINE,
                "{} does not end:\n{}",
                self.name,
                self.output()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        self.wait();
    }

    /// Memory in bytes by a field of `/proc/PID/status`: `VmRSS`, `VmHWM` (the highest so far).
    pub fn memory(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {} ---\n{}\n---", self.name, self.output());
        }
    }
}

/// Waits until `condition` answers something.
#[track_caller]
pub fn wait_until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(
            start.elapsed() < DEADLINE,
            "waited {DEADLINE:?} in vain for: {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A program of this package.
pub fn program(name: &str) -> PathBuf {
    PathBuf::from(match name {
        "nixfleet-agent" => env!("CARGO_BIN_EXE_nixfleet-agent"),
        "nixfleet-dashboard" => env!("CARGO_BIN_EXE_nixfleet-dashboard"),
        "nixfleet" => env!("CARGO_BIN_EXE_nixfleet"),
        _ => panic!("no program {name}"),
    })
}

/// That program, to be started: its own binary, or the one in `NIXFLEET_PROGRAM` that takes both roles.
pub fn command(name: &str) -> Command {
    let Some(one) = std::env::var_os("NIXFLEET_PROGRAM") else {
        return Command::new(program(name));
    };
    let mut command = Command::new(one);
    command.arg(match name {
        "nixfleet-agent" => "role-agent",
        "nixfleet-dashboard" => "role-dashboard",
        _ => panic!("no role of {name}"),
    });
    command
}
