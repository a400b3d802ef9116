//! A bucket as the store has it: about 40 bytes for a usual host.
//!
//! All numbers are LEB128. First a set of bits, the lowest for the first series: which series follow. Then how many
//! heartbeats there were. Then for each series its mean in hundredths (zigzag), how far the least is below it, and how far the most is
//! above it. A series that was absent from some of the heartbeats weighs as if it had been in all of them; that counts only
//! for buckets that are read back.

use super::bucket::{Bucket, Stat};
use super::series::N_SERIES;

/// The bucket in bytes.
pub fn pack(bucket: &Bucket) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(48);
    let (mut set, mut n) = (0, 1);
    for (place, stat) in bucket.0.iter().enumerate() {
        if stat.n > 0 {
            set |= 1 << place;
        }
        n = n.max(stat.n);
    }
    put(&mut bytes, set);
    put(&mut bytes, u64::from(n));
    for stat in &bucket.0 {
        let Some(avg) = stat.avg() else {
            continue;
        };
        let avg = hundredths(avg);
        put(&mut bytes, ((avg << 1) ^ (avg >> 63)) as u64);
        put(
            &mut bytes,
            avg.saturating_sub(hundredths(stat.min)).max(0) as u64,
        );
        put(
            &mut bytes,
            hundredths(stat.max).saturating_sub(avg).max(0) as u64,
        );
    }
    bytes
}

/// Reads it back; none where the bytes are no bucket. A later version's further series are passed over.
pub fn unpack(mut bytes: &[u8]) -> Option<Bucket> {
    let bytes = &mut bytes;
    let (mut set, n) = (take(bytes)?, take(bytes)?);
    let n = u32::try_from(n).ok().filter(|n| *n > 0)?;
    let mut bucket = Bucket::default();
    while set != 0 {
        let place = set.trailing_zeros() as usize;
        set &= set - 1;
        let folded = take(bytes)?;
        let avg = (folded >> 1) as i64 ^ -((folded & 1) as i64);
        let (below, above) = (take(bytes)? as i64, take(bytes)? as i64);
        if place < N_SERIES {
            let avg_f = avg as f32 / 100.0;
            bucket.0[place] = Stat {
                min: avg.saturating_sub(below) as f32 / 100.0,
                max: avg.saturating_add(above) as f32 / 100.0,
                sum: avg_f * n as f32,
                n,
            };
        }
    }
    bytes.is_empty().then_some(bucket)
}

/// A number that is not finite becomes 0, one that is too large the largest.
fn hundredths(value: f32) -> i64 {
    (f64::from(value) * 100.0).round() as i64
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for place in 0..10 {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << (7 * place);
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dashboard::metrics::series::Sample;

    fn usual() -> Bucket {
        let mut bucket = Bucket::default();
        for n in 0..6_u8 {
            let mut sample = Sample::default();
            for place in [4, 5, 7, 8, 9, 11] {
                sample.0[place] = Some(35.0 + f32::from(n) / 3.0);
            }
            bucket.push(&sample);
        }
        bucket
    }

    #[test]
    fn a_usual_bucket_is_small_and_comes_back() {
        let bytes = pack(&usual());
        assert!(bytes.len() <= 30, "{} bytes", bytes.len());
        let back = unpack(&bytes).unwrap();
        for (stat, back) in usual().0.iter().zip(&back.0) {
            assert_eq!(stat.n, back.n);
            let close = |a: f32, b: f32| (a - b).abs() < 0.011;
            assert!(close(stat.min, back.min) && close(stat.max, back.max));
            assert!(close(stat.avg().unwrap_or(0.0), back.avg().unwrap_or(0.0)));
        }
        assert_eq!(pack(&back), bytes);
        assert_eq!(unpack(&pack(&Bucket::default())), Some(Bucket::default()));
    }

    #[test]
    fn what_is_no_bucket_is_none_and_later_series_are_passed_over() {
        let bytes = pack(&usual());
        for len in 0..bytes.len() {
            assert_eq!(unpack(&bytes[..len]), None, "{len}");
        }
        assert_eq!(unpack(&[bytes.as_slice(), &[0]].concat()), None);
        assert_eq!(unpack(&[0xff; 30]), None);
        // The set of a later version: `cpu` and the 21st series.
        let later = [0x81, 0x80, 0x40, 1, 8, 0, 0, 2, 0, 0];
        let bucket = unpack(&later).unwrap();
        assert_eq!(bucket.0[0].avg(), Some(0.04));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Some(bucket) = unpack(&bytes) {
                let _ = pack(&bucket);
            }
        }

        #[test]
        fn every_value_comes_back(values in proptest::array::uniform12(proptest::option::of(-300.0_f32..100_000.0))) {
            let mut bucket = Bucket::default();
            bucket.push(&Sample(values));
            let back = unpack(&pack(&bucket)).unwrap();
            for (value, stat) in values.iter().zip(&back.0) {
                prop_assert_eq!(stat.n > 0, value.is_some());
                let (value, avg) = (value.unwrap_or(0.0), stat.avg().unwrap_or(0.0));
                prop_assert!((avg - value).abs() <= 0.02 + value.abs() * 1e-6);
            }
        }
    }
}
