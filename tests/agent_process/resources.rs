//! What the agent reads of its host arrives in heartbeats, and nothing of it delays one.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nixfleet::wire::resources::GpuKind;

use crate::listener;
use crate::played::Peer;
use crate::process::Agent;
use crate::rhythm::{self, INTERVAL, heartbeat};

/// For so long a program that does not answer hangs for sure: it is killed after 5 s.
const HANGS: Duration = Duration::from_secs(4);

/// An agent whose host's root directory is `root` below its own directory.
pub fn agent(listener: &tokio::net::TcpListener) -> (Agent, PathBuf) {
    let agent = Agent::new(listener, "");
    let root = agent.dir.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let text = std::fs::read_to_string(agent.config()).unwrap();
    let with_root = format!("[metrics]\nroot = \"{}\"\n", root.display());
    std::fs::write(agent.config(), text.replace("[metrics]\n", &with_root)).unwrap();
    (agent, root)
}

pub fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[tokio::test]
async fn a_collector_that_hangs_delays_no_heartbeat_and_no_other_collector() {
    let seconds = rhythm::seconds();
    let listener = listener().await;
    let (mut agent, root) = agent(&listener);
    write(&root.join("proc/loadavg"), "0.50 0.25 0.00 1/100 4242\n");
    write(
        &root.join("proc/meminfo"),
        "MemTotal: 2097152 kB\nMemAvailable: 1048576 kB\n",
    );
    nix::unistd::mkfifo(&root.join("proc/uptime"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    write(&root.join("proc/driver/nvidia/version"), "NVRM\n");
    write(
        &root.join("proc/driver/nvidia/gpus/0/information"),
        "Model: \t A GPU\n",
    );
    let (smi, pids) = (
        root.join("run/current-system/sw/bin/nvidia-smi"),
        root.join("pids"),
    );
    write(
        &smi,
        &format!("#!/bin/sh\necho $$ >> {}\nsleep 100000\n", pids.display()),
    );
    std::fs::set_permissions(&smi, std::fs::Permissions::from_mode(0o755)).unwrap();
    agent.start();
    let (mut peer, _) = Peer::accept(&listener, &[]).await;
    // What the others read meanwhile is new.
    let mut changed = Some(root.join("proc/meminfo"));
    let mut new_after = None;
    let mut last = None;
    let late = rhythm::keeps(&mut peer, seconds, |beat, after| {
        if let Some(meminfo) = changed.take() {
            write(&meminfo, "MemTotal: 2097152 kB\nMemAvailable: 524288 kB\n");
            return;
        }
        let resources = beat.resources.unwrap();
        assert_eq!(resources.load, Some([0.5, 0.25, 0.0]));
        if resources.memory.unwrap().available == 512 << 20 {
            new_after.get_or_insert(after);
        }
        assert_eq!(resources.uptime_s, None);
        if after < HANGS {
            assert_eq!(resources.gpu, None, "it hangs");
        }
        last = Some(resources);
    })
    .await;
    let new_after = new_after.unwrap();
    assert!(new_after < HANGS + late, "{new_after:?}");
    let resources = last.unwrap();
    // Killed, and the driver's files have at least its name.
    assert_eq!(resources.gpu, Some(GpuKind::Nvidia), "{resources:?}");
    assert_eq!(resources.gpus[0].name, "A GPU");
    let started = std::fs::read_to_string(&pids).unwrap();
    let started: Vec<_> = started.lines().collect();
    let most = 1 + seconds / 30;
    assert!(started.len() as u64 <= most, "{started:?}");
    for pid in &started[..started.len() - usize::from(seconds > 30)] {
        assert!(!Path::new("/proc").join(pid).exists(), "{pid} lives");
    }
}

#[tokio::test]
async fn heartbeat_continues_on_metrics_error() {
    let listener = listener().await;
    let (mut agent, root) = agent(&listener);
    for name in ["loadavg", "meminfo", "uptime", "self/mountinfo"] {
        write(&root.join("proc").join(name), "what is this?\n");
    }
    agent.start();
    let (mut peer, _) = Peer::accept(&listener, &[]).await;
    for n in 1..=3 {
        let (beat, ..) = heartbeat(&mut peer).await;
        assert_eq!(beat.n, n);
        let resources = beat.resources.unwrap_or_default();
        assert_eq!((resources.load, resources.memory), (None, None));
        assert_eq!((resources.uptime_s, resources.disks.len()), (None, 0));
    }
}

/// The real host, as the agent is started: registration, first heartbeat, and all that this machine has soon after.
#[tokio::test]
async fn heartbeat_loop_starts_on_agent_run() {
    let listener = listener().await;
    let mut agent = Agent::new(&listener, "");
    agent.start();
    let (mut peer, register) = Peer::accept(&listener, &[]).await;
    let facts = register.facts.unwrap();
    assert!(
        !facts.kernel.is_empty() && !facts.architecture.is_empty(),
        "{facts:?}"
    );
    let registered = Instant::now();
    let (first, at, _) = heartbeat(&mut peer).await;
    assert_eq!(first.n, 1);
    assert!(at - registered < INTERVAL / 2, "the first comes at once");
    let usage = first.agent.unwrap();
    assert!(usage.memory > 0, "{usage:?}");
    let (mut beat, _, mut size) = heartbeat(&mut peer).await;
    while beat.n < 10
        && beat
            .resources
            .as_ref()
            .is_none_or(|resources| resources.gpu.is_none())
    {
        (beat, _, size) = heartbeat(&mut peer).await;
    }
    let resources = beat.resources.unwrap();
    println!("{size} bytes: {resources:?}");
    assert!(
        resources.load.is_some() && resources.cores > Some(0),
        "{resources:?}"
    );
    let memory = resources.memory.unwrap();
    assert!((0.0..=100.0).contains(&memory.percent()) && memory.available > 0);
    assert!(
        resources.uptime_s.is_some() && resources.gpu.is_some(),
        "{resources:?}"
    );
}

#[tokio::test]
async fn turned_off_there_are_none() {
    let listener = listener().await;
    let (mut agent, _) = agent(&listener);
    let text = std::fs::read_to_string(agent.config()).unwrap();
    std::fs::write(
        agent.config(),
        text.replace("[metrics]\n", "[metrics]\nresources = false\n"),
    )
    .unwrap();
    agent.start();
    let (mut peer, register) = Peer::accept(&listener, &[]).await;
    assert!(register.facts.is_some());
    for _ in 0..2 {
        assert_eq!(heartbeat(&mut peer).await.0.resources, None);
    }
}

/// One heartbeat is all there is: it has everything.
#[tokio::test]
async fn once_waits_for_what_is_slow() {
    let listener = listener().await;
    let (agent, root) = agent(&listener);
    write(&root.join("proc/driver/nvidia/version"), "NVRM\n");
    let smi = root.join("run/current-system/sw/bin/nvidia-smi");
    write(
        &smi,
        "#!/bin/sh\nsleep 1\necho 'A GPU, 24576, 23012, 3, 41'\n",
    );
    std::fs::set_permissions(&smi, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut process = std::process::Command::new(crate::process::AGENT)
        .arg("--config")
        .arg(agent.config())
        .arg("--once")
        .spawn()
        .unwrap();
    let (mut peer, _) = Peer::accept(&listener, &[]).await;
    let (beat, ..) = heartbeat(&mut peer).await;
    assert_eq!(
        beat.resources.unwrap().gpus[0].vram.unwrap().total >> 20,
        24576
    );
    process.kill().unwrap();
    process.wait().unwrap();
}
