//! The Messages API of Anthropic (<https://docs.claude.com/en/api/messages>), streaming.
//!
//! Only `model`, `max_tokens`, `system`, `tools` and `messages` are sent, as newer models reject
//! sampling settings. A reply is the array of content blocks in the order they came; `message_stop`
//! makes it whole. `body` writes the question, `draft` gathers the answer.

mod body;
mod draft;
#[cfg(test)]
mod tests;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use self::body::Body;
use self::draft::Draft;
use super::call_id::CallIds;
use super::fault::Origin;
use super::http::Endpoint;
use super::{Chunk, Failure, Model, Reply, Request};
use crate::error::Error;

/// The wire format of the replies: an array of content blocks.
pub const WIRE: &str = "anthropic";
/// Where the API lives when nothing else is said.
pub const DEFAULT_BASE: &str = "https://api.anthropic.com";
/// The variable that holds the key.
pub const KEY_VARIABLE: &str = "ANTHROPIC_API_KEY";
/// The variable that holds the host, without `/v1`.
pub const BASE_VARIABLE: &str = "ANTHROPIC_BASE_URL";

/// A model behind the Messages API.
#[derive(Clone, Debug)]
pub struct Anthropic {
    name: String,
    model: String,
    endpoint: Endpoint,
}

impl Anthropic {
    /// Makes the model `model` (without provider) of the server at `base`. Opens no connection;
    /// fails with a usage error when the URL or the key cannot be.
    pub fn new(model: &str, base: &str, key: Option<&str>) -> Result<Self, Error> {
        let name = format!("anthropic/{model}");
        let key = key.map(str::trim);
        let origin = Origin::new(&name, key, KEY_VARIABLE, BASE_VARIABLE);
        // People copy the base of the other API's clients, which ends in `/v1`.
        let base = base.trim_end_matches('/').trim_end_matches("/v1");
        let mut headers = vec![("anthropic-version", "2023-06-01")];
        headers.extend(key.map(|key| ("x-api-key", key)));
        let endpoint = Endpoint::new(&format!("{base}/v1/messages"), &headers, origin)?;
        Ok(Self { name, model: model.to_owned(), endpoint })
    }

    async fn answer(
        &self,
        request: &Request,
        chunks: &(dyn Fn(Chunk) + Send + Sync),
    ) -> Result<Reply, Failure> {
        let origin = self.endpoint.origin();
        let body = Body::new(&self.model, request).bytes();
        let mut events = self.endpoint.post(body, request.idle_timeout).await?;
        let mut draft = Draft::default();
        while let Some(event) = events.next().await? {
            let chunk = draft.take(&event.data).map_err(|trouble| origin.trouble(&trouble))?;
            chunk.into_iter().for_each(chunks);
            if draft.is_whole() {
                events.close().await;
                return Ok(draft.into_reply(&mut CallIds::of(request)));
            }
        }
        Err(origin.broken_stream("ended before its final event"))
    }
}

impl Model for Anthropic {
    fn name(&self) -> &str {
        &self.name
    }

    fn wire(&self) -> &'static str {
        WIRE
    }

    fn caches_prefixes(&self) -> bool {
        true
    }

    fn ask<'a>(
        &'a self,
        request: &'a Request,
        chunks: &'a (dyn Fn(Chunk) + Send + Sync),
    ) -> BoxFuture<'a, Result<Reply, Failure>> {
        self.answer(request, chunks).boxed()
    }
}
