//! `WebFetch`: what stands at a URL, as text.
//!
//! Offered only to agents whose `allowed_tools` list it. It reaches no private address (this machine,
//! the local network, a cloud's metadata) unless a rule names that very host: what a page says must
//! not lead an agent there. No model reads the page in between, so `prompt` is only noted.

mod page;
mod reach;

use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{Response, Url};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::output::capped;
use super::{Context, Output, Tool, ToolError, ToolOutput, blocking, input};
use crate::http::{innermost, url};
use crate::media::{Media, media_type};

/// How long one call may take in all.
const LIMIT: Duration = Duration::from_secs(30);
/// The most bytes of an answer.
const BODY_MAX: usize = 10 * 1024 * 1024;
/// The most bytes of what a server says with an error.
const REFUSAL_MAX: usize = 2_000;
/// How many redirects within a host are followed.
const REDIRECTS: usize = 5;

/// The tool `WebFetch`.
#[derive(Default)]
pub struct WebFetch {
    hosts: Vec<String>,
}

impl WebFetch {
    /// Makes one that also reaches these hosts when their addresses are private.
    pub fn reaching(hosts: Vec<String>) -> Self {
        Self { hosts }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    url: String,
    prompt: Option<String>,
}

impl Tool for WebFetch {
    fn name(&self) -> &'static str {
        "WebFetch"
    }

    fn description(&self) -> &'static str {
        "Fetches a URL (GET) and answers the page as text, HTML as Markdown, at most 30,000 \
         characters; pictures and PDF are shown. `prompt` is noted beside it: read the page for it \
         yourself. A redirect to another host is answered with its URL."
    }

    fn input_schema(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "url": { "type": "string", "description": "http or https" },
                "prompt": { "type": "string", "description": "what you look for" },
            },
            "required": ["url"],
            "additionalProperties": false,
        })
    }

    fn read_only(&self) -> bool {
        true
    }

    fn summary(&self, input: &Value) -> String {
        input::text(input, "url")
    }

    fn call<'a>(&'a self, input: Value, context: &'a Context) -> BoxFuture<'a, ToolOutput> {
        Box::pin(async move {
            let input: Input = input::parse(self.name(), input)?;
            let fetched = timeout(LIMIT, self.fetch(&input, context));
            match context.cancel.run_until_cancelled(fetched).await {
                None => Err(ToolError::reply("cancelled before it was done")),
                Some(Ok(output)) => output,
                Some(Err(_)) => Err(ToolError::Reply(format!(
                    "`{}` was not there after {} s",
                    input.url,
                    LIMIT.as_secs()
                ))),
            }
        })
    }
}

impl WebFetch {
    async fn fetch(&self, input: &Input, context: &Context) -> ToolOutput {
        let first = url(&input.url).map_err(ToolError::Reply)?;
        let mut url = first.clone();
        for _ in 0..=REDIRECTS {
            let response = self.ask(&url).await?;
            let Some(next) = redirect(&url, &response) else {
                return answer(&url, response, input, context).await;
            };
            if next.host_str() != first.host_str() {
                return Ok(format!(
                    "[{url} redirects to another host: {next}\nFetch that, if it is what you want.]"
                )
                .into());
            }
            url = next;
        }
        Err(ToolError::Reply(format!("`{first}` redirects more than {REDIRECTS} times")))
    }

    async fn ask(&self, url: &Url) -> Result<Response, ToolError> {
        let client = reach::client(url, &self.hosts).await.map_err(ToolError::Reply)?;
        let accept = "text/markdown, text/html;q=0.9, text/*;q=0.8, */*;q=0.1";
        client.get(url.clone()).header(ACCEPT, accept).send().await.map_err(|error| {
            ToolError::Reply(format!("`{url}` cannot be reached: {}", innermost(&error)))
        })
    }
}

/// Returns where a redirect leads.
fn redirect(from: &Url, response: &Response) -> Option<Url> {
    if !response.status().is_redirection() {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    from.join(location).ok()
}

async fn answer(url: &Url, response: Response, input: &Input, context: &Context) -> ToolOutput {
    let status = response.status();
    let (kind, charset) = content_type(response.headers());
    if !status.is_success() {
        let (body, _) = body(response, REFUSAL_MAX).await.map_err(|why| failed(url, &why))?;
        let said = text(url, &kind, charset.as_deref(), body).await.unwrap_or_default();
        return Err(ToolError::Reply(format!("`{url}` answers {status}\n{said}")));
    }
    let (body, cut) = body(response, BODY_MAX).await.map_err(|why| failed(url, &why))?;
    if cut {
        return Err(ToolError::Reply(format!("`{url}` has more than {BODY_MAX} bytes")));
    }
    let noted = input.prompt.as_deref().map(|prompt| format!("[you look for: {prompt}]\n"));
    let noted = noted.unwrap_or_default();
    if let Some(media_type) = media_type(&body) {
        let media = Media { media_type, data: body.into() };
        let about = context.sees.admit(&media);
        let about = about.map_err(|why| ToolError::Reply(format!("`{url}` {why}")))?;
        return Ok(Output { text: format!("[{url}: {about}]\n{noted}"), media: vec![media] });
    }
    let page = text(url, &kind, charset.as_deref(), body).await?;
    Ok(format!("[{url}]\n{noted}\n{}", capped(page)).into())
}

fn failed(url: &Url, why: &str) -> ToolError {
    ToolError::Reply(format!("`{url}` broke off: {why}"))
}

/// Returns the media type and the character set of an answer.
fn content_type(headers: &HeaderMap) -> (String, Option<String>) {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut parts = value.unwrap_or_default().split(';').map(|part| part.trim().to_lowercase());
    let kind = parts.next().unwrap_or_default();
    let charset = parts.find_map(|part| {
        part.strip_prefix("charset=").map(|name| name.trim_matches('"').to_owned())
    });
    (kind, charset)
}

/// Reads an answer as far as `most` bytes, and tells whether there is more.
async fn body(mut response: Response, most: usize) -> Result<(Vec<u8>, bool), String> {
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| innermost(&error))? {
        let room = most - bytes.len();
        bytes.extend_from_slice(&piece[..piece.len().min(room)]);
        if piece.len() > room {
            return Ok((bytes, true));
        }
    }
    Ok((bytes, false))
}

/// Returns the text of an answer.
async fn text(
    url: &Url,
    kind: &str,
    charset: Option<&str>,
    body: Vec<u8>,
) -> Result<String, ToolError> {
    let textual = kind.starts_with("text/")
        || ["json", "xml", "javascript", "yaml", "toml", "x-sh"]
            .iter()
            .any(|word| kind.contains(word))
        || (kind.is_empty() && !body.contains(&0));
    if !textual {
        let size = body.len();
        return Err(ToolError::Reply(format!("`{url}` is {kind}, {size} bytes, and no text")));
    }
    let encoding = charset.and_then(|name| encoding_rs::Encoding::for_label(name.as_bytes()));
    let text = encoding.unwrap_or(encoding_rs::UTF_8).decode(&body).0.into_owned();
    if !kind.contains("html") {
        return Ok(text);
    }
    let base = url.clone();
    blocking::to_end(move || Ok(page::markdown(&text, &base))).await
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
