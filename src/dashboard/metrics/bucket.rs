//! What a stretch of time adds up to.

use super::series::{N_SERIES, Sample};

/// One series in a stretch of time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Stat {
    /// The least.
    pub min: f32,
    /// The most.
    pub max: f32,
    /// All values added.
    pub sum: f32,
    /// How many values there are; with none, the others mean nothing.
    pub n: u32,
}

impl Stat {
    /// The mean; none without values.
    pub fn avg(&self) -> Option<f32> {
        (self.n > 0).then(|| self.sum / self.n as f32)
    }

    fn push(&mut self, value: f32) {
        self.merge(&Self {
            min: value,
            max: value,
            sum: value,
            n: 1,
        });
    }

    fn merge(&mut self, other: &Self) {
        if other.n == 0 {
            return;
        }
        if self.n == 0 {
            *self = *other;
            return;
        }
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum += other.sum;
        self.n = self.n.saturating_add(other.n);
    }
}

/// All series in a stretch of time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bucket(pub [Stat; N_SERIES]);

impl Bucket {
    /// Adds a heartbeat's numbers.
    pub fn push(&mut self, sample: &Sample) {
        for (stat, value) in self.0.iter_mut().zip(sample.0) {
            if let Some(value) = value {
                stat.push(value);
            }
        }
    }

    /// Adds what another stretch of time adds up to.
    pub fn merge(&mut self, other: &Self) {
        for (stat, other) in self.0.iter_mut().zip(&other.0) {
            stat.merge(other);
        }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|stat| stat.n == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn min_max_and_mean_of_what_was_said() {
        let mut bucket = Bucket::default();
        assert!(bucket.is_empty());
        for value in [Some(2.0), None, Some(6.0), Some(1.0)] {
            let mut sample = Sample::default();
            sample.0[4] = value;
            bucket.push(&sample);
        }
        let stat = bucket.0[4];
        assert_eq!((stat.min, stat.max, stat.avg()), (1.0, 6.0, Some(3.0)));
        assert_eq!(bucket.0[0].avg(), None);
        let mut sum = Bucket::default();
        sum.merge(&bucket);
        sum.merge(&Bucket::default());
        assert_eq!(sum, bucket);
        sum.merge(&bucket);
        assert_eq!((sum.0[4].n, sum.0[4].avg()), (6, Some(3.0)));
    }
}
