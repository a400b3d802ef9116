//! E-mail. The message's id is the delivery's, so that programs that sort mail can tell a copy.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context as _;
use lettre::Address;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, Tls, TlsParameters,
};
use lettre::transport::smtp::commands;
use lettre::transport::smtp::extension::{ClientId, MailBodyParameter, MailParameter};

use super::Tried;
use crate::base::clock::{Millis, parse_rfc3339};
use crate::base::secret::Secret;
use crate::dashboard::alerts::message::Message;
use crate::dashboard::alerts::retry::Outcome;
use crate::dashboard::alerts::settings::channel::{Encryption, MailSettings};

/// A mail server that is ready to be spoken to.
pub(super) struct Mail {
    server: String,
    port: u16,
    tls: Tls,
    credentials: Option<Credentials>,
    deadline: Duration,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mail {
    pub(super) fn new(
        settings: &MailSettings,
        password: Option<Secret>,
        authorities: Option<&[u8]>,
        deadline: Duration,
    ) -> anyhow::Result<Self> {
        let tls = || -> anyhow::Result<TlsParameters> {
            let mut builder = TlsParameters::builder(settings.server.clone());
            builder = match authorities {
                None => builder.certificate_store(CertificateStore::WebpkiRoots),
                Some(pem) => {
                    let certificate = Certificate::from_pem(pem).context("ca_file")?;
                    builder
                        .certificate_store(CertificateStore::None)
                        .add_root_certificate(certificate)
                }
            };
            builder.build_rustls().context("preparing TLS")
        };
        let tls = match settings.encryption {
            Encryption::Starttls => Tls::Required(tls()?),
            Encryption::Tls => Tls::Wrapper(tls()?),
            Encryption::None => Tls::None,
        };
        let login = settings.username.as_ref().zip(password);
        let credentials =
            login.map(|(name, own)| Credentials::new(name.clone(), own.expose().to_owned()));
        Ok(Self {
            server: settings.server.clone(),
            port: settings.port,
            tls,
            credentials,
            deadline,
            from: settings.from.clone(),
            to: settings.to.clone(),
        })
    }

    pub(super) async fn send(&self, message: &Message, delivery: &str) -> Tried {
        let mail = match letter(&self.from, &self.to, message, delivery) {
            Ok(mail) => mail,
            Err(error) => {
                let why = format!("the mail cannot be written: {error}");
                return (Outcome::refused(why), None);
            }
        };
        match self.hand_over(&mail).await {
            // Its server has it. A good-bye that is not answered must not have it sent again.
            Ok(mut connection) => (
                Outcome::Sent,
                Some(Box::pin(async move { connection.abort().await })),
            ),
            Err(error) => (failure(&error), None),
        }
    }

    /// The library's own transport says good-bye before it answers, and waits for as long as the server likes.
    async fn hand_over(&self, mail: &lettre::Message) -> Result<AsyncSmtpConnection, Error> {
        let name = ClientId::default();
        let wrapper = match &self.tls {
            Tls::Wrapper(tls) => Some(tls.clone()),
            _ => None,
        };
        let server = (self.server.as_str(), self.port);
        let deadline = Some(self.deadline);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, deadline, &name, wrapper, None).await?;
        if let Tls::Required(tls) = &self.tls {
            connection.starttls(tls.clone(), &name).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        let (envelope, text) = (mail.envelope(), mail.formatted());
        let mut parameters = Vec::new();
        let mut addresses = envelope.to().iter().chain(envelope.from());
        if addresses.any(|address| !address.to_string().is_ascii()) {
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !text.is_ascii() {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let from = commands::Mail::new(envelope.from().cloned(), parameters);
        connection.command(from).await?;
        receivers(&mut connection, envelope.to()).await?;
        connection.command(commands::Data).await?;
        connection.message(&text).await?;
        Ok(connection)
    }
}

/// Names the receivers. One that the server does not take must not cost the others the mail: it is an error only when it takes
/// none.
async fn receivers(connection: &mut AsyncSmtpConnection, all: &[Address]) -> Result<(), Error> {
    let (mut taken, mut refused) = (0, Vec::new());
    for receiver in all {
        let named = commands::Rcpt::new(receiver.clone(), Vec::new());
        match connection.command(named).await {
            Ok(_) => taken += 1,
            Err(error) if error.status().is_some() => refused.push((receiver, error)),
            Err(error) => return Err(error),
        }
    }
    if taken > 0 {
        for (receiver, error) in &refused {
            let code = error
                .status()
                .map_or_else(String::new, |code| code.to_string());
            tracing::warn!(
                "the mail server does not take {receiver} ({code}); the others get the mail"
            );
        }
        return Ok(());
    }
    // One that may be taken later is worth another try.
    let later = refused.iter().position(|(_, error)| !error.is_permanent());
    match later.or((!refused.is_empty()).then_some(0)) {
        Some(at) => Err(refused.swap_remove(at).1),
        None => Ok(()),
    }
}

/// What went wrong, as far as it may be told: never what the server was told.
fn failure(error: &Error) -> Outcome {
    let status = error.status().map(|code| code.to_string());
    match status {
        Some(code) if error.is_permanent() => {
            Outcome::refused(format!("the mail server answered {code}"))
        }
        Some(code) => Outcome::retry(format!("the mail server answered {code}")),
        None if error.is_timeout() => Outcome::retry("the mail server did not answer in time"),
        None if error.is_tls() => Outcome::retry("no TLS with the mail server"),
        None => Outcome::retry("the mail server cannot be reached"),
    }
}

/// The mail, the same on every try.
pub(super) fn letter(
    from: &Mailbox,
    to: &[Mailbox],
    message: &Message,
    delivery: &str,
) -> Result<lettre::Message, lettre::error::Error> {
    let notice = &message.notice;
    let domain = from.email.domain();
    let ended = parse_rfc3339(&notice.recovered_at);
    let at: Millis = ended
        .or_else(|| parse_rfc3339(&notice.started_at))
        .unwrap_or_default();
    let mut mail = lettre::Message::builder()
        .from(from.clone())
        .subject(message.title.clone())
        .date(UNIX_EPOCH + Duration::from_millis(at))
        .message_id(Some(format!("<{delivery}@{domain}>")));
    for receiver in to {
        mail = mail.to(receiver.clone());
    }
    // A beginning and its end are one conversation.
    mail = mail.references(format!("<alert-{}@{domain}>", notice.alert));
    let mut mail = mail.singlepart(
        SinglePart::builder()
            .header(ContentType::TEXT_PLAIN)
            .body(message.text.clone()),
    )?;
    let headers = [
        ("X-NixFleet-Delivery", delivery),
        ("Auto-Submitted", "auto-generated"),
    ];
    for (name, value) in headers {
        let name = HeaderName::new_from_ascii_str(name);
        mail.headers_mut()
            .insert_raw(HeaderValue::new(name, value.to_owned()));
    }
    Ok(mail)
}
