//! Asking over HTTP: JSON out, server-sent events in. An answer that is one message in
//! JSON, as servers give that cannot stream, passes as a stream of one event.
//!
//! All models of the process share two clients, built at the first question: one that honours the
//! system's proxies, and one without any for this machine's own servers (a proxy could not reach
//! them). No time limit is put on an answer as a whole, as a long one is no fault; silence is
//! limited instead. Redirects are not followed, so a key goes to no host but the one it was given
//! for. It knows neither wire formats nor when to ask again.

use std::error::Error as _;
use std::sync::LazyLock;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, ClientBuilder, Response, Url, redirect};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::bytes::Bytes;

use super::fault::{Advice, Origin};
use super::rate::RateLimits;
use super::sse::{Decoder, Event, TooLarge};
use super::{Failure, Heard, Usage};
use crate::error::{Error, Kind};
use crate::http;

/// How long to wait for the head of an answer; models think before they speak.
const HEADERS_LIMIT: Duration = Duration::from_mins(2);
/// How long an idle connection may be used again; stale ones stall.
const POOL_IDLE: Duration = Duration::from_secs(30);
/// How often a silent connection is probed.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// How long to wait for the end of a stream whose final event was seen.
const LINGER: Duration = Duration::from_millis(100);
/// The most bytes of one answer.
const MAX_ANSWER: usize = 256 * 1024 * 1024;
/// The most bytes of an error body that are read.
const MAX_ERROR_BODY: usize = 64 * 1024;
/// A piece of this size is progress even without a line end; a trickle of less is silence.
const PROGRESS: usize = 512;

static PROXIED: LazyLock<Result<Client, String>> = LazyLock::new(|| client(|builder| builder));
static DIRECT: LazyLock<Result<Client, String>> = LazyLock::new(|| client(ClientBuilder::no_proxy));

fn client(proxies: impl Fn(ClientBuilder) -> ClientBuilder) -> Result<Client, String> {
    http::client(|builder| {
        proxies(builder)
            .tcp_keepalive(KEEPALIVE)
            .pool_idle_timeout(POOL_IDLE)
            .http2_keep_alive_interval(KEEPALIVE)
            .redirect(redirect::Policy::none())
    })
}

/// Where and as whom to ask; cheap to share, opens nothing by itself.
#[derive(Clone, Debug)]
pub struct Endpoint {
    url: Url,
    headers: HeaderMap,
    origin: Origin,
    is_local: bool,
}

impl Endpoint {
    /// Checks `url` and the headers. Fails with a usage error that names the variable at fault.
    pub fn new(
        url: &str,
        headers: &[(&'static str, &str)],
        mut origin: Origin,
    ) -> Result<Self, Error> {
        let variable = origin.base_variable.clone();
        let url = Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| {
                Error::usage(format!("{variable} is no URL of a server"))
                    .hint(format!("{variable}=https://host[:port][/path]"))
            })?;
        let host = url.host_str().unwrap_or_default();
        let is_local = http::is_local(&url);
        origin.host = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let mut map = HeaderMap::new();
        map.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in headers {
            let mut value = HeaderValue::from_str(value).map_err(|_| {
                Error::usage(format!(
                    "{} holds characters that no header can carry",
                    origin.key_variable
                ))
            })?;
            value.set_sensitive(true);
            map.insert(HeaderName::from_static(name), value);
        }
        Ok(Self { url, headers: map, origin, is_local })
    }

    /// Returns what messages may say about this place.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Asks once and returns the events of the answer. `idle` is the longest silence between two
    /// lines; the head of the answer may take two minutes, or `idle` where that is longer.
    pub async fn post(&self, body: Vec<u8>, idle: Duration) -> Result<Events<'_>, Failure> {
        self.post_within(body, HEADERS_LIMIT.max(idle), idle).await
    }

    async fn post_within(
        &self,
        body: Vec<u8>,
        head: Duration,
        idle: Duration,
    ) -> Result<Events<'_>, Failure> {
        let client = if self.is_local { &*DIRECT } else { &*PROXIED };
        let client = client.as_ref().map_err(|reason| {
            Failure::fatal(Error::new(Kind::Model, format!("cannot set up HTTP: {reason}")))
        })?;
        let sent = client.post(self.url.clone()).headers(self.headers.clone()).body(body).send();
        let response = timeout(head, sent)
            .await
            .map_err(|_| {
                self.origin.unreachable("timeout", &format!("no answer for {} s", head.as_secs()))
            })?
            .map_err(|error| self.unsent(&error))?;
        let is_json = self.check_type(&response)?;
        let limits = RateLimits::from_headers(|name| response.headers().get(name)?.to_str().ok());
        if !response.status().is_success() {
            let mut failure = self.refusal(response, idle).await;
            failure.heard.limits = limits;
            return Err(failure);
        }
        let (decoder, received, origin) = (Decoder::default(), 0, &self.origin);
        let mut events =
            Events { response: Some(response), decoder, origin, idle, received, limits, is_json };
        if is_json {
            let whole =
                events.whole().await.map_err(|failure| events.failed(failure, Usage::default()))?;
            events.decoder.push(whole.as_bytes());
        }
        Ok(events)
    }

    /// Tells an answer in JSON (true) from a stream, and either from a web page.
    fn check_type(&self, response: &Response) -> Result<bool, Failure> {
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default();
        if response.status().is_success() && kind.starts_with("text/html") {
            return Err(self.origin.not_an_api("a web page"));
        }
        Ok(kind.starts_with("application/json"))
    }

    async fn refusal(&self, mut response: Response, idle: Duration) -> Failure {
        let status = response.status();
        if status.is_redirection() {
            return self.origin.not_an_api(&format!("a redirect ({})", status.as_u16()));
        }
        let advice = Advice::from_headers(|name| response.headers().get(name)?.to_str().ok());
        let mut body = Vec::new();
        // What was read before a cut or a silence still says more than nothing.
        while let Ok(Ok(Some(bytes))) = timeout(idle, response.chunk()).await {
            body.extend_from_slice(&bytes);
            if body.len() >= MAX_ERROR_BODY {
                break;
            }
        }
        self.origin.refusal(status.as_u16(), advice, &String::from_utf8_lossy(&body))
    }

    fn unsent(&self, error: &reqwest::Error) -> Failure {
        let reason = innermost(error);
        let mut failure = self.origin.unreachable("connection", &reason);
        let lower = reason.to_lowercase();
        // A name that does not exist and a certificate that is not trusted stay so.
        let no_such_host =
            error.is_dns() && !lower.contains("temporary") && !lower.contains("try again");
        if lower.contains("certificate") {
            failure.error = failure.error.hint("install ca-certificates, or set SSL_CERT_FILE");
            failure.retry = super::Retry::Never;
        } else if no_such_host {
            failure.retry = super::Retry::Never;
        }
        failure
    }
}

/// Returns what happened, without where.
fn innermost(error: &reqwest::Error) -> String {
    match error.source() {
        Some(_) => http::innermost(error),
        // Without a cause it would name the whole URL, and a URL may hold a password.
        None => "the request could not be made".to_owned(),
    }
}

/// An answer as it arrives.
#[derive(Debug)]
pub struct Events<'a> {
    /// Absent when the server has closed it.
    response: Option<Response>,
    decoder: Decoder,
    origin: &'a Origin,
    idle: Duration,
    received: usize,
    limits: RateLimits,
    /// The answer is one message in JSON instead of a stream, and passes as its only event.
    is_json: bool,
}

impl Events<'_> {
    /// Returns what the head of the answer said of the provider's limits.
    pub fn limits(&self) -> RateLimits {
        self.limits
    }

    /// Adds to a failure what was heard before it.
    pub fn failed(&self, mut failure: Failure, usage: Usage) -> Failure {
        *failure.heard = Heard { limits: self.limits, usage };
        failure
    }

    /// Makes the failure for an answer that is over, and was no whole message.
    pub fn unfinished(&self) -> Failure {
        if self.is_json {
            return self.origin.not_an_api("something else than a message of this API");
        }
        self.origin.broken_stream("ended before its final event")
    }

    /// Reads an answer in one piece, which may be an error, as events.
    async fn whole(&mut self) -> Result<String, Failure> {
        let mut body = Vec::new();
        while let Some(bytes) = self.piece(Instant::now() + self.idle).await? {
            body.extend_from_slice(&bytes);
        }
        self.response = None;
        let body = String::from_utf8_lossy(&body);
        match serde_json::from_str::<serde_json::Value>(&body) {
            Ok(value) if value.get("error").is_some_and(|error| !error.is_null()) => {
                Err(self.origin.error_event(&value))
            }
            // On one line, as an event is.
            Ok(value) => Ok(format!("data: {value}\n\n")),
            // A stream under the wrong label.
            Err(_) if body.trim_start().starts_with(['d', 'e', ':']) => Ok(body.into_owned()),
            Err(_) => Err(self.origin.broken_stream("is no whole JSON")),
        }
    }

    /// Reads the next bytes; `None` at an orderly end.
    async fn piece(&mut self, deadline: Instant) -> Result<Option<Bytes>, Failure> {
        let Some(response) = &mut self.response else { return Ok(None) };
        let bytes =
            timeout_at(deadline, response.chunk()).await.map_err(|_| self.silent())?.map_err(
                |error| self.origin.broken_stream(&format!("was cut: {}", innermost(&error))),
            )?;
        self.received += bytes.as_ref().map_or(0, Bytes::len);
        if self.received > MAX_ANSWER {
            return Err(self.large(TooLarge));
        }
        Ok(bytes)
    }

    /// Returns the next event, or `None` at an orderly end. A cut, a silence longer than the
    /// limit and an event that is too large are failures worth asking again.
    pub async fn next(&mut self) -> Result<Option<Event>, Failure> {
        let mut deadline = Instant::now() + self.idle;
        loop {
            if let Some(event) = self.decoder.next_event().map_err(|error| self.large(error))? {
                return Ok(Some(event));
            }
            if self.response.is_none() {
                return Ok(None);
            }
            let Some(bytes) = self.piece(deadline).await? else {
                self.response = None;
                let rest = std::mem::take(&mut self.decoder).finish();
                return rest.map_err(|error| self.large(error));
            };
            if bytes.len() >= PROGRESS || bytes.contains(&b'\n') {
                deadline = Instant::now() + self.idle;
            }
            self.decoder.push(&bytes);
        }
    }

    /// Sets the longest silence from here on, in place of the request's.
    pub fn limit_silence(&mut self, idle: Duration) {
        self.idle = self.idle.min(idle);
    }

    /// Ends the reading after the final event, so that the connection can be used again.
    pub async fn close(mut self) {
        let Some(mut response) = self.response.take() else { return };
        let rest = async { while let Ok(Some(_)) = response.chunk().await {} };
        // A server that holds the stream open loses its connection, that is all.
        let _ = timeout(LINGER, rest).await;
    }

    fn silent(&self) -> Failure {
        let seconds = self.idle.as_secs_f32();
        let mut failure = self.origin.broken_stream(&format!("fell silent for {seconds} s"));
        failure.error = failure.error.with("reason", "timeout".into());
        failure
    }

    fn large(&self, _: TooLarge) -> Failure {
        self.origin.broken_stream("is too large to be one")
    }
}
