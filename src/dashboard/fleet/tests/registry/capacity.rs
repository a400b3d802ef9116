//! What is free, and how it was: what may be asked for, and what is answered.

use std::time::Duration;

use serde_json::{Value, json};

use super::{GB, host, resources, say};
use crate::dashboard::metrics::series::FRESH_MS;
use crate::dashboard::testing::{House, jump};
use crate::wire::resources::{Amount, Gpu, GpuKind, Resources};

fn names(answer: &Value) -> Vec<&str> {
    let hosts = answer["hosts"].as_array().unwrap();
    hosts
        .iter()
        .map(|host| host["host"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn offline_agent_not_included_in_capacity_queries() {
    let house = House::start().await;
    let mut here = host(&house, "here", resources(4.0, 8)).await;
    let _silent = host(&house, "silent", resources(7.0, 30)).await;
    let gone = host(&house, "gone", resources(7.5, 30)).await;
    assert_eq!(
        names(&house.get("/api/capacity").await),
        ["gone", "silent", "here"]
    );
    drop(gone);
    house
        .wait("/api/capacity", |answer| {
            names(answer) == ["silent", "here"]
        })
        .await;
    jump(Duration::from_secs(31)).await;
    say(&mut here, 2, Some(resources(4.0, 8))).await;
    let answer = house.get("/api/capacity").await;
    assert_eq!(names(&answer), ["here"]);
    assert_eq!(
        answer["left_out"],
        json!({"offline": 2, "unknown": 0, "filtered": 0})
    );
    // Readings that its agent could not renew are no capacity either, nor are none.
    let old = Resources {
        age_ms: FRESH_MS + 1,
        ..resources(4.0, 8)
    };
    say(&mut here, 3, Some(old)).await;
    let answer = house.get("/api/capacity").await;
    assert_eq!(
        (names(&answer).len(), &answer["left_out"]["unknown"]),
        (0, &json!(1))
    );
    assert_eq!(
        house.get("/api/hosts/here").await["resources"]["stale"],
        true
    );
    say(&mut here, 4, None).await;
    assert_eq!(house.get("/api/capacity").await["left_out"]["unknown"], 1);
}

#[tokio::test]
async fn capacity_query_returns_all_agent_metrics() {
    let house = House::start().await;
    let gpu = |available| Gpu {
        name: "a GPU".into(),
        vram: Some(Amount {
            total: 24 * GB,
            available,
        }),
        ..Gpu::default()
    };
    let big = Resources {
        gpu: Some(GpuKind::Nvidia),
        gpus: vec![gpu(2 * GB), gpu(20 * GB)],
        temperature: Some(55.0),
        ..resources(6.0, 24)
    };
    let _big = host(&house, "big", big).await;
    let _small = host(&house, "small", resources(0.5, 2)).await;
    let tags = r#"{"tags":["build"]}"#;
    assert_eq!(house.ask("PUT", "/api/hosts/small", tags).await.0, 200);
    let all = house.get("/api/capacity").await;
    assert_eq!(names(&all), ["big", "small"]);
    let told = &all["hosts"][0];
    assert_eq!(told["cores_available"], json!(6.0));
    assert_eq!(told["memory_available"], json!(24 * GB));
    assert_eq!(told["vram_available"], json!(20 * GB));
    for key in [
        "age_ms",
        "load",
        "cores",
        "memory",
        "disks",
        "gpu",
        "gpus",
        "temperature",
    ] {
        assert!(!told["resources"][key].is_null(), "{key}: {told}");
    }
    for (query, expected) in [
        ("min_cores=0.5", &["big", "small"] as &[&str]),
        ("min_cores=0.6", &["big"]),
        ("min_cores=6.1", &[]),
        ("min_memory_gb=2", &["big", "small"]),
        ("min_memory_gb=2.1", &["big"]),
        ("min_vram_gb=0", &["big"]),
        ("min_vram_gb=20", &["big"]),
        ("min_vram_gb=21", &[]),
        ("tag=build", &["small"]),
        ("tag=build,gpu", &[]),
        ("tag=build&min_cores=1", &[]),
        ("location=nowhere", &[]),
    ] {
        let answer = house.get(&format!("/api/capacity?{query}")).await;
        assert_eq!(names(&answer), expected, "{query}");
        let left = answer["left_out"]["filtered"].as_u64().unwrap() as usize;
        assert_eq!(left, 2 - expected.len(), "{query}");
    }
    for (query, code) in [
        ("min_cores=-1", 422),
        ("min_cores=many", 400),
        ("min_cores=NaN", 422),
        ("tag=a%20b", 400),
        ("cores=4", 400),
    ] {
        let (status, body) = house
            .ask("GET", &format!("/api/capacity?{query}"), "")
            .await;
        assert_eq!(status, code, "{query}: {body}");
    }
}

#[tokio::test]
async fn questions_for_history_that_have_no_answer_say_why() {
    let house = House::start().await;
    let _agent = host(&house, "web1", resources(1.0, 1)).await;
    for (query, code, part) in [
        ("since=yesterday", 400, "`since` is no time"),
        ("until=5x", 400, "`until` is no time"),
        ("since=1h&until=2h", 422, "not before"),
        ("step=0", 422, "`step` 0"),
        ("since=24h&step=60", 422, "step=120"),
        ("step=a", 400, "digits"),
        ("from=1h", 400, "from"),
    ] {
        let path = format!("/api/hosts/web1/metrics?{query}");
        let (status, body) = house.ask("GET", &path, "").await;
        assert_eq!(status, code, "{query}: {body}");
        assert!(body.contains(part), "{query}: {body}");
    }
    let (status, _) = house.ask("GET", "/api/hosts/nobody/metrics", "").await;
    assert_eq!(status, 404);
    // Before there was anything, and long before that.
    let old = house
        .get("/api/hosts/web1/metrics?since=2001-01-01T00:00:00Z&until=2001-01-02T00:00:00Z")
        .await;
    assert_eq!(old["series"], json!({}));
    let all = house
        .get("/api/hosts/web1/metrics?since=1970-01-01T00:00:00Z")
        .await;
    assert!(all["points"].as_u64().unwrap() <= 1000);
    assert_eq!(
        all["series"]["load1"]["avg"]
            .as_array()
            .unwrap()
            .last()
            .unwrap(),
        &json!(7.0)
    );
}
