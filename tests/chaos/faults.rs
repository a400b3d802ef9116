//! Performs the faults of a schedule, each target on a thread of its own, and keeps a chronicle of them.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::proxy::{Cut, Proxy, Treatment};
use crate::schedule::{LinkFault, LinkFaultKind, Planned, ProcessFault};
use crate::support::process::{Process, Transcript};

/// A program that is told to end so soon after its start may not know the signal yet.
const STARTING: Duration = Duration::from_secs(1);
/// How long a link's fault waits for a connection that it can hit.
const PATIENCE: Duration = Duration::from_millis(1500);
/// An orderly end takes no longer.
const ENDS: Duration = Duration::from_secs(15);

/// What happened when.
pub struct Chronicle {
    start: Instant,
    counts: Mutex<BTreeMap<&'static str, usize>>,
    transcripts: Mutex<Vec<(&'static str, Transcript)>>,
}

impl Chronicle {
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            counts: Mutex::default(),
            transcripts: Mutex::default(),
        }
    }

    fn wait_for(&self, at: Duration) {
        std::thread::sleep(at.saturating_sub(self.start.elapsed()));
    }

    /// Prints what happens now.
    pub fn say(&self, what: &str) {
        println!("{:>8.3} s  {what}", self.start.elapsed().as_secs_f64());
    }

    /// A fault begins.
    pub fn fault(&self, kind: &'static str, what: &str) {
        *self.counts.lock().unwrap().entry(kind).or_default() += 1;
        self.say(what);
    }

    /// How many faults of each kind there were.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        self.counts.lock().unwrap().clone()
    }

    /// Every process of a program that there has been.
    pub fn transcripts(&self) -> Vec<(&'static str, Transcript)> {
        self.transcripts.lock().unwrap().clone()
    }
}

/// A program that is killed and comes back.
pub struct Victim<'a> {
    name: &'static str,
    start: Box<dyn FnMut() -> Process + Send + 'a>,
    started: Instant,
    process: Option<Process>,
    /// The most memory that any of its processes has had, in bytes.
    pub peak: u64,
}

impl<'a> Victim<'a> {
    /// Starts it.
    pub fn new(
        name: &'static str,
        chronicle: &Chronicle,
        start: impl FnMut() -> Process + Send + 'a,
    ) -> Self {
        let mut victim = Self {
            name,
            start: Box::new(start),
            started: Instant::now(),
            process: None,
            peak: 0,
        };
        victim.start(chronicle);
        victim
    }

    pub fn start(&mut self, chronicle: &Chronicle) {
        let process = (self.start)();
        let transcript = (self.name, process.transcript());
        chronicle.transcripts.lock().unwrap().push(transcript);
        self.process = Some(process);
        self.started = Instant::now();
    }

    /// The running process. That it has ended by itself is a failure.
    #[track_caller]
    pub fn process(&mut self) -> &mut Process {
        let process = self.process.as_mut().expect("is started");
        let ended = process.ended();
        assert!(
            ended.is_none(),
            "the {} ended by itself: {ended:?}",
            self.name
        );
        process
    }

    /// Notes its memory.
    #[track_caller]
    pub fn weigh(&mut self) {
        let peak = self.process().memory("VmHWM");
        self.peak = self.peak.max(peak);
    }

    #[track_caller]
    pub fn kill(&mut self) {
        self.weigh();
        self.process.take().expect("is started").kill();
    }

    #[track_caller]
    fn terminate(&mut self) {
        self.weigh();
        let young = self.started.elapsed() < STARTING;
        let mut process = self.process.take().expect("is started");
        let asked = Instant::now();
        process.signal(Signal::SIGTERM);
        let status = process.wait();
        let name = self.name;
        assert!(
            status.success() || young && status.signal() == Some(Signal::SIGTERM as i32),
            "the {name} did not end in order on SIGTERM: {status}\n{}",
            process.output()
        );
        let took = asked.elapsed();
        assert!(took < ENDS, "the {name} took {took:?} to end on SIGTERM");
    }

    /// Performs all of `plan`.
    pub fn suffer(&mut self, plan: &[Planned<ProcessFault>], chronicle: &Chronicle) {
        let name = self.name;
        for planned in plan {
            chronicle.wait_for(planned.at);
            match planned.fault {
                ProcessFault::Kill(down) => {
                    chronicle.fault("killed", &format!("{name}: SIGKILL, away for {down:?}"));
                    self.kill();
                    std::thread::sleep(down);
                    self.start(chronicle);
                }
                ProcessFault::Term(down) => {
                    chronicle.fault("terminated", &format!("{name}: SIGTERM, away for {down:?}"));
                    self.terminate();
                    std::thread::sleep(down);
                    self.start(chronicle);
                }
                ProcessFault::Stop(time) => {
                    chronicle.fault("stopped", &format!("{name}: SIGSTOP for {time:?}"));
                    self.process().signal(Signal::SIGSTOP);
                    std::thread::sleep(time);
                    self.process().signal(Signal::SIGCONT);
                }
            }
        }
    }
}

/// Performs all of `plan` on a link, which is healthy afterwards. Answers how many faults hit an open connection.
pub fn disturb(
    name: &str,
    proxy: &Proxy,
    plan: &[Planned<LinkFault>],
    chronicle: &Chronicle,
) -> usize {
    let mut hits = 0;
    for planned in plan {
        chronicle.wait_for(planned.at);
        let start = Instant::now();
        while proxy.open() == 0 && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(planned.fault.after);
        hits += usize::from(proxy.open() > 0);
        match planned.fault.kind {
            LinkFaultKind::Cut(cut) => {
                chronicle.fault("cut", &format!("{name}: {cut:?}"));
                proxy.cut(cut);
            }
            LinkFaultKind::Truncate(cut) => {
                chronicle.fault("truncated", &format!("{name}: truncated, then {cut:?}"));
                proxy.treat_open(Treatment {
                    truncate: Some(cut),
                    ..Treatment::default()
                });
            }
            LinkFaultKind::Treat(treatment, time) => {
                let (kind, what) = described(&treatment);
                chronicle.fault(kind, &format!("{name}: {what} for {time:?}"));
                proxy.treat_all(treatment);
                std::thread::sleep(time);
                // What was swallowed is gone: such a connection cannot go on.
                if treatment.stall.is_some_and(|stall| stall.swallow) {
                    proxy.cut(Cut::Rst);
                }
                proxy.heal();
            }
        }
    }
    proxy.heal();
    hits
}

fn described(treatment: &Treatment) -> (&'static str, String) {
    if let Some(stall) = treatment.stall {
        let direction = match (stall.to_server, stall.to_client) {
            (true, true) => "in both directions",
            (true, false) => "towards the dashboard",
            _ => "from the dashboard",
        };
        let way = if stall.swallow {
            "swallows"
        } else {
            "takes nothing"
        };
        return ("stalled", format!("{way} {direction}"));
    }
    if let Some((latency, jitter)) = treatment.delay {
        return (
            "delayed",
            format!("delayed by {latency:?} and up to {jitter:?}"),
        );
    }
    if let Some(rate) = treatment.rate {
        return ("throttled", format!("{rate} bytes a second"));
    }
    match treatment.cut {
        Some(cut) => ("refused", format!("refuses all with {cut:?}")),
        None => ("healthy", "healthy".to_owned()),
    }
}
