//! The service that this process is: its unit file, the program in it, and whether that is this one.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{plist, unit};

/// The largest unit file that is read, in bytes.
const MAX_UNIT: u64 = 64 * 1024;
/// Where systemd looks for a unit, the first one counts.
const UNIT_DIRS: [&str; 3] = [
    "etc/systemd/system",
    "run/systemd/system",
    "lib/systemd/system",
];
/// Where launchd's system-wide jobs are.
const DAEMONS: &str = "Library/LaunchDaemons";

/// This process's program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Own {
    /// Its file's name.
    pub(super) name: String,
    pub(super) id: FileId,
}

/// A file, whatever it is called: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId(pub(super) u64, pub(super) u64);

impl From<Metadata> for FileId {
    fn from(metadata: Metadata) -> Self {
        Self(metadata.dev(), metadata.ino())
    }
}

/// Where to look.
#[derive(Debug, Clone)]
pub struct Service {
    /// As the service manager names it: `nixfleet-agent.service`.
    pub name: String,
    root: PathBuf,
    pub(super) own: Own,
}

impl Service {
    /// The service that runs this process, its files below `root` (`/`).
    pub fn of_process(root: &Path) -> Option<Self> {
        let (name, own) = if cfg!(target_os = "macos") {
            // launchd tells each job its label.
            let exe = std::env::current_exe().ok()?;
            (
                std::env::var("XPC_SERVICE_NAME").ok()?,
                Own::of(&exe, &exe)?,
            )
        } else {
            let cgroup = fs::read_to_string("/proc/self/cgroup").ok()?;
            let link = Path::new("/proc/self/exe");
            // The link leads to the executed file even when another one has taken its name.
            (
                unit::name_in(&cgroup)?,
                Own::of(link, &fs::read_link(link).ok()?)?,
            )
        };
        let service = Self::new(name, root, own);
        service.is_ours(&service.observe()).then_some(service)
    }

    pub(super) fn new(name: String, root: &Path, own: Own) -> Self {
        Self {
            name,
            root: root.to_owned(),
            own,
        }
    }

    /// Whether the unit found is one of an agent, and not that of a program which started it some other way.
    fn is_ours(&self, observed: &Observation) -> bool {
        let program = observed.program.as_ref();
        let names_it = program.is_some_and(|program| program.file_name() == Some(&self.own.name));
        observed.content.is_some() && (names_it || self.name.contains("nixfleet"))
    }

    /// Reads what is installed now. Blocks.
    pub(super) fn observe(&self) -> Observation {
        let content = if cfg!(target_os = "macos") {
            read(&self.root.join(DAEMONS).join(format!("{}.plist", self.name)))
        } else {
            let mut places = UNIT_DIRS
                .iter()
                .map(|dir| self.root.join(dir).join(&self.name));
            places.find_map(|place| read(&place))
        };
        let path = content.as_ref().and_then(|content| {
            if cfg!(target_os = "macos") {
                plist::program(content, &self.own.name)
            } else {
                unit::program(content)
            }
        });
        let program = path.map(|path| {
            let below = self.root.join(path.strip_prefix("/").unwrap_or(&path));
            Program {
                id: fs::metadata(below).ok().map(FileId::from),
                path,
            }
        });
        // nix-darwin's plists are the same for every configuration; what differs is what their program leads to.
        let content = content.map(|text| {
            if cfg!(target_os = "macos") {
                0
            } else {
                crc32c::crc32c(text.as_bytes())
            }
        });
        Observation { content, program }
    }
}

impl Own {
    /// The file that `at` leads to, which was named `path` when it was executed.
    fn of(at: &Path, path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        Some(Self {
            name: name.trim_end_matches(" (deleted)").to_owned(),
            id: fs::metadata(at).ok()?.into(),
        })
    }
}

fn read(path: &Path) -> Option<String> {
    let size = fs::metadata(path).ok()?.len();
    (size <= MAX_UNIT).then(|| fs::read_to_string(path).ok())?
}

/// What is installed at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Observation {
    /// A checksum of the unit file; none where there is no such file any more.
    pub(super) content: Option<u32>,
    /// What it starts, where that is a plain path.
    pub(super) program: Option<Program>,
}

/// The program that a unit starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    /// None while there is no such file.
    pub(super) id: Option<FileId>,
}

impl Program {
    fn file_name(&self) -> Option<&str> {
        self.path.file_name()?.to_str()
    }
}

impl Observation {
    /// In words, why the service manager would not start what runs now; none when it would.
    pub(super) fn difference(&self, first: &Self, own: &Own) -> Option<String> {
        if let Some(program) = &self.program {
            let ours = program.file_name() == Some(&own.name);
            if ours && program.id.is_some_and(|id| id != own.id) {
                let path = program.path.display();
                return Some(format!("{path} is another program than the running one"));
            }
            // A wrapper, which cannot be compared with what it starts, but with itself when it is in the store. Any other
            // script may be edited at any time.
            let stored = program.path.starts_with("/nix/store");
            if !ours && stored && self.program != first.program {
                return Some(format!("the unit starts {} now", program.path.display()));
            }
        }
        match (self.content, first.content) {
            (None, Some(_)) => Some("the unit file was removed".to_owned()),
            (now, then) if now != then => Some("the unit file has changed".to_owned()),
            _ => None,
        }
    }

    /// Whether the service manager has something to start; a unit that is gone shall not be started.
    pub(super) fn can_start(&self) -> bool {
        self.program
            .as_ref()
            .is_none_or(|program| program.id.is_some())
    }

    /// One line that is the same for the same files.
    pub(super) fn marker(&self) -> String {
        let program = self.program.as_ref().map_or_else(String::new, |program| {
            let FileId(device, inode) = program.id.unwrap_or(FileId(0, 0));
            format!("{} {device} {inode}", program.path.display())
        });
        format!("{} {program}\n", self.content.unwrap_or_default())
    }
}
