use super::*;

fn host(value: &Value) -> Host {
    let mut all = json!({
        "id": "web1", "hostname": "web1", "host_type": "nixos", "agent_version": "0.1.0", "os_version": "26.05",
        "nixpkgs_version": "", "generation": "/nix/store/abc-nixos-system-web1-26.05", "last_seen": null,
        "status": "online", "pending_command": null, "comment": "", "activity": null,
        "last_heartbeat_age_ms": 1200, "reconnect_deadline_ms": null, "heartbeats": 3, "heartbeat_interval": 5,
        "metrics": null, "resources": null, "protocol": 3, "theme_color": "", "location": "", "device_type": "",
        "commands": []
    });
    for (key, value) in value.as_object().unwrap() {
        all[key] = value.clone();
    }
    serde_json::from_value(all).unwrap()
}

#[test]
fn what_a_host_tells_of_its_coming_and_going() {
    let shown = |value| details(&host(&value));
    let quiet = shown(json!({"clock_skew_ms": 1999, "flaps": 0}));
    for word in ["Clock", "Maintenance", "Went away"] {
        assert!(!quiet.contains(word), "{quiet}");
    }
    let away = json!({
        "status": "offline", "absence": "maintenance", "clock_skew_ms": -3_600_000, "flaps": 4,
        "maintenance": {"since": "", "until": "2026-01-31T08:15:30.250Z", "reason": "new\u{1b}[2J disk", "by": "ann"}
    });
    let away = shown(away);
    for part in [
        "offline (maintenance), last seen",
        "Clock        3600.0 s behind the dashboard's",
        "Maintenance  by ann until 2026-01-31 08:15 UTC new\\u{1b}[2J disk",
        "Went away    4 times in the last hour",
    ] {
        assert!(away.contains(part), "{part}: {away}");
    }
    let happened: HostEvents = serde_json::from_value(json!({"events": [
        {"id": 2, "at": "2026-01-31T08:15:30.250Z", "kind": "agent_version", "detail": "1 -> 2"},
        {"id": 1, "at": "2026-01-31T07:15:30.250Z", "kind": "offline", "detail": "", "last_seen": "2026-01-31T07:14:00Z"}
    ]}))
    .unwrap();
    expect_test::expect![[r"
        EVENT          WHEN    DETAIL
        agent version  0s ago  1 -> 2
        offline        1h ago
    "]]
    .assert_eq(&events(&happened, 1_769_847_330_250));
}

#[test]
fn hosts_as_a_table() {
    let hosts = [
        host(&json!({})),
        host(&json!({
            "hostname": "db\u{1b}[2J", "status": "reconnecting", "last_heartbeat_age_ms": 61_000,
            "activity": {"run": "019a0000-0000-7000-8000-000000000001", "command": "switch", "phase": "building",
                         "progress": {"done": 3, "total": 10, "unit": "builds"}, "since": ""}
        })),
        host(&json!({
            "hostname": "web2",
            "activity": {"run": "019a0000-0000-7000-8000-000000000002", "command": "switch", "phase": "activating",
                         "progress": null, "since": "", "eta": {"percent": 90, "seconds": 42}}
        })),
        host(&json!({
            "hostname": "web3",
            "activity": {"run": "019a0000-0000-7000-8000-000000000003", "command": "switch", "phase": "evaluating",
                         "progress": null, "since": "", "eta": {"percent": 0, "seconds": null}}
        })),
        host(
            &json!({"hostname": "new", "status": "never_seen", "generation": "", "last_heartbeat_age_ms": null}),
        ),
    ];
    expect_test::expect![[r"
        HOST         STATUS        DOING                                 GENERATION               LAST SEEN  AGENT
        web1         online        -                                     nixos-system-web1-26.05  1s ago     0.1.0
        db\u{1b}[2J  reconnecting  switch: building 3/10                 nixos-system-web1-26.05  1m ago     0.1.0
        web2         online        switch: activating, about 40 seconds  nixos-system-web1-26.05  1s ago     0.1.0
        web3         online        switch: evaluating                    nixos-system-web1-26.05  1s ago     0.1.0
        new          never seen    -                                                              never      0.1.0
    "]]
    .assert_eq(&table(&hosts));
}
