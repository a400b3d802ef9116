//! How a connection begins: what this host says of itself, and what starts with the dashboard's answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;

use super::Session;
use crate::agent::runs::{self, MAX_REQUESTS, Runs};
use crate::agent::shipper::v2::Way;
use crate::agent::uplink::offer;
use crate::agent::{heartbeat, register, shipper};
use crate::wire::PROTOCOL;
use crate::wire::to_agent::Registered;
use crate::wire::to_dashboard::ToDashboard;

impl Session<'_> {
    pub(super) async fn register(&mut self) -> Result<(), String> {
        let uplink = self.uplink;
        let mut offered = None;
        let mut known = Vec::new();
        if let Some(runs) = &uplink.runs {
            match runs.offer().await {
                Ok(offer) => offered = Some(offer),
                Err(error) => {
                    tracing::warn!("no command is offered until the helper answers: {error:#}");
                }
            }
            if !uplink.once {
                known = runs.known();
            }
            self.tasks
                .spawn(offer::changed(runs.clone(), offered.clone()));
        }
        let mut message = {
            let sample = uplink.sample.borrow();
            register::message(
                &uplink.identity,
                offered.unwrap_or_default(),
                &sample,
                known,
            )
        };
        message.once = uplink.once;
        self.say(ToDashboard::Register(Box::new(message)))
    }

    pub(super) fn registered(&mut self, registered: Registered) -> Result<(), String> {
        if self.registered {
            tracing::warn!("ignored: a second `registered`");
            return Ok(());
        }
        self.registered = true;
        let uplink = self.uplink;
        tracing::info!(
            "connected to {} as {}",
            uplink.identity.url,
            uplink.identity.hostname
        );
        // Who waits for the connection may speak at once: first the subjects, then the news.
        let messages = self.messages.clone();
        let subscribe = uplink.subjects.connected(messages, registered.subjects);
        subscribe.map_or(Ok(()), |subscribe| self.say(subscribe))?;
        let acknowledges = registered.protocol == Some(PROTOCOL);
        if !acknowledges {
            tracing::info!(
                "the dashboard speaks protocol {}, this agent {PROTOCOL}: lines that a lost link swallows are not sent again",
                registered.protocol.unwrap_or(crate::wire::v2::PROTOCOL)
            );
            self.earlier.store(true, Ordering::Relaxed);
        }
        uplink
            .health
            .send_modify(|health| health.registered(acknowledges));
        let cells = uplink.cells();
        let control = self.control.clone();
        let interval = uplink.identity.interval;
        let (health, once) = (uplink.health.clone(), uplink.once);
        self.tasks.spawn(async move {
            if once {
                heartbeat::beat_once(&cells, &control, &health);
                // Its acknowledgement ends the connection, or the deadline does.
                std::future::pending::<()>().await;
            }
            heartbeat::beat(cells, interval, control, health).await;
            Ok(())
        });
        let Some(runs) = &uplink.runs else {
            return Ok(());
        };
        let (requests, asked) = mpsc::channel(MAX_REQUESTS);
        self.requests = Some(requests);
        self.tasks
            .spawn(runs::perform(runs.clone(), asked, self.control.clone()));
        if self.is_earlier() {
            self.ship_to_earlier(runs);
            return Ok(());
        }
        let (words, waiting) = mpsc::channel(shipper::MAX_WORDS);
        self.words = Some(words);
        let (reported, status) = (runs.clone(), self.status.clone());
        self.tasks.spawn(async move {
            shipper::report(reported, status).await;
            Ok(())
        });
        let (runs, output) = (runs.clone(), self.output.clone());
        self.tasks.spawn(async move {
            shipper::ship(runs, registered.resume, waiting, output).await;
            Ok(())
        });
        Ok(())
    }

    /// Tells an earlier dashboard what runs print, as far as it can be told.
    fn ship_to_earlier(&mut self, runs: &Arc<Runs>) {
        let uplink = self.uplink;
        let Some(sent) = uplink.sent.as_ref().filter(|_| !uplink.once) else {
            return;
        };
        let way = Way {
            runs: Arc::clone(runs),
            sent: Arc::clone(sent),
            sample: uplink.sample.clone(),
            pongs: self.pongs.subscribe(),
            output: self.output.clone(),
        };
        self.tasks.spawn(async move {
            shipper::v2::ship(way).await;
            Ok(())
        });
    }
}
