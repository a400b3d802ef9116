//! A channel as it is written: where alerts are told, and how.

use std::path::PathBuf;

use hyper::http::Uri;
use lettre::message::Mailbox;
use serde::Deserialize;

use super::written::name;
use crate::dashboard::alerts::quiet::Quiet;
use crate::dashboard::alerts::template::Templates;

/// The most receivers of an e-mail.
const MAX_RECEIVERS: usize = 50;

/// How a channel is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// JSON to any HTTP server.
    Webhook,
    /// ntfy, the one of everybody or one's own.
    Ntfy,
    /// Slack's incoming webhooks, and what takes the same: Mattermost, Rocket.Chat, Discord's `/slack`.
    Slack,
    /// Discord's webhooks.
    Discord,
    /// A Matrix room.
    Matrix,
    /// E-mail.
    Email,
}

impl Kind {
    /// Its name, as in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Ntfy => "ntfy",
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Matrix => "matrix",
            Self::Email => "email",
        }
    }
}

/// Whether mail is encrypted on its way to the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// After a plain beginning, and not without; the usual port is 587.
    #[default]
    Starttls,
    /// From the first byte; the usual port is 465.
    Tls,
    /// Not at all: for a server on this machine; the usual port is 25.
    None,
}

/// How mail goes out.
#[derive(Debug, Clone, PartialEq)]
pub struct MailSettings {
    /// The server's name.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// Whether it is encrypted.
    pub encryption: Encryption,
    /// Who sends it.
    pub from: Mailbox,
    /// Who gets it.
    pub to: Vec<Mailbox>,
    /// Who logs in; the password is in the secret file.
    pub username: Option<String>,
}

/// Where messages go.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// An address that is no secret.
    Url(Uri),
    /// A file with an address that is one.
    UrlFile(PathBuf),
    /// A mail server.
    Mail(Box<MailSettings>),
}

/// A channel. Holds no secret: only where each is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "WrittenChannel")]
pub struct ChannelSettings {
    /// Its name; rules name it.
    pub name: String,
    /// How it is spoken to.
    pub kind: Kind,
    /// Where it is.
    pub place: Place,
    /// Key of the signature, token or password.
    pub secret_file: Option<PathBuf>,
    /// Certificates that are trusted instead of the public ones, PEM.
    pub ca_file: Option<PathBuf>,
    /// Matrix: the room's id.
    pub room: Option<String>,
    /// What is written.
    pub templates: Templates,
    /// When only what is critical is told here.
    pub quiet: Option<Quiet>,
}

/// `[[channel]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenChannel {
    name: String,
    kind: Kind,
    url: Option<String>,
    url_file: Option<PathBuf>,
    secret_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    room: Option<String>,
    title: Option<String>,
    text: Option<String>,
    body: Option<String>,
    content_type: Option<String>,
    quiet: Option<Quiet>,
    server: Option<String>,
    encryption: Option<Encryption>,
    from: Option<String>,
    to: Option<Vec<String>>,
    username: Option<String>,
}

impl TryFrom<WrittenChannel> for ChannelSettings {
    type Error = String;

    fn try_from(written: WrittenChannel) -> Result<Self, String> {
        let name = name("channel", &written.name)?;
        let about = |why: String| format!("channel `{name}`: {why}");
        written.refuse_foreign().map_err(about)?;
        let place = written.place().map_err(about)?;
        let templates = Templates::check(
            written.title,
            written.text,
            written.body,
            written.content_type,
        )
        .map_err(about)?;
        if written.kind == Kind::Matrix {
            let room = written.room.as_deref().unwrap_or_default();
            if !(room.starts_with('!') && room.len() <= 255) {
                return Err(about(format!(
                    "room: `{}` is no room's id; write it such as \"!abcdef:example.org\" (the room's settings show it)",
                    room.escape_default()
                )));
            }
            if written.secret_file.is_none() {
                return Err(about(String::from(
                    "secret_file: write the file with the access token of the account that writes",
                )));
            }
        }
        Ok(Self {
            kind: written.kind,
            place,
            secret_file: written.secret_file,
            ca_file: written.ca_file,
            room: written.room,
            templates,
            quiet: written.quiet,
            name,
        })
    }
}

impl WrittenChannel {
    fn refuse_foreign(&self) -> Result<(), String> {
        let is_mail = self.kind == Kind::Email;
        let foreign = [
            (
                "url",
                self.url.is_some() && is_mail,
                "every kind but email, which has server",
            ),
            (
                "url_file",
                self.url_file.is_some() && is_mail,
                "every kind but email, which has server",
            ),
            (
                "server",
                self.server.is_some() && !is_mail,
                "kind = \"email\"",
            ),
            (
                "encryption",
                self.encryption.is_some() && !is_mail,
                "kind = \"email\"",
            ),
            ("from", self.from.is_some() && !is_mail, "kind = \"email\""),
            ("to", self.to.is_some() && !is_mail, "kind = \"email\""),
            (
                "username",
                self.username.is_some() && !is_mail,
                "kind = \"email\"",
            ),
            (
                "room",
                self.room.is_some() && self.kind != Kind::Matrix,
                "kind = \"matrix\"",
            ),
            (
                "body",
                self.body.is_some() && self.kind != Kind::Webhook,
                "kind = \"webhook\"",
            ),
            (
                "content_type",
                self.content_type.is_some() && self.body.is_none(),
                "a `body`",
            ),
            (
                "secret_file",
                self.secret_file.is_some() && matches!(self.kind, Kind::Slack | Kind::Discord),
                "other kinds: here the address is the secret, write url_file",
            ),
        ];
        match foreign.into_iter().find(|(_, wrong, _)| *wrong) {
            Some((key, _, whose)) => Err(format!("{key}: it belongs to {whose}; leave it out")),
            None => Ok(()),
        }
    }

    fn place(&self) -> Result<Place, String> {
        if self.kind == Kind::Email {
            return Ok(Place::Mail(Box::new(self.mail()?)));
        }
        match (&self.url, &self.url_file) {
            (Some(url), None) => {
                let url = address(self.kind, url).map_err(|why| format!("url: {why}"))?;
                Ok(Place::Url(url))
            }
            (None, Some(file)) => Ok(Place::UrlFile(file.clone())),
            (None, None) => Err(String::from(
                "url: write the address, or url_file for a file with it where the address is a secret",
            )),
            (Some(_), Some(_)) => Err(String::from("url, url_file: write one of them")),
        }
    }

    fn mail(&self) -> Result<MailSettings, String> {
        let server = self.server.as_deref().unwrap_or_default();
        let encryption = self.encryption.unwrap_or_default();
        let usual = match encryption {
            Encryption::Starttls => 587,
            Encryption::Tls => 465,
            Encryption::None => 25,
        };
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()),
            None => (server, Some(usual)),
        };
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._:[]".contains(letter);
        let (Some(port), false, true) = (port, host.is_empty(), host.chars().all(plain)) else {
            return Err(format!(
                "server: `{}` is no mail server; write it such as \"mail.example.org\" or \"mail.example.org:587\"",
                server.escape_default()
            ));
        };
        let mailbox = |key: &str, text: &str| -> Result<Mailbox, String> {
            text.parse().map_err(|_| {
                format!(
                    "{key}: `{}` is no mail address; write it such as \"ann@example.org\" or \"Ann <ann@example.org>\"",
                    text.escape_default()
                )
            })
        };
        let to = self.to.as_deref().unwrap_or_default();
        if to.is_empty() || to.len() > MAX_RECEIVERS {
            return Err(format!(
                "to: write who gets it, 1 to {MAX_RECEIVERS} addresses: to = [\"ann@example.org\"]"
            ));
        }
        if self.username.is_some() != self.secret_file.is_some() {
            return Err(String::from(
                "username, secret_file: write both or none; the file has the password",
            ));
        }
        if self.username.is_some() && encryption == Encryption::None {
            return Err(String::from(
                "encryption: a password is not sent without; write \"starttls\" or \"tls\"",
            ));
        }
        Ok(MailSettings {
            server: host.to_owned(),
            port,
            encryption,
            from: mailbox("from", self.from.as_deref().unwrap_or_default())?,
            to: to
                .iter()
                .map(|text| mailbox("to", text))
                .collect::<Result<_, _>>()?,
            username: self.username.clone(),
        })
    }
}

/// Reads an address that a channel of that kind can use. An error never quotes it: it may be a secret.
pub fn address(kind: Kind, text: &str) -> Result<Uri, String> {
    let uri: Uri = text.trim().parse().map_err(|_| {
        String::from("this is no address; write it such as https://example.org/path")
    })?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let authority = uri.authority().map(hyper::http::uri::Authority::as_str);
    if !is_http || uri.host().is_none_or(str::is_empty) {
        return Err(String::from(
            "write an address that begins with https:// or http://",
        ));
    }
    if authority.is_some_and(|authority| authority.contains('@')) {
        return Err(String::from(
            "leave out the name and password before `@`; a secret is written into a file",
        ));
    }
    if kind == Kind::Ntfy && topic(&uri).is_none() {
        return Err(String::from(
            "write the topic behind the server: https://ntfy.sh/my-topic",
        ));
    }
    Ok(uri)
}

/// The last part of an ntfy address.
pub fn topic(uri: &Uri) -> Option<&str> {
    let topic = uri.path().trim_end_matches('/').rsplit('/').next()?;
    (!topic.is_empty()).then_some(topic)
}
