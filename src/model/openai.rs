//! Chat Completions (<https://platform.openai.com/docs/api-reference/chat>), streaming, as `OpenAI`
//! speaks it and as Ollama, llama.cpp, `vLLM`, `LiteLLM`, `OpenRouter` and others imitate it.
//!
//! A reply is whole when a `finish_reason` or `[DONE]` was seen: servers forget either. A server
//! that rejects an optional field is asked once more without it, and not bothered with it again.
//! `body` writes the question, `draft` gathers the answer.

mod body;
mod draft;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use self::body::Body;
use self::draft::Draft;
use super::call_id::CallIds;
use super::fault::Origin;
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

/// A model behind a Chat Completions API.
#[derive(Debug)]
pub struct OpenAi {
    name: String,
    model: String,
    endpoint: Endpoint,
    rejects: Rejects,
}

/// The optional fields that this server has rejected.
#[derive(Debug, Default)]
struct Rejects {
    stream_options: AtomicBool,
    max_completion_tokens: AtomicBool,
}

impl OpenAi {
    /// Makes the model that people call `name` and the server at `base` calls `model`. `variable`
    /// is where `base` came from. Opens no connection; fails with a usage error when the URL or
    /// the key cannot be.
    pub fn new(
        name: &str,
        model: &str,
        base: &str,
        variable: &'static str,
        key: Option<&str>,
    ) -> Result<Self, Error> {
        let key = key.map(str::trim);
        let origin = Origin::new(name, key, KEY_VARIABLE, variable);
        let bearer = key.map(|key| format!("Bearer {key}"));
        let headers: Vec<_> = bearer.iter().map(|key| ("authorization", key.as_str())).collect();
        let url = format!("{}/chat/completions", base.trim_end_matches('/'));
        let endpoint = Endpoint::new(&url, &headers, origin)?;
        let rejects = Rejects::default();
        Ok(Self { name: name.to_owned(), model: model.to_owned(), endpoint, rejects })
    }

    async fn answer(
        &self,
        request: &Request,
        chunks: &(dyn Fn(Chunk) + Send + Sync),
    ) -> Result<Reply, Failure> {
        loop {
            // What this try leaves out: a sibling may learn something while it is under way.
            let known = self.rejects.names();
            match self.answer_once(request, chunks).await {
                // Each try leaves out more, so this ends.
                Err(failure) if self.rejects.learn_from(&failure.error, &known) => {}
                answer => return answer,
            }
        }
    }

    async fn answer_once(
        &self,
        request: &Request,
        chunks: &(dyn Fn(Chunk) + Send + Sync),
    ) -> Result<Reply, Failure> {
        let origin = self.endpoint.origin();
        let body = Body::new(&self.model, request, &self.rejects).bytes();
        let mut events = self.endpoint.post(body, request.idle_timeout).await?;
        let mut draft = Draft::default();
        loop {
            let event = match events.next().await {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(_) if draft.is_whole() => break,
                Err(failure) => return Err(failure),
            };
            if event.data.trim() == "[DONE]" {
                draft.close();
                break;
            }
            draft.take(&event.data, chunks).map_err(|trouble| origin.trouble(&trouble))?;
            if draft.is_whole() {
                events.limit_silence(USAGE_LIMIT);
            }
        }
        if !draft.is_whole() {
            return Err(origin.broken_stream("ended before its final event"));
        }
        events.close().await;
        Ok(draft.into_reply(&mut CallIds::of(request)))
    }
}

impl Rejects {
    /// Reports whether `error` rejects an optional field that was sent, and takes note of it.
    /// `known` are those that had been left out.
    fn learn_from(&self, error: &Error, known: &[&str]) -> bool {
        let status = error.detail("status").and_then(serde_json::Value::as_u64);
        if !matches!(status, Some(400 | 422)) {
            return false;
        }
        let fields = [
            ("stream_options", &self.stream_options),
            ("max_completion_tokens", &self.max_completion_tokens),
        ];
        fields.into_iter().any(|(name, rejected)| {
            let is_news = error.message.contains(name) && !known.contains(&name);
            if is_news {
                rejected.store(true, Ordering::Relaxed);
            }
            is_news
        })
    }

    /// Returns the fields that are left out.
    fn names(&self) -> Vec<&'static str> {
        let fields = [
            ("stream_options", &self.stream_options),
            ("max_completion_tokens", &self.max_completion_tokens),
        ];
        let left_out = fields.iter().filter(|(_, rejected)| rejected.load(Ordering::Relaxed));
        left_out.map(|(name, _)| *name).collect()
    }
}

impl Model for OpenAi {
    fn name(&self) -> &str {
        &self.name
    }

    fn wire(&self) -> &'static str {
        WIRE
    }

    fn caches_prefixes(&self) -> bool {
        self.endpoint.origin().host == "api.openai.com"
    }

    fn ask<'a>(
        &'a self,
        request: &'a Request,
        chunks: &'a (dyn Fn(Chunk) + Send + Sync),
    ) -> BoxFuture<'a, Result<Reply, Failure>> {
        self.answer(request, chunks).boxed()
    }
}
