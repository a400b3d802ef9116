//! The hottest sensor, from `/sys/class/hwmon`, or `/sys/class/thermal` where that has none.

use std::path::{Path, PathBuf};

use super::{Reading, file, rounded};

/// The most sensors that are read; a large server has some hundred.
const MAX_SENSORS: usize = 256;
/// What is not between these is no temperature of a computer, but what a broken sensor says. Millidegrees.
const POSSIBLE: std::ops::Range<i64> = 1..150_000;

/// The highest temperature; nothing where there is no sensor, as in virtual machines.
#[expect(clippy::unnecessary_wraps, reason = "as all collectors")]
pub fn read(root: &Path) -> anyhow::Result<Option<Reading>> {
    let hottest = hottest(hwmon(&root.join("sys/class/hwmon")))
        .or_else(|| hottest(thermal(&root.join("sys/class/thermal"))));
    Ok(hottest.map(Reading::Temperature))
}

/// The highest temperature that the files of one device tell, in degrees.
pub fn of_device(device: &Path) -> Option<f64> {
    hottest(hwmon(&device.join("hwmon")))
}

fn hwmon(dir: &Path) -> impl Iterator<Item = PathBuf> {
    file::entries(dir).into_iter().flat_map(|(_, chip)| {
        file::entries(&chip)
            .into_iter()
            .filter(|(name, _)| name.starts_with("temp") && name.ends_with("_input"))
            .map(|(_, path)| path)
    })
}

fn thermal(dir: &Path) -> impl Iterator<Item = PathBuf> {
    file::entries(dir)
        .into_iter()
        .filter(|(name, _)| name.starts_with("thermal_zone"))
        .map(|(_, path)| path.join("temp"))
}

fn hottest(sensors: impl Iterator<Item = PathBuf>) -> Option<f64> {
    let millidegrees = sensors
        .take(MAX_SENSORS)
        .filter_map(|path| file::number::<i64>(&path))
        .filter(|value| POSSIBLE.contains(value))
        .max()?;
    Some(rounded(millidegrees as f64 / 1000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: Option<f64>) {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join("sys/class").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let read = read(root.path()).unwrap();
        assert_eq!(read, expected.map(Reading::Temperature), "{files:?}");
    }

    #[test]
    fn the_hottest_sensor_that_can_be_true() {
        check(&[], None);
        let chips = [
            ("hwmon/hwmon0/temp1_input", "41850\n"),
            ("hwmon/hwmon1/temp1_input", "52250\n"),
            ("hwmon/hwmon1/temp1_crit", "100000\n"),
            ("hwmon/hwmon1/fan1_input", "99000\n"),
            ("hwmon/hwmon2/temp9_input", "255000\n"),
            ("hwmon/hwmon2/temp8_input", "-128000\n"),
            ("hwmon/hwmon2/temp7_input", "hot\n"),
            ("thermal/thermal_zone0/temp", "90000\n"),
        ];
        check(&chips, Some(52.25));
        check(&chips[7..], Some(90.0));
        check(&chips[4..7], None);
        check(&[("thermal/cooling_device0/temp", "90000\n")], None);
    }
}
