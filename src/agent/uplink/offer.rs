//! Whether what the host offers is still what the dashboard was told.

use std::sync::Arc;
use std::time::Duration;

use crate::agent::launcher::Offer;
use crate::agent::runs::Runs;

/// How often is asked whether other commands are offered than before.
const OFFER: Duration = Duration::from_secs(60);
/// How often a helper is asked that did not answer.
const NO_OFFER: Duration = Duration::from_secs(5);

/// Ends the connection when other commands are offered than it was told: the next one tells them.
pub(super) async fn changed(runs: Arc<Runs>, told: Option<Offer>) -> Result<(), String> {
    let pause = if told.is_some() { OFFER } else { NO_OFFER };
    loop {
        tokio::time::sleep(pause).await;
        if let Ok(offer) = runs.offer().await
            && told.as_ref() != Some(&offer)
        {
            return Err("the commands of this host have changed: registering again".into());
        }
    }
}
