//! Where alerts are told: one module for each kind, and what they share.

pub mod email;
pub mod http;
pub mod matrix;
pub mod ntfy;
pub mod slack;
#[cfg(test)]
mod tests;
pub mod webhook;

use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use anyhow::Context as _;
use hyper::http::Uri;
use hyper::http::request::Builder;
use tokio::time::timeout;

use self::email::Mail;
use self::http::{Answer, Http};
use super::message::Message;
use super::retry::Outcome;
use super::settings::channel::{ChannelSettings, Kind, Place, address};
use crate::base::clock::Millis;
use crate::base::secret::Secret;

/// What receivers tell deliveries apart by: the same on every try.
pub const DELIVERY_HEADER: &str = "x-nixfleet-delivery";

/// How long a connection may take to end in order when its receiver has spoken.
const LEAVE: Duration = Duration::from_secs(1);

/// The end of a connection, in order.
type Leave = Pin<Box<dyn Future<Output = ()> + Send>>;
/// What one try came to, and what is left of its connection.
type Tried = (Outcome, Option<Leave>);

/// A channel with its secrets. `Debug` shows none of them.
pub struct Channel {
    /// What is configured.
    pub settings: ChannelSettings,
    way: Way,
}

/// How it is spoken to.
enum Way {
    Http {
        http: Http,
        /// May hold a secret.
        url: Uri,
        secret: Option<Secret>,
    },
    Mail(Box<Mail>),
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Channel")
            .field("name", &self.settings.name)
            .field("kind", &self.settings.kind)
            .finish_non_exhaustive()
    }
}

impl Channel {
    /// Reads the channel's secrets and certificates.
    ///
    /// # Errors
    /// A file cannot be read; the text names channel, key and file.
    pub fn open(settings: ChannelSettings, deadline: Duration) -> anyhow::Result<Self> {
        let about = |key: &str| format!("channel `{}`: {key}", settings.name);
        let secret = settings
            .secret_file
            .as_deref()
            .map(Secret::read)
            .transpose();
        let secret = secret.with_context(|| about("secret_file"))?;
        let authorities = settings.ca_file.as_deref().map(read_pem).transpose();
        let authorities = authorities.with_context(|| about("ca_file"))?;
        let way = match &settings.place {
            Place::Mail(mail) => {
                let mail = Mail::new(mail, secret, authorities.as_deref(), deadline);
                Way::Mail(Box::new(mail.with_context(|| about("server"))?))
            }
            Place::Url(url) => Way::Http {
                http: Http::new(authorities.as_deref()).with_context(|| about("ca_file"))?,
                url: url.clone(),
                secret,
            },
            Place::UrlFile(path) => {
                let text = Secret::read(path).with_context(|| about("url_file"))?;
                let url = address(settings.kind, text.expose());
                Way::Http {
                    http: Http::new(authorities.as_deref()).with_context(|| about("ca_file"))?,
                    url: url.map_err(|why| {
                        anyhow::anyhow!("{} {}: {why}", about("url_file"), path.display())
                    })?,
                    secret,
                }
            }
        };
        Ok(Self { settings, way })
    }

    /// Tries once to tell `message`. What the receiver has said by `deadline` counts, however long its connection takes to end.
    pub async fn tell(
        &self,
        message: &Message,
        delivery: &str,
        now: Millis,
        deadline: Duration,
    ) -> Outcome {
        let trying = timeout(deadline, self.attempt(message, delivery, now));
        let Ok((outcome, leave)) = trying.await else {
            return Outcome::retry(format!("no answer within {deadline:?}"));
        };
        if let Some(leave) = leave {
            let _ = timeout(LEAVE, leave).await;
        }
        outcome
    }

    async fn attempt(&self, message: &Message, delivery: &str, now: Millis) -> Tried {
        let (http, url, secret) = match &self.way {
            Way::Mail(mail) => return mail.send(message, delivery).await,
            Way::Http { http, url, secret } => (http, url, secret.as_ref()),
        };
        let request = match self.settings.kind {
            Kind::Webhook => {
                let templates = &self.settings.templates;
                webhook::request(url, secret, templates, message, delivery, now)
            }
            Kind::Ntfy => ntfy::request(url, secret, message, delivery),
            Kind::Slack => slack::request(url, &slack::slack(message), delivery),
            Kind::Discord => slack::request(url, &slack::discord(message), delivery),
            Kind::Matrix => {
                let room = self.settings.room.as_deref().unwrap_or_default();
                matrix::request(url, room, secret, message, delivery)
            }
            Kind::Email => Err(String::from("it has no address")),
        };
        match request {
            Ok(request) => match http.send(request).await {
                Ok((answer, leave)) => (outcome(&answer), Some(leave)),
                Err(why) => (Outcome::retry(why), None),
            },
            Err(why) => (Outcome::refused(why), None),
        }
    }
}

fn read_pem(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| {
        format!(
            "cannot read {}; check the path and its permissions",
            path.display()
        )
    })
}

/// A request with what all of them have.
fn begin(method: &str, url: &Uri, delivery: &str) -> Builder {
    Builder::new()
        .method(method)
        .uri(url.clone())
        .header(DELIVERY_HEADER, delivery)
        .header(
            "user-agent",
            concat!("nixfleet/", env!("CARGO_PKG_VERSION")),
        )
}

/// What the status of an answer means. A redirect is not followed: the secret is for the one who was named.
fn outcome(answer: &Answer) -> Outcome {
    match answer.status {
        200..=299 => Outcome::Sent,
        300..=399 => Outcome::refused(format!(
            "it answered {}, and redirects are not followed; write the address that it redirects to",
            answer.status
        )),
        408 | 425 | 429 | 500.. => Outcome::Retry {
            why: format!("it answered {}", answer.status),
            after: answer.retry_after,
        },
        401 | 403 => Outcome::refused(format!(
            "it answered {}; check the channel's secret",
            answer.status
        )),
        status => Outcome::refused(format!("it answered {status}")),
    }
}
