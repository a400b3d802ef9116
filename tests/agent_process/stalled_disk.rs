//! A disk that answers nothing, as a network file system does whose server is gone: a FUSE mount that nobody serves.

use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::listener;
use crate::played::Peer;
use crate::process::AGENT;
use crate::resources::{agent, write};
use crate::rhythm;

/// Mounts what its standard input is, `/dev/fuse`, on `$1`, and becomes the rest. In a mount namespace of its own, so that
/// nothing else on this machine can hang on it.
const STALLED: &str = "mount -i -t fuse -o fd=0,rootmode=40000,user_id=0,group_id=0 stalled \"$1\" || exit 9; shift; exec \"$@\"";

fn below_a_stalled_mount(point: &std::path::Path) -> Option<Command> {
    let fuse = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/fuse")
        .ok()?;
    let mut command = Command::new("unshare");
    command
        .args([
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            STALLED,
            "sh",
        ])
        .arg(point)
        .stdin(Stdio::from(fuse));
    Some(command)
}

#[tokio::test]
async fn a_disk_that_stalls_delays_no_heartbeat_no_other_reading_and_not_the_end() {
    let listener = listener().await;
    let (mut agent, root) = agent(&listener);
    let point = root.join("data");
    std::fs::create_dir(&point).unwrap();
    let tried = below_a_stalled_mount(&point)
        .and_then(|mut command| command.arg("true").stderr(Stdio::null()).status().ok());
    if !tried.is_some_and(|status| status.success()) {
        println!("skipped: a stalled disk: /dev/fuse cannot be mounted here; that needs root");
        return;
    }
    write(&root.join("proc/loadavg"), "0.50 0.25 0.00 1/100 4242\n");
    write(
        &root.join("proc/self/mountinfo"),
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /data rw - xfs /dev/sda2 rw\n",
    );
    let text = std::fs::read_to_string(agent.config()).unwrap();
    let log = format!(
        "[heartbeat_log]\ndir = \"{}\"\n",
        point.join("log").display()
    );
    std::fs::write(agent.config(), text + &log).unwrap();
    let stderr = std::fs::File::create(agent.dir.path().join("log")).unwrap();
    let mut command = below_a_stalled_mount(&point).unwrap();
    command
        .arg(AGENT)
        .arg("--config")
        .arg(agent.config())
        .stderr(stderr);
    agent.process = Some(command.spawn().unwrap());
    let (mut peer, _) = Peer::accept(&listener, &[]).await;
    let mut loads = 0;
    rhythm::keeps(&mut peer, rhythm::seconds(), |beat, _| {
        let resources = beat.resources.unwrap_or_default();
        assert!(resources.disks.is_empty(), "{resources:?}");
        loads += usize::from(resources.load == Some([0.5, 0.25, 0.0]));
    })
    .await;
    assert!(loads >= 5, "{loads} heartbeats with the load");
    let process = agent.process.as_mut().unwrap();
    kill(Pid::from_raw(process.id() as i32), Signal::SIGTERM).unwrap();
    let ended = async {
        while process.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ended)
        .await
        .expect("it ends, though a thread of it hangs");
    let said = std::fs::read_to_string(agent.dir.path().join("log")).unwrap();
    assert!(said.contains("the disk does not move"), "{said}");
}
