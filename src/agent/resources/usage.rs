//! What the agent itself needs. Children do not count: runs and what collectors start are their own.

use std::path::Path;

use nix::sys::resource::{UsageWho, getrusage};

use super::file;
use crate::wire::resources::AgentUsage;

/// Memory and CPU time of this process, with its memory from `/proc` below `root` (`/`). On macOS the memory is the most that
/// it has had: the system does not tell more by small means.
pub fn read(root: &Path) -> Option<AgentUsage> {
    let used = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let ms =
        |time: nix::sys::time::TimeVal| time.tv_sec() as u64 * 1000 + time.tv_usec() as u64 / 1000;
    let memory = if cfg!(target_os = "macos") {
        used.max_rss() as u64
    } else {
        resident(root)?
    };
    Some(AgentUsage {
        memory,
        cpu_ms: ms(used.user_time()) + ms(used.system_time()),
    })
}

fn resident(root: &Path) -> Option<u64> {
    let text = file::read(&root.join("proc/self/statm"), file::VALUE).ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok()??;
    pages.checked_mul(page as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process() {
        let read = read(Path::new("/")).unwrap();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        let (least, most) = (kib * 1024 / 2, kib * 1024 * 2);
        assert!((least..most).contains(&read.memory), "{read:?} {line}");
    }

    #[test]
    fn what_is_no_statm_tells_nothing() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("proc/self")).unwrap();
        for text in ["", "12", "12 many 3"] {
            std::fs::write(root.path().join("proc/self/statm"), text).unwrap();
            assert_eq!(resident(root.path()), None, "{text}");
        }
    }
}
