//! All processes of a run, wherever they put themselves, so that they can be ended with it.
//!
//! A child may leave the program's group by making itself a session of its own. On Linux it is still found: in the
//! supervisor's own control group where the run is a unit of systemd, and as a descendant, for the supervisor adopts
//! orphans (a "child subreaper"). Two limits: what another service does on a program's behalf is no part of the run (the
//! Nix daemon's builds, which end with their client; the unit in which nixos-rebuild switches), and outside of Linux only
//! the program's group is known.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::run::id::RunId;

/// How long processes have between SIGTERM and SIGKILL when their program is gone already.
const LAST_GRACE: Duration = Duration::from_secs(2);
/// How long is waited for processes that were killed; one that hangs in the kernel cannot be waited for.
const KILLED: Duration = Duration::from_secs(2);
/// Between two looks at what is left.
const LOOK: Duration = Duration::from_millis(20);

/// The run's processes beside the supervisor.
#[derive(Debug)]
pub(super) struct Unit {
    /// The control group that holds this run and nothing else.
    cgroup: Option<PathBuf>,
}

impl Unit {
    /// From here on no process of the run gets lost. Call it before the program starts.
    pub(super) fn found(run: RunId) -> Self {
        linux::adopt_orphans();
        Self {
            cgroup: linux::own_cgroup(run),
        }
    }

    /// Signals all of them, once.
    pub(super) fn signal(&self, signal: Signal) {
        for pid in linux::others(self.cgroup.as_deref()) {
            // That it has ended in between is no error.
            let _ = kill(pid, signal);
        }
    }

    /// Kills all of them, also those that are started meanwhile. Returns whether none is left. `leader`: see
    /// [`reap`](Self::reap).
    pub(super) fn kill(&self, leader: Option<Pid>) -> bool {
        self.signal_until_gone(Signal::SIGKILL, KILLED, leader)
    }

    /// Ends what the program, which has been waited for, left behind: SIGTERM, and SIGKILL for what does not heed it.
    pub(super) fn end(&self) {
        if !self.signal_until_gone(Signal::SIGTERM, LAST_GRACE, None) && !self.kill(None) {
            tracing::warn!("processes of the run are left that cannot be killed");
        }
    }

    fn signal_until_gone(&self, signal: Signal, patience: Duration, leader: Option<Pid>) -> bool {
        let until = Instant::now() + patience;
        let mut told = Vec::new();
        loop {
            Self::reap(leader);
            let left = linux::others(self.cgroup.as_deref());
            if left.is_empty() {
                return true;
            }
            for pid in &left {
                // Once is enough: a handler of SIGTERM shall not be interrupted by the next one.
                if !told.contains(pid) {
                    let _ = kill(*pid, signal);
                }
            }
            told = left;
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Buries adopted processes that have ended. The program itself, `leader` until it has been waited
    /// for, is left to whoever does that.
    pub(super) fn reap(leader: Option<Pid>) {
        linux::reap(leader);
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use nix::sys::prctl;
    use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};
    use nix::unistd::Pid;

    use crate::run::id::RunId;

    /// Control groups below the unit's that are looked into, one in the other.
    const MAX_DEPTH: usize = 8;

    pub(super) fn adopt_orphans() {
        if let Err(error) = prctl::set_child_subreaper(true) {
            tracing::warn!("orphans of the run cannot be adopted: {error}");
        }
    }

    /// The unit's control group, if this process is in one.
    pub(super) fn own_cgroup(run: RunId) -> Option<PathBuf> {
        let text = fs::read_to_string("/proc/self/cgroup").ok()?;
        let mut places = cgroups_of(&text, run).into_iter();
        places.find(|place| place.join("cgroup.procs").exists())
    }

    /// Where the control group of the run's unit may be, by `/proc/self/cgroup`: one hierarchy (version 2), both, or only
    /// version 1, of which systemd's own counts.
    pub(super) fn cgroups_of(text: &str, run: RunId) -> Vec<PathBuf> {
        let unit = format!("/nixfleet-run-{run}.service");
        let mut places = Vec::new();
        for line in text.lines() {
            let mut parts = line.splitn(3, ':');
            let (Some(_), Some(controllers), Some(path)) =
                (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            if !path.ends_with(&unit) {
                continue;
            }
            let mounts: &[&str] = match controllers {
                "" => &["/sys/fs/cgroup", "/sys/fs/cgroup/unified"],
                "name=systemd" => &["/sys/fs/cgroup/systemd"],
                _ => &[],
            };
            let below = path.trim_start_matches('/');
            places.extend(mounts.iter().map(|mount| Path::new(mount).join(below)));
        }
        places
    }

    /// The run's living processes without this one: descendants, and the control group's.
    pub(super) fn others(cgroup: Option<&Path>) -> Vec<Pid> {
        let own = std::process::id() as i32;
        let mut found = HashSet::new();
        if let Some(cgroup) = cgroup {
            in_cgroup(cgroup, 0, &mut found);
        }
        descendants(own, &mut found);
        // 0 stands for a process that this namespace does not see; 1 is nobody's to kill.
        let others = found.into_iter().filter(|pid| *pid > 1 && *pid != own);
        others.map(Pid::from_raw).collect()
    }

    fn in_cgroup(dir: &Path, depth: usize, found: &mut HashSet<i32>) {
        if let Ok(text) = fs::read_to_string(dir.join("cgroup.procs")) {
            found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
        }
        let Ok(entries) = fs::read_dir(dir) else {
            return;
        };
        for entry in entries.flatten() {
            if depth < MAX_DEPTH && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                in_cgroup(&entry.path(), depth + 1, found);
            }
        }
    }

    fn descendants(of: i32, found: &mut HashSet<i32>) {
        let Ok(entries) = fs::read_dir("/proc") else {
            return;
        };
        let processes: Vec<Process> = entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name();
                name.to_str()?.parse::<i32>().ok()?;
                Process::parse(&fs::read_to_string(entry.path().join("stat")).ok()?)
            })
            .collect();
        let mut parents = vec![of];
        let mut seen = HashSet::from([of]);
        while let Some(parent) = parents.pop() {
            for child in processes.iter().filter(|process| process.parent == parent) {
                if seen.insert(child.pid) {
                    parents.push(child.pid);
                    if !child.dead {
                        found.insert(child.pid);
                    }
                }
            }
        }
    }

    #[derive(Debug, PartialEq, Eq)]
    pub(super) struct Process {
        pub(super) pid: i32,
        pub(super) parent: i32,
        /// It has ended, and nobody has asked how.
        pub(super) dead: bool,
    }

    impl Process {
        /// `/proc/PID/stat`: `PID (NAME) STATE PARENT …`; the name may hold anything.
        pub(super) fn parse(stat: &str) -> Option<Self> {
            let (pid, _) = stat.split_once(' ')?;
            let (_, rest) = stat.rsplit_once(") ")?;
            let mut rest = rest.split(' ');
            let state = rest.next()?;
            Some(Self {
                pid: pid.parse().ok()?,
                parent: rest.next()?.parse().ok()?,
                dead: matches!(state, "Z" | "X"),
            })
        }
    }

    pub(super) fn reap(leader: Option<Pid>) {
        // Looked at before it is taken: how the leader ended must be left for its own wait.
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        while let Ok(status) = waitid(Id::All, look) {
            match status.pid() {
                Some(pid) if Some(pid) != leader => {
                    if waitpid(pid, Some(WaitPidFlag::WNOHANG)).is_err() {
                        return;
                    }
                }
                _ => return,
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod linux {
    use std::path::{Path, PathBuf};

    use nix::unistd::Pid;

    use crate::run::id::RunId;

    pub(super) fn adopt_orphans() {}

    pub(super) fn own_cgroup(_: RunId) -> Option<PathBuf> {
        None
    }

    pub(super) fn others(_: Option<&Path>) -> Vec<Pid> {
        Vec::new()
    }

    pub(super) fn reap(_: Option<Pid>) {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::linux::{Process, cgroups_of};
    use super::*;

    #[test]
    fn the_units_control_group_is_found_by_its_name() {
        let run = RunId::new();
        let unit = format!("nixfleet-run-{run}.service");
        let check = |text: String, expected: &[String]| {
            let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(cgroups_of(&text, run), expected, "{text}");
        };
        check(
            format!("0::/system.slice/{unit}\n"),
            &[
                format!("/sys/fs/cgroup/system.slice/{unit}"),
                format!("/sys/fs/cgroup/unified/system.slice/{unit}"),
            ],
        );
        check(
            format!(
                "12:pids:/system.slice/{unit}\n1:name=systemd:/system.slice/{unit}\n0::/system.slice\n"
            ),
            &[format!("/sys/fs/cgroup/systemd/system.slice/{unit}")],
        );
        // Another run's, the agent's own, and none.
        let other = RunId::new();
        check(
            format!("0::/system.slice/nixfleet-run-{other}.service\n"),
            &[],
        );
        check("0::/system.slice/nixfleet-agent.service\n".into(), &[]);
        check("0::/\n\n?\n".into(), &[]);
    }

    #[test]
    fn a_process_name_may_hold_anything() {
        let check = |stat, expected: Option<(i32, i32, bool)>| {
            let parsed = Process::parse(stat);
            let parsed = parsed.map(|process| (process.pid, process.parent, process.dead));
            assert_eq!(parsed, expected, "{stat}");
        };
        check("7 (sh) S 3 7 7 0 -1", Some((7, 3, false)));
        check("8 (a) Z 1 (b) Z 4 8", Some((8, 4, true)));
        check("8 (sh", None);
        check("", None);
    }
}
