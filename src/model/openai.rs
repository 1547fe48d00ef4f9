//! Chat Completions (<https://platform.openai.com/docs/api-reference/chat>), streaming, as `OpenAI`
//! speaks it and as Ollama, llama.cpp, `vLLM`, `LiteLLM`, `OpenRouter` and others imitate it.
//!
//! A reply is whole when a `finish_reason` or `[DONE]` was seen: servers forget either. A server
//! that rejects an optional field is asked once more without it, and not bothered with it again
//! (`form.rs`). `body` writes the question, `draft` gathers the answer.

mod body;
mod draft;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use self::body::Body;
pub(super) use self::body::broken_arguments;
use self::draft::Draft;
pub(super) use self::draft::read;
use super::address::Address;
use super::call_id::CallIds;
use super::capability::{self, Capabilities, Profile};
use super::fault::Origin;
use super::form::{Form, Lessons, Part};
use super::http::Endpoint;
use super::{Chunk, Failure, Model, Reply, Request};
use crate::error::Error;

/// The wire format of the replies: an assistant message.
pub const WIRE: &str = "openai";
/// Where the API lives when nothing else is said.
pub const DEFAULT_BASE: &str = "https://api.openai.com/v1";
/// The variable that holds the key.
pub const KEY_VARIABLE: &str = "OPENAI_API_KEY";
/// The variable that holds the base URL, `/v1` included.
pub const BASE_VARIABLE: &str = "OPENAI_BASE_URL";

/// How long to wait for the usage, which comes after the `finish_reason`, or never.
const USAGE_LIMIT: Duration = Duration::from_secs(5);

/// What servers and models may refuse, the more particular first.
const PARTS: &[Part] = &[
    Part::Usage,
    Part::NewLimit,
    Part::Strict,
    Part::Format,
    Part::Effort,
    Part::MustCall,
    Part::Thoughts,
    Part::Pictures,
    Part::System,
];

/// A model behind a Chat Completions API.
#[derive(Debug)]
pub struct OpenAi {
    name: String,
    model: String,
    endpoint: Endpoint,
    profile: Profile,
    lessons: Lessons,
}

impl OpenAi {
    /// Makes the model that people call `address.name` and the server at `address.base` calls
    /// `model`. Opens no connection; fails with a usage error when the URL or the key cannot be.
    pub fn new(model: &str, address: &Address) -> Result<Self, Error> {
        let url = format!("{}/chat/completions", address.base.trim_end_matches('/'));
        let endpoint = endpoint(&url, address)?;
        let (name, model) = (address.name.clone(), model.to_owned());
        let profile = capability::of_openai(&model);
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
            let event = match events.next().await {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(_) if draft.is_whole() => break,
                Err(failure) => return Err(events.failed(failure, draft.usage())),
            };
            if event.data.trim() == "[DONE]" {
                draft.close();
                break;
            }
            draft.take(&event.data, chunks).map_err(|trouble| {
                events.failed(self.endpoint.origin().trouble(&trouble), draft.usage())
            })?;
            if draft.is_whole() {
                events.limit_silence(USAGE_LIMIT);
            }
        }
        if !draft.is_whole() {
            return Err(events.failed(events.unfinished(), draft.usage()));
        }
        let limits = events.limits();
        events.close().await;
        Ok(draft.into_reply(limits, &mut CallIds::of(request)))
    }
}

/// Reports whether a place is `OpenAI`'s own.
pub(super) fn is_official(endpoint: &Endpoint) -> bool {
    endpoint.origin().host == "api.openai.com"
}

/// Returns a place that takes the key as `OpenAI` does.
pub(super) fn endpoint(url: &str, address: &Address) -> Result<Endpoint, Error> {
    let bearer = address.key.as_deref().map(|key| format!("Bearer {}", key.trim()));
    let headers: Vec<_> = bearer.iter().map(|key| ("authorization", key.as_str())).collect();
    Endpoint::new(url, &headers, Origin::of(address))
}

impl Model for OpenAi {
    fn name(&self) -> &str {
        &self.name
    }

    fn wire(&self) -> &'static str {
        WIRE
    }

    fn caches_prefixes(&self) -> bool {
        is_official(&self.endpoint)
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
