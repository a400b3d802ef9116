//! Load averages, processors and uptime. How busy a host is comes from its load: a percentage of one instant says little.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::{Reading, file, rounded};

/// How long the number of processors is taken to stay.
const COUNT_AGAIN: Duration = Duration::from_secs(60);

/// How many processors this process may use: what it is bound to and the quotas of its control groups count.
#[derive(Debug, Default)]
pub struct Cores(Option<(u32, Instant)>);

impl Cores {
    fn count(&mut self) -> anyhow::Result<u32> {
        if let Some((count, at)) = self.0
            && at.elapsed() < COUNT_AGAIN
        {
            return Ok(count);
        }
        let count = std::thread::available_parallelism().context("processors")?;
        let count = u32::try_from(count.get()).unwrap_or(u32::MAX);
        self.0 = Some((count, Instant::now()));
        Ok(count)
    }
}

/// `/proc/loadavg`
pub fn read(root: &Path, cores: &mut Cores) -> anyhow::Result<Option<Reading>> {
    let text = file::read(&root.join("proc/loadavg"), file::VALUE)?;
    let load = averages(text.split(' ')).context("/proc/loadavg has no three averages")?;
    let cores = cores.count()?;
    Ok(Some(Reading::Load { load, cores }))
}

/// The first three words, which are numbers from 0 on.
pub fn averages<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<[f64; 3]> {
    let mut next = || {
        let value: f64 = words.next()?.parse().ok()?;
        (value.is_finite() && value >= 0.0).then_some(rounded(value))
    };
    Some([next()?, next()?, next()?])
}

/// `/proc/uptime`
pub fn uptime(root: &Path) -> anyhow::Result<Option<Reading>> {
    let text = file::read(&root.join("proc/uptime"), file::VALUE)?;
    let seconds = text.split(['.', ' ']).next().unwrap_or_default();
    let seconds = seconds.parse().context("/proc/uptime has no number")?;
    Ok(Some(Reading::Uptime(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::resources::Resources;

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("proc")).unwrap();
        for (name, text) in files {
            std::fs::write(root.path().join("proc").join(name), text).unwrap();
        }
        root
    }

    fn resources(loadavg: &str, cores: u32) -> Resources {
        let root = root(&[("loadavg", loadavg)]);
        let mut cores = Cores(Some((cores, Instant::now())));
        let mut resources = Resources::default();
        let reading = read(root.path(), &mut cores).unwrap().unwrap();
        reading.put(&mut resources);
        resources
    }

    #[test]
    fn cpu_load_averages_present() {
        let resources = resources("0.52 1.485 12.00 3/712 4242\n", 8);
        assert_eq!(resources.load, Some([0.52, 1.49, 12.0]));
    }

    #[test]
    fn cpu_cores_available_calculated() {
        for (loadavg, cores, expected) in [
            ("0.52 0 0 1/1 1", 8, 7.48),
            ("0.00 0 0 1/1 1", 8, 8.0),
            ("9.75 0 0 1/1 1", 8, 0.0),
        ] {
            let resources = resources(loadavg, cores);
            assert_eq!(resources.cores, Some(cores));
            assert_eq!(resources.cores_available, Some(expected), "{loadavg}");
        }
        let counted = Cores::default().count().unwrap();
        let all = std::thread::available_parallelism().unwrap().get();
        assert_eq!(counted as usize, all);
    }

    /// One busy instant changes nothing: only the averages count.
    #[test]
    fn metrics_use_load_average_not_instantaneous_percent() {
        let idle = root(&[("loadavg", "1.00 1 1 1/1 1"), ("stat", "cpu 0 0 0 900 0\n")]);
        let busy = root(&[("loadavg", "1.00 1 1 9/9 9"), ("stat", "cpu 900 0 0 0 0\n")]);
        let mut cores = Cores(Some((4, Instant::now())));
        let mut of = |root: &tempfile::TempDir| read(root.path(), &mut cores).unwrap();
        assert_eq!(of(&idle), of(&busy));
        assert_eq!(resources("1.00 1 1 9/9 9", 4).cores_available, Some(3.0));
    }

    #[test]
    fn what_cannot_be_a_load_is_an_error() {
        let mut cores = Cores::default();
        for text in ["", "0.1 0.2", "a b c", "-1 0 0 1/1 1", "nan 0 0", "inf 0 0"] {
            let root = root(&[("loadavg", text)]);
            assert!(read(root.path(), &mut cores).is_err(), "{text}");
        }
        assert!(read(Path::new("/nowhere"), &mut cores).is_err());
    }

    #[test]
    fn seconds_since_the_start() {
        for (text, expected) in [
            ("350735.47 234388.90\n", Some(350_735)),
            ("7 1\n", Some(7)),
            ("soon", None),
            ("", None),
        ] {
            let root = root(&[("uptime", text)]);
            let read = uptime(root.path()).ok().flatten();
            assert_eq!(read, expected.map(Reading::Uptime), "{text}");
        }
    }
}
