//! The numbers of a host that rules can look at.

use serde::Deserialize;

use crate::wire::resources::Amount;
use crate::wire::to_dashboard::Heartbeat;

/// A number of a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Processor time in use, percent, by StaSysMo.
    Cpu,
    /// Memory in use, percent.
    Memory,
    /// Swap in use, percent.
    Swap,
    /// Load average over one minute.
    Load,
    /// Load average over 15 minutes, for each core.
    LoadPerCore,
    /// The hottest sensor, degrees Celsius.
    Temperature,
    /// The fullest file system, percent.
    Disk,
    /// Memory of the fullest GPU in use, percent.
    Vram,
    /// Seconds since the host started.
    Uptime,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Cpu,
        Self::Memory,
        Self::Swap,
        Self::Load,
        Self::LoadPerCore,
        Self::Temperature,
        Self::Disk,
        Self::Vram,
        Self::Uptime,
    ];

    /// Its name, as in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Swap => "swap",
            Self::Load => "load",
            Self::LoadPerCore => "load_per_core",
            Self::Temperature => "temperature",
            Self::Disk => "disk",
            Self::Vram => "vram",
            Self::Uptime => "uptime",
        }
    }

    /// What people read behind the number.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Cpu | Self::Memory | Self::Swap | Self::Disk | Self::Vram => " %",
            Self::Temperature => " °C",
            Self::Uptime => " s",
            Self::Load | Self::LoadPerCore => "",
        }
    }

    /// Its value; what the agent reads itself counts more than what StaSysMo says. Only numbers that are finite.
    pub fn of(self, beat: &Heartbeat) -> Option<f64> {
        let own = beat.resources.as_ref();
        let percent = |amount: Option<Amount>| amount.map(Amount::percent);
        let most = |values: &mut dyn Iterator<Item = f64>| values.reduce(f64::max);
        let value = match self {
            Self::Cpu => beat.metrics.map(|metrics| metrics.cpu),
            Self::Memory => percent(own.and_then(|own| own.memory))
                .or_else(|| beat.metrics.map(|metrics| metrics.ram)),
            Self::Swap => percent(own.and_then(|own| own.swap))
                .or_else(|| beat.metrics.map(|metrics| metrics.swap)),
            Self::Load => own
                .and_then(|own| own.load)
                .map(|load| load[0])
                .or_else(|| beat.metrics.map(|metrics| metrics.load)),
            Self::LoadPerCore => {
                let cores = own?.cores.filter(|cores| *cores > 0)?;
                own?.load.map(|load| load[2] / f64::from(cores))
            }
            Self::Temperature => own?.temperature,
            Self::Disk => most(&mut own?.disks.iter().map(|disk| disk.amount.percent())),
            Self::Vram => most(
                &mut own?
                    .gpus
                    .iter()
                    .filter_map(|gpu| gpu.vram)
                    .map(Amount::percent),
            ),
            Self::Uptime => own?.uptime_s.map(|seconds| seconds as f64),
        };
        value.filter(|value| value.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::resources::{Disk, Resources};
    use crate::wire::to_dashboard::Metrics;

    #[test]
    fn the_agents_own_numbers_count_more_than_stasysmos() {
        let metrics = Metrics {
            cpu: 5.0,
            ram: 10.0,
            swap: 20.0,
            load: 0.5,
        };
        let mut beat = Heartbeat {
            metrics: Some(metrics),
            ..Heartbeat::default()
        };
        let all = |beat: &Heartbeat| Metric::ALL.map(|metric| metric.of(beat));
        assert_eq!(
            all(&beat),
            [
                Some(5.0),
                Some(10.0),
                Some(20.0),
                Some(0.5),
                None,
                None,
                None,
                None,
                None
            ]
        );
        let amount = |available| Amount {
            total: 100,
            available,
        };
        let disk = |available| Disk {
            amount: amount(available),
            ..Disk::default()
        };
        beat.resources = Some(Resources {
            memory: Some(amount(60)),
            load: Some([1.0, 2.0, 8.0]),
            cores: Some(4),
            disks: vec![disk(50), disk(10), disk(80)],
            temperature: Some(f64::NAN),
            uptime_s: Some(7),
            ..Resources::default()
        });
        assert_eq!(
            all(&beat),
            [
                Some(5.0),
                Some(40.0),
                Some(20.0),
                Some(1.0),
                Some(2.0),
                None,
                Some(90.0),
                None,
                Some(7.0)
            ]
        );
    }
}
