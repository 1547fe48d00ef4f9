//! The Messages API of Anthropic (<https://docs.claude.com/en/api/messages>), streaming.
//!
//! Only `model`, `max_tokens`, `system`, `tools` and `messages` are sent unless something else was
//! asked for: newer models reject sampling settings and think by themselves. A reply is the array of content blocks in the order they came; `message_stop`
//! makes it whole. `body` writes the question, `draft` gathers the answer.

mod body;
mod draft;
#[cfg(test)]
mod tests;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use self::body::Body;
use self::draft::Draft;
use super::address::Address;
use super::call_id::CallIds;
use super::capability::{self, Capabilities, Profile};
use super::fault::Origin;
use super::form::{Form, Lessons, Part};
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

/// What a gateway or an older model may refuse.
const PARTS: &[Part] =
    &[Part::Format, Part::Effort, Part::MustCall, Part::Thoughts, Part::Pictures];

/// A model behind the Messages API.
#[derive(Debug)]
pub struct Anthropic {
    name: String,
    model: String,
    endpoint: Endpoint,
    profile: Profile,
    lessons: Lessons,
}

impl Anthropic {
    /// Makes the model `model` (without provider) of the server at `base`, as [`Anthropic::at`] does.
    pub fn new(model: &str, base: &str, key: Option<&str>) -> Result<Self, Error> {
        let address = Address {
            name: format!("anthropic/{model}"),
            base: base.to_owned(),
            base_variable: BASE_VARIABLE.into(),
            key: key.map(str::to_owned),
            key_variable: KEY_VARIABLE.into(),
        };
        Self::at(model, &address)
    }

    /// Makes the model that people call `address.name` and the server at `address.base` calls `model`.
    /// Opens no connection; fails with a usage error when the URL or the key cannot be.
    pub fn at(model: &str, address: &Address) -> Result<Self, Error> {
        let Address { name, base, key, .. } = address;
        let key = key.as_deref().map(str::trim);
        let origin = Origin::of(address);
        // People copy the base of the other API's clients, which ends in `/v1`.
        let base = base.trim_end_matches('/').trim_end_matches("/v1");
        let mut headers = vec![("anthropic-version", "2023-06-01")];
        headers.extend(key.map(|key| ("x-api-key", key)));
        let endpoint = Endpoint::new(&format!("{base}/v1/messages"), &headers, origin)?;
        let (name, model) = (name.clone(), model.to_owned());
        let profile = capability::of_anthropic(&model);
        Ok(Self { name, model, endpoint, profile, lessons: Lessons::new(PARTS) })
    }

    async fn answer(
        &self,
        request: &Request,
        form: Form,
        chunks: &(dyn Fn(Chunk) + Send + Sync),
    ) -> Result<Reply, Failure> {
        let body = Body::new(&self.model, &self.profile, request, form).bytes();
        let mut events = self.endpoint.post(body, request.idle_timeout).await?;
        let mut draft = Draft::default();
        loop {
            let event = events.next().await;
            let event = event.map_err(|failure| events.failed(failure, draft.usage()))?;
            let Some(event) = event else { break };
            let chunk = draft.take(&event.data).map_err(|trouble| {
                events.failed(self.endpoint.origin().trouble(&trouble), draft.usage())
            })?;
            chunk.into_iter().for_each(chunks);
            if draft.is_whole() {
                let limits = events.limits();
                events.close().await;
                return Ok(draft.into_reply(limits, &mut CallIds::of(request)));
            }
        }
        Err(events.failed(events.unfinished(), draft.usage()))
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

    fn capabilities(&self) -> Capabilities {
        self.lessons.lower(self.profile.capabilities)
    }

    fn ask<'a>(
        &'a self,
        request: &'a Request,
        chunks: &'a (dyn Fn(Chunk) + Send + Sync),
    ) -> BoxFuture<'a, Result<Reply, Failure>> {
        self.lessons.learn(request, |form| self.answer(request, form, chunks)).boxed()
    }
}
