//! Messages by subject, and those that prove a key.

use super::check;
use crate::wire::to_agent::{Message, Published, Registered, ToAgent};
use crate::wire::to_dashboard::{Heartbeat, Proof, Publish, Register, Subscribe, ToDashboard};

#[test]
fn to_dashboard() {
    check(
        "publish",
        &ToDashboard::Publish(Box::new(Publish {
            id: 3,
            subject: "tasks.web.new".parse().unwrap(),
            payload: serde_json::json!({ "urgent": true }),
            reply_to: Some("_reply.0f1e2d3c.7".parse().unwrap()),
        })),
    );
    check(
        "subscribe",
        &ToDashboard::Subscribe(Subscribe {
            patterns: vec![
                "tasks.*.>".parse().unwrap(),
                "_reply.0f1e2d3c.*".parse().unwrap(),
            ],
        }),
    );
    check(
        "proof",
        &ToDashboard::Proof(Proof {
            hostname: "web1".into(),
            dashboard: "fleet.example.org".into(),
            at: 1_769_847_330_250,
            signature: "c2lnbmF0dXJl".into(),
        }),
    );
    check(
        "register_organization",
        &ToDashboard::Register(Box::new(Register {
            hostname: "worker-1".into(),
            heartbeat_interval: 30,
            protocol: Some(3),
            offline_after: Some(3),
            organization: Some("acme".into()),
            ..Register::default()
        })),
    );
    check(
        "heartbeat_of_a_library",
        &ToDashboard::Heartbeat(Box::new(Heartbeat {
            n: 2,
            status_text: Some("3 tasks wait".into()),
            custom_metrics: [("tasks_waiting".into(), 3.0)].into(),
            ..Heartbeat::default()
        })),
    );
}

#[test]
fn to_agent() {
    check(
        "message",
        &ToAgent::Message(Box::new(Message {
            subject: "tasks.web.new".parse().unwrap(),
            payload: serde_json::json!({ "urgent": true }),
            reply_to: None,
            from: "web1".into(),
        })),
    );
    check(
        "published",
        &ToAgent::Published(Published {
            id: 3,
            delivered: 2,
            refused: None,
        }),
    );
    check(
        "published_refused",
        &ToAgent::Published(Published {
            id: 4,
            delivered: 0,
            refused: Some("more than 100 messages a second".into()),
        }),
    );
    check("messages_dropped", &ToAgent::MessagesDropped { n: 12 });
    check(
        "challenge",
        &ToAgent::Challenge {
            nonce: "bm9uY2U=".into(),
        },
    );
    check(
        "registered_subjects",
        &ToAgent::Registered(Registered {
            host_id: "7".into(),
            protocol: Some(3),
            resume: Vec::new(),
            subjects: true,
        }),
    );
}
