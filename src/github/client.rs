//! Asking, and asking again.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LINK, LOCATION};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response, Url, redirect};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::answer::{Answer, next_of};
use super::fault::Asked;
use super::limit::{Gate, PATIENCE, wait_of};
use crate::error::{Error, Result};
use crate::event::Events;
use crate::http;

/// The API that is asked when nothing else is said.
const PUBLIC: &str = "https://api.github.com";
/// How long to wait for the head of an answer, and then for each further piece.
const SILENCE: Duration = Duration::from_mins(1);
/// The most bytes of one answer.
const MOST: usize = 64 << 20;
/// Requests at once: more trip GitHub's secondary limits.
const AT_ONCE: usize = 4;
/// Pauses before what looks only is asked again.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5)];
/// The least that is waited for a limit, whatever GitHub says.
const LEAST_WAIT: Duration = Duration::from_secs(1);
/// Redirects in a row.
const REDIRECTS: usize = 3;

static PROXIED: LazyLock<Result<Client, String>> = LazyLock::new(|| client(|builder| builder));
static DIRECT: LazyLock<Result<Client, String>> = LazyLock::new(|| client(ClientBuilder::no_proxy));

fn client(proxies: impl Fn(ClientBuilder) -> ClientBuilder) -> Result<Client, String> {
    http::client(|builder| proxies(builder).redirect(redirect::Policy::none()))
}

/// A GitHub, and as whom it is asked.
pub struct Github {
    base: Url,
    token: Option<HeaderValue>,
    events: Events,
    gate: Gate,
    places: Semaphore,
}

/// Something to ask.
#[derive(Clone, Debug)]
pub struct Question {
    /// The method.
    pub method: Method,
    /// The path, such as `/repos/octo/hello/pulls`.
    pub path: String,
    /// What stands behind the path.
    pub query: Vec<(String, String)>,
    /// The body.
    pub body: Option<Value>,
    /// In which form the answer is wanted.
    pub accept: &'static str,
}

impl Question {
    /// Asks for something.
    pub fn get(path: impl Into<String>) -> Self {
        Self::of(Method::GET, path)
    }

    /// Makes a question without a body.
    pub fn of(method: Method, path: impl Into<String>) -> Self {
        let accept = "application/vnd.github+json";
        Self { method, path: path.into(), query: Vec::new(), body: None, accept }
    }

    /// Makes a question of a path that may have parameters behind it: `/repos/octo/hello/pulls?state=all`.
    pub fn at(method: Method, path: &str) -> Self {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self { query, ..Self::of(method, path) }
    }

    /// Sends something.
    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self { body: Some(body), ..Self::of(Method::POST, path) }
    }

    /// Adds a parameter, unless it is absent.
    #[must_use]
    pub fn with(mut self, name: &str, value: Option<impl Into<String>>) -> Self {
        self.query.extend(value.map(|value| (name.to_owned(), value.into())));
        self
    }

    /// Tells whether it changes nothing.
    pub fn looks(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }
}

/// What became of one attempt.
enum Tried {
    Answered(Answer),
    /// It may be asked again.
    Broken(Error),
    Limited(Duration),
    Moved(Url),
}

impl Github {
    /// Reads from the environment which GitHub is meant, and the token. Opens nothing.
    ///
    /// # Errors
    /// Usage, for a `GITHUB_API_URL` that is no address, or a token that no header can carry.
    pub fn new(variable: impl Fn(&str) -> Option<String>, events: Events) -> Result<Self> {
        let address = variable("GITHUB_API_URL").unwrap_or_else(|| PUBLIC.to_owned());
        let mut base = http::url(&address).map_err(|_| {
            let why = "GITHUB_API_URL is no address of a server";
            Error::usage(why).hint("GITHUB_API_URL=https://HOST/api/v3")
        })?;
        if !base.username().is_empty() || base.password().is_some() {
            let why = "GITHUB_API_URL has a user in it: the token belongs into GITHUB_TOKEN";
            return Err(Error::usage(why));
        }
        base.set_query(None);
        base.set_fragment(None);
        let token = ["GITHUB_TOKEN", "GH_TOKEN"].into_iter().find_map(|name| {
            variable(name).map(|token| token.trim().to_owned()).filter(|token| !token.is_empty())
        });
        let token = token.map(|token| HeaderValue::from_str(&format!("Bearer {token}")));
        let mut token = token
            .transpose()
            .map_err(|_| Error::usage("GITHUB_TOKEN holds characters that no header can carry"))?;
        if let Some(token) = &mut token {
            token.set_sensitive(true);
        }
        let (gate, places) = (Gate::default(), Semaphore::new(AT_ONCE));
        Ok(Self { base, token, events, gate, places })
    }

    /// Tells whether there is a token.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Returns the token as it is.
    fn secret(&self) -> Option<&str> {
        self.token.as_ref()?.to_str().ok()?.strip_prefix("Bearer ")
    }

    /// Returns the host of the repositories: `github.com`, or the Enterprise host.
    pub fn host(&self) -> &str {
        let host = self.base.host_str().unwrap_or_default();
        host.strip_prefix("api.").unwrap_or(host)
    }

    /// Asks, waits where GitHub says so, and asks again what may be.
    ///
    /// # Errors
    /// Io, with the detail `status` when GitHub refused; timeout, for a limit that is spent for longer
    /// than [`PATIENCE`].
    pub async fn ask(&self, question: &Question) -> Result<Answer> {
        let url = self.address(question);
        self.ask_at(question, url).await
    }

    /// Asks for another page of what was asked before.
    pub(super) async fn ask_at(&self, question: &Question, mut url: Url) -> Result<Answer> {
        let asked = self.asked(question);
        if !self.is_own(&url) {
            return Err(asked.astray(&authority(&url)));
        }
        let (mut pauses, mut redirects) = (PAUSES.iter(), REDIRECTS);
        let mut patience = PATIENCE;
        loop {
            let tried = {
                let _place = self.places.acquire().await;
                self.gate.pass().await;
                self.try_once(question, url.clone(), &asked).await?
            };
            match tried {
                Tried::Answered(answer) => return Ok(answer),
                Tried::Broken(error) => match pauses.next().filter(|_| question.looks()) {
                    Some(pause) => tokio::time::sleep(*pause).await,
                    None => return Err(error),
                },
                Tried::Limited(wait) => {
                    let wait = wait.max(LEAST_WAIT);
                    let Some(left) = patience.checked_sub(wait) else {
                        return Err(asked.limited(wait.as_secs()));
                    };
                    patience = left;
                    if self.gate.close(wait) {
                        let seconds = wait.as_secs();
                        self.events.warn(format!(
                            "GitHub's rate limit is spent: asking again in {seconds} s"
                        ));
                    }
                }
                Tried::Moved(to) if redirects > 0 && self.is_own(&to) => {
                    redirects -= 1;
                    url = to;
                }
                Tried::Moved(to) => return Err(asked.astray(&authority(&to))),
            }
        }
    }

    fn address(&self, question: &Question) -> Url {
        let mut url = self.base.clone();
        let path = format!(
            "{}/{}",
            url.path().trim_end_matches('/'),
            question.path.trim_start_matches('/')
        );
        url.set_path(&path);
        if !question.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&question.query);
        }
        url
    }

    fn asked(&self, question: &Question) -> Asked {
        Asked {
            what: format!("{} {}", question.method, question.path),
            path: question.path.clone(),
            host: authority(&self.base),
            has_token: self.has_token(),
            looks: question.looks(),
        }
    }

    /// Tells whether an address is of the API: the token goes nowhere else.
    fn is_own(&self, url: &Url) -> bool {
        let of = |url: &Url| {
            (
                url.scheme().to_owned(),
                url.host_str().map(str::to_owned),
                url.port_or_known_default(),
            )
        };
        of(url) == of(&self.base)
    }

    async fn try_once(&self, question: &Question, url: Url, asked: &Asked) -> Result<Tried> {
        let broken = |why: &str| Ok(Tried::Broken(asked.unreachable(why)));
        let response = match timeout(SILENCE, self.request(question, url.clone())?.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return broken(&http::innermost(&error.without_url())),
            Err(_) => return broken(&format!("no answer for {} s", SILENCE.as_secs())),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if status.is_redirection() {
            let to = header(LOCATION.as_str()).and_then(|to| url.join(to).ok());
            // 301 and 302 turn other methods into GET, which nobody means.
            let keeps = question.looks() || matches!(status.as_u16(), 307 | 308);
            return match to.filter(|_| keeps) {
                Some(to) => Ok(Tried::Moved(to)),
                None => Err(asked.unusable(&format!("a redirect ({})", status.as_u16()))),
            };
        }
        let body = match read(response).await {
            Ok(body) => body,
            Err(why) => return broken(&why),
        };
        if status.is_success() {
            let next = header(LINK.as_str()).and_then(|link| next_of(link, &url));
            let answer = Answer { body, next, asked: asked.clone() };
            // Cut off on the way, or a page of somebody in between.
            let is_json = question.accept.ends_with("json");
            return Ok(match answer.json() {
                Err(error) if is_json => Tried::Broken(error),
                _ => Tried::Answered(answer),
            });
        }
        let message = String::from_utf8_lossy(&body);
        if let Some(wait) = wait_of(status.as_u16(), header, &message, SystemTime::now()) {
            return Ok(Tried::Limited(wait));
        }
        let error = asked.refused(status.as_u16(), &body, self.secret());
        if status.is_server_error() { Ok(Tried::Broken(error)) } else { Err(error) }
    }

    fn request(&self, question: &Question, url: Url) -> Result<RequestBuilder> {
        let client = if http::is_local(&self.base) { &*DIRECT } else { &*PROXIED };
        let trouble = |why: &String| Error::internal(format!("cannot set up HTTP: {why}"));
        let mut request = client
            .as_ref()
            .map_err(trouble)?
            .request(question.method.clone(), url)
            .header(ACCEPT, question.accept)
            .header("x-github-api-version", "2022-11-28");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        if let Some(body) = &question.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        Ok(request)
    }
}

/// Returns the host of an address, with the port if that is not the usual one.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Reads a body; what went wrong is a clause.
async fn read(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        match timeout(SILENCE, response.chunk()).await {
            Ok(Ok(Some(bytes))) => body.extend_from_slice(&bytes),
            Ok(Ok(None)) => return Ok(body),
            Ok(Err(error)) => {
                return Err(format!(
                    "the answer was cut: {}",
                    http::innermost(&error.without_url())
                ));
            }
            Err(_) => return Err(format!("the answer fell silent for {} s", SILENCE.as_secs())),
        }
        if body.len() > MOST {
            return Err(format!("the answer has more than {} MiB", MOST >> 20));
        }
    }
}
