//! Bringing to one channel what the queue has for it, one after the other, until each has arrived.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::message::Message;
use super::retry::{self, MAX_ASKED, Outcome, pause};
use super::settings::Pace;
use super::{Alerts, Told};
use crate::base::clock::{self, Millis};
use crate::dashboard::store::deliveries::{Delivery, End};
use crate::dashboard::store::{Store, StoreError};

/// How often the queue is looked at without a reason: a clock that was set must not hold anything back for longer.
const LOOK: Duration = Duration::from_secs(60);
/// The pause when the store does not answer.
const STORE: Duration = Duration::from_secs(2);
/// How long a try may go on after the signal to stop: what a receiver has taken should be known to be taken.
const GRACE: Duration = Duration::from_secs(3);

/// What is to be done with the delivery whose turn it is.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// Nothing for so long.
    Wait(Duration),
    /// Try it.
    Try,
}

/// When that delivery may be tried. A clock that was set back does not hold it for longer than any pause can be.
fn turn(delivery: &Delivery, now: Millis) -> Turn {
    let longest = MAX_ASKED.as_millis() as Millis;
    let quiet = if delivery.is_quiet {
        delivery.not_before.saturating_sub(now)
    } else {
        0
    };
    let paused = match delivery.next_at.saturating_sub(now) {
        paused if delivery.attempts > 0 && paused > longest => 0,
        paused if delivery.attempts > 0 => paused,
        _ => 0,
    };
    match quiet.max(paused) {
        0 => Turn::Try,
        left => Turn::Wait(Duration::from_millis(left)),
    }
}

/// The task of one channel.
pub(super) async fn run(alerts: Alerts, place: usize, store: Store, stop: CancellationToken) {
    let Some(told) = alerts.channels.get(place) else {
        return;
    };
    while !stop.is_cancelled() {
        let rest = tokio::select! {
            rest = step(&alerts.pace, told, &store) => rest,
            () = async {
                stop.cancelled().await;
                tokio::time::sleep(GRACE).await;
            } => return,
        };
        let wait = match rest {
            Ok(None) => continue,
            Ok(Some(wait)) => wait.min(LOOK),
            Err(error) => {
                tracing::error!("alerts cannot be told, and will be tried again: {error}");
                STORE
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = told.wake.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Tries what is due. Answers how long nothing is; none when there may be more at once.
async fn step(pace: &Pace, told: &Told, store: &Store) -> Result<Option<Duration>, StoreError> {
    let name = &told.channel.settings.name;
    let now = clock::now();
    let Some(delivery) = store.next_delivery(name, now).await? else {
        return Ok(Some(LOOK));
    };
    if let Turn::Wait(left) = turn(&delivery, now) {
        return Ok(Some(left));
    }
    let outcome = attempt(pace, told, &delivery).await;
    let now = clock::now();
    let (id, failures) = (delivery.id, delivery.attempts.saturating_add(1));
    match outcome {
        Outcome::Sent => {
            // What has arrived must not be told again: this goes on until the store has it.
            while let Err(error) = store.end_delivery(id, End::Sent, now).await {
                tracing::error!(channel = %name, "that an alert was told is not stored, and will be tried again: {error}");
                tokio::time::sleep(STORE).await;
            }
        }
        Outcome::Refused { why } => {
            tracing::warn!(channel = %name, "an alert cannot be told: {why}");
            store.end_delivery(id, End::Failed(&why), now).await?;
        }
        Outcome::Retry { why, .. } if retry::is_too_old(pace, delivery.not_before, now) => {
            tracing::warn!(channel = %name, "an alert is given up after {failures} tries: {why}");
            let why = format!("given up after {failures} tries: {why}");
            store.end_delivery(id, End::Failed(&why), now).await?;
        }
        Outcome::Retry { why, after } => {
            let pause = pause(pace, failures, after);
            tracing::warn!(channel = %name, "an alert is not told yet, next try in {pause:?}: {why}");
            let next_at = now.saturating_add(pause.as_millis() as Millis);
            store.put_off_delivery(id, next_at, &why).await?;
        }
    }
    Ok(None)
}

async fn attempt(pace: &Pace, told: &Told, delivery: &Delivery) -> Outcome {
    let message: Message = match serde_json::from_str(&delivery.message) {
        Ok(message) => message,
        Err(error) => return Outcome::refused(format!("its text cannot be read: {error}")),
    };
    let id = &delivery.delivery;
    told.channel
        .tell(&message, id, clock::now(), pace.deadline)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_comes_after_quiet_hours_and_after_a_pause_and_no_clock_holds_it_for_ever() {
        let delivery = |is_quiet, not_before, attempts, next_at| Delivery {
            id: 1,
            delivery: String::new(),
            message: String::new(),
            not_before,
            is_quiet,
            attempts,
            next_at,
        };
        let wait = |ms| Turn::Wait(Duration::from_millis(ms));
        assert_eq!(turn(&delivery(false, 5, 0, 5), 5), Turn::Try);
        assert_eq!(turn(&delivery(true, 9, 0, 9), 5), wait(4));
        assert_eq!(turn(&delivery(false, 5, 1, 25), 5), wait(20));
        assert_eq!(turn(&delivery(true, 5, 1, 25), 25), Turn::Try);
        assert_eq!(turn(&delivery(false, 5, 1, 9_000_000), 5), Turn::Try);
        // Made before the clock was set back.
        assert_eq!(
            turn(&delivery(false, 9_000_000, 0, 9_000_000), 5),
            Turn::Try
        );
    }
}
