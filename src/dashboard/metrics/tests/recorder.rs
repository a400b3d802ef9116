use super::*;
use crate::dashboard::metrics::recorder::MAX_WAITING;

#[test]
fn what_cannot_be_stored_waits_within_a_limit() {
    let recorder = Recorder::default();
    let closed = |bucket| Closed {
        host: host("web1"),
        rung: 0,
        bucket,
        packed: vec![0],
    };
    let rows: Vec<Closed> = (0..MAX_WAITING as u64 + 5).map(closed).collect();
    assert_eq!(recorder.put_back(rows), 5);
    let kept = recorder.take();
    assert_eq!((kept.len(), kept[0].bucket), (MAX_WAITING, 5));
    recorder.put_back(kept);
    recorder.record(&host("web1"), START, &load(1.0));
    recorder.close(START + 60_000);
    let kept = recorder.take();
    assert_eq!(
        (kept.len(), kept[0].bucket),
        (MAX_WAITING, 7),
        "the newest stay"
    );
}

#[test]
fn a_bucket_is_closed_at_the_first_look_after_its_end_and_no_later_for_one_before() {
    let recorder = Recorder::default();
    let second = |n: u64| START + n * 1000;
    recorder.record(&host("web1"), second(3), &load(1.0));
    recorder.close(second(4));
    assert!(recorder.take().is_empty(), "it goes on");
    // Another host joins after that look, in the same bucket.
    recorder.record(&host("web2"), second(5), &load(1.0));
    recorder.close(second(9));
    assert!(recorder.take().is_empty(), "it goes on");
    recorder.close(second(10));
    assert_eq!(recorder.take().len(), 2);
    recorder.close(second(11));
    assert!(recorder.take().is_empty(), "once");
    // A clock that was set back: what is recorded then is closed as time goes on.
    recorder.record(&host("web1"), second(2), &load(1.0));
    recorder.close(second(9));
    recorder.close(second(10));
    assert_eq!(recorder.take().len(), 1);
}
