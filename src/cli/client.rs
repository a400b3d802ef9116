//! Requests to the dashboard, each with a deadline.

use std::io::Read;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::{Response, StatusCode};
use ureq::tls::{PemItem, RootCerts, TlsConfig};
use ureq::typestate::{WithBody, WithoutBody};
use ureq::{Agent, Body, RequestBuilder};

use super::args::Args;
use super::text;
use crate::base::secret::Secret;
use crate::wire::api::{ApiError, ErrorBody};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the first byte of an answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// The longest silence in an answer. The dashboard says something every 15 s in a stream.
const SILENCE: Duration = Duration::from_secs(45);
/// The largest answer that is no stream, in bytes.
const MAX_ANSWER: u64 = 64 << 20;

/// Why the dashboard did not do it.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No answer came.
    #[error(
        "cannot reach the dashboard at {url}: {why}; is it running, and is --url (or NIXFLEET_URL) right?"
    )]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What happened.
        why: String,
    },
    /// It said no.
    #[error("{} ({})", error.message, error.hint)]
    Refused {
        /// The status.
        status: StatusCode,
        /// Why, and what to do.
        error: ApiError,
    },
    /// Something else answered.
    #[error("{url} does not answer like a dashboard: {why}; check --url (or NIXFLEET_URL)")]
    Strange {
        /// Where.
        url: String,
        /// What is strange.
        why: String,
    },
}

/// A dashboard, and the right to talk to it.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    base: String,
    token: Option<Secret>,
}

impl Client {
    /// Reads the token; connects to nothing yet.
    ///
    /// # Errors
    /// The address is none, or a file cannot be read.
    pub fn new(args: &Args) -> anyhow::Result<Self> {
        let base = args.url.trim_end_matches('/').to_owned();
        anyhow::ensure!(
            base.starts_with("http://") || base.starts_with("https://"),
            "--url `{}`: write it such as https://fleet.example.org",
            text::plain(&base)
        );
        let token = args.token_file.as_deref().map(Secret::read).transpose()?;
        let mut tls = TlsConfig::builder();
        if let Some(path) = &args.ca_file {
            let pem =
                std::fs::read(path).with_context(|| format!("--ca-file {}", path.display()))?;
            let certificates: Vec<_> = ureq::tls::parse_pem(&pem)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                })
                .collect();
            anyhow::ensure!(
                !certificates.is_empty(),
                "--ca-file {}: no certificate in it; it must be PEM",
                path.display()
            );
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates));
        }
        Ok(Self::with(base, token, tls.build()))
    }

    /// For a dashboard whose address and token are at hand.
    pub fn connect(base: &str, token: Secret) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self::with(base, Some(token), TlsConfig::builder().build())
    }

    fn with(base: String, token: Option<Secret>, tls: TlsConfig) -> Self {
        let agent = Agent::config_builder()
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_per_read(Some(SILENCE))
            .http_status_as_error(false)
            // The token goes to the dashboard that was named and to nobody else.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("nixfleet/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build()
            .new_agent();
        Self { agent, base, token }
    }

    /// Where the dashboard is.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Asks for a JSON document.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let request = self.agent.get(format!("{}{path}", self.base));
        self.json(self.ask(request)?)
    }

    /// Sends a JSON document and reads the answer.
    pub fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.send(self.agent.post(format!("{}{path}", self.base)), body)
    }

    /// Replaces something by a JSON document and reads the answer.
    pub fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.send(self.agent.put(format!("{}{path}", self.base)), body)
    }

    fn send<T: DeserializeOwned>(
        &self,
        request: RequestBuilder<WithBody>,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| self.strange(error.to_string()))?;
        let request = self
            .authorized(request)
            .header("content-type", "application/json");
        let answer = request
            .send(&body[..])
            .map_err(|error| self.unreachable(&error))?;
        self.json(self.checked(answer)?)
    }

    /// Takes something away.
    pub fn delete(&self, path: &str) -> Result<(), ClientError> {
        let request = self.agent.delete(format!("{}{path}", self.base));
        self.ask(request).map(|_| ())
    }

    /// The bytes of an answer, as they come.
    pub fn download(&self, path: &str) -> Result<impl Read + Send + use<>, ClientError> {
        let request = self.agent.get(format!("{}{path}", self.base));
        Ok(self.ask(request)?.into_body().into_reader())
    }

    /// Opens a stream of server-sent events after the event `after`.
    pub fn stream(
        &self,
        path: &str,
        after: Option<&str>,
    ) -> Result<impl Read + Send + use<>, ClientError> {
        let request = self.agent.get(format!("{}{path}", self.base));
        let mut request = request.header("accept", "text/event-stream");
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        Ok(self.ask(request)?.into_body().into_reader())
    }

    fn authorized<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {}", token.expose())),
            None => request,
        }
    }

    fn ask(&self, request: RequestBuilder<WithoutBody>) -> Result<Response<Body>, ClientError> {
        let answer = self
            .authorized(request)
            .call()
            .map_err(|error| self.unreachable(&error))?;
        self.checked(answer)
    }

    fn checked(&self, answer: Response<Body>) -> Result<Response<Body>, ClientError> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        if status.is_redirection() {
            let to = answer
                .headers()
                .get("location")
                .and_then(|to| to.to_str().ok())
                .unwrap_or("another place");
            return Err(self.strange(format!("it redirects to {to}")));
        }
        match serde_json::from_slice(&self.body(answer)?) {
            Ok(ErrorBody { error }) => Err(ClientError::Refused { status, error }),
            Err(_) => Err(self.strange(format!("HTTP status {status}"))),
        }
    }

    fn json<T: DeserializeOwned>(&self, answer: Response<Body>) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body(answer)?).map_err(|error| self.strange(error.to_string()))
    }

    fn body(&self, mut answer: Response<Body>) -> Result<Vec<u8>, ClientError> {
        let body = answer.body_mut().with_config().limit(MAX_ANSWER);
        body.read_to_vec().map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &ureq::Error) -> ClientError {
        ClientError::Unreachable {
            url: self.base.clone(),
            why: error.to_string(),
        }
    }

    fn strange(&self, why: String) -> ClientError {
        ClientError::Strange {
            url: self.base.clone(),
            why,
        }
    }
}
