use super::*;

#[tokio::test]
async fn a_clock_that_is_set_back_neither_holds_nor_drops_what_quiet_hours_do_not() {
    let (_dir, store) = store().await;
    // Made at 5000 by a clock that is set to 10 then.
    let made = |id: &str, event, not_before| NewDelivery {
        created_at: 5000,
        ..told(id, event, "c", not_before)
    };
    let begins = fire("a1", vec![made("a1", "firing", 5000)]);
    store.commit_alerts(&begins).await.unwrap();
    let begins = fire("a2", vec![told("a2", "firing", "c", 9)]);
    store.commit_alerts(&begins).await.unwrap();
    let next = store.next_delivery("c", 10).await.unwrap().unwrap();
    assert_eq!(
        (next.delivery.as_str(), next.is_quiet),
        ("a1-firing-c", false)
    );
    let ends = end("a1", 10, vec![told("a1", "recovered", "c", 10)]);
    store.commit_alerts(&ends).await.unwrap();
    assert_eq!(
        fates(&store, "a1").await,
        ["firing c queued", "recovered c queued"]
    );
    let quiet = fire("a3", vec![made("a3", "firing", 6000)]);
    store.commit_alerts(&quiet).await.unwrap();
    for _ in 0..3 {
        let next = store.next_delivery("c", 10).await.unwrap().unwrap();
        assert_ne!(next.delivery, "a3-firing-c");
        store.end_delivery(next.id, End::Sent, 10).await.unwrap();
    }
    let next = store.next_delivery("c", 10).await.unwrap().unwrap();
    assert!(next.is_quiet);
}
