//! The last hour of each host in memory, minute by minute: what the table of hosts draws small lines from, without asking
//! the store.

use super::bucket::Bucket;
use super::series::{LOAD, LOAD1, MEMORY, RAM};

/// How many minutes.
pub const MINUTES: usize = 60;

/// Load and memory by the minute, 480 bytes. Not a number where nothing was said.
#[derive(Debug, Clone)]
pub struct Recent {
    load: [f32; MINUTES],
    memory: [f32; MINUTES],
    /// The newest minute that was put in.
    newest: u64,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            load: [f32::NAN; MINUTES],
            memory: [f32::NAN; MINUTES],
            newest: 0,
        }
    }
}

impl Recent {
    /// Takes a minute that is over.
    pub fn put(&mut self, minute: u64, bucket: &Bucket) {
        if minute + MINUTES as u64 <= self.newest {
            return;
        }
        // What lies between is a gap, not what stood in its place an hour ago.
        let first = (self.newest + 1).max((minute + 1).saturating_sub(MINUTES as u64));
        for gone in first..minute {
            self.set(gone, f32::NAN, f32::NAN);
        }
        self.newest = self.newest.max(minute);
        let stat = |own: usize, other: usize| {
            let value = bucket.0[own].avg().or_else(|| bucket.0[other].avg());
            value.unwrap_or(f32::NAN)
        };
        self.set(minute, stat(LOAD1, LOAD), stat(MEMORY, RAM));
    }

    fn set(&mut self, minute: u64, load: f32, memory: f32) {
        let place = (minute % MINUTES as u64) as usize;
        self.load[place] = load;
        self.memory[place] = memory;
    }

    /// Load and memory of the [`MINUTES`] minutes up to `last`, that one included.
    pub fn until(&self, last: u64) -> [Vec<Option<f64>>; 2] {
        [&self.load, &self.memory].map(|values| {
            let first = (last + 1).saturating_sub(MINUTES as u64);
            let value = |minute: u64| {
                let known = minute <= self.newest && minute + MINUTES as u64 > self.newest;
                let value = values[(minute % MINUTES as u64) as usize];
                (known && value.is_finite()).then(|| (f64::from(value) * 100.0).round() / 100.0)
            };
            (first..=last).map(value).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::metrics::series::Sample;

    fn bucket(load: f32) -> Bucket {
        let mut sample = Sample::default();
        sample.0[LOAD1] = Some(load);
        let mut bucket = Bucket::default();
        bucket.push(&sample);
        bucket
    }

    #[test]
    fn an_hour_with_its_gaps_and_nothing_of_the_hour_before() {
        let mut recent = Recent::default();
        recent.put(1000, &bucket(1.0));
        recent.put(1001, &bucket(2.0));
        recent.put(1003, &bucket(3.0));
        let [load, memory] = recent.until(1003);
        assert_eq!(load.len(), MINUTES);
        assert_eq!(load[56..], [Some(1.0), Some(2.0), None, Some(3.0)]);
        assert!(memory.iter().all(Option::is_none));
        let [load, _] = recent.until(1005);
        assert_eq!(load[57..], [Some(3.0), None, None]);
        recent.put(1061, &bucket(4.0));
        let [load, _] = recent.until(1061);
        assert_eq!((load[0], load[1]), (None, Some(3.0)));
        assert_eq!(load[2..59], [None; 57]);
        recent.put(5000, &bucket(5.0));
        assert_eq!(recent.until(5000)[0][..59], [None; 59]);
        recent.put(1062, &bucket(6.0));
        assert_eq!(recent.until(5000)[0][59], Some(5.0));
    }
}
