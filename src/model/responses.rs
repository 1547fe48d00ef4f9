//! The Responses API of `OpenAI` (<https://platform.openai.com/docs/api-reference/responses>),
//! streaming and stateless: nothing is stored there, and the model's own items, its encrypted
//! thoughts among them, go back verbatim and in order.
//!
//! A reply is the array of items in the order of the output; `response.completed` or
//! `response.incomplete` makes it whole. `body` writes the question, `draft` gathers the answer.

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
use super::form::{Form, Lessons, Part};
use super::http::Endpoint;
use super::openai;
use super::{Chunk, Failure, Model, Reply, Request};
use crate::error::Error;

/// The wire format of the replies: an array of items.
pub const WIRE: &str = "responses";

/// What servers and models may refuse, the more particular first.
const PARTS: &[Part] = &[
    Part::Encrypted,
    Part::Strict,
    Part::Format,
    Part::Effort,
    Part::MustCall,
    Part::Thoughts,
    Part::Pictures,
];

/// A model behind the Responses API.
#[derive(Debug)]
pub struct Responses {
    name: String,
    model: String,
    endpoint: Endpoint,
    profile: Profile,
    lessons: Lessons,
}

impl Responses {
    /// Makes the model that people call `address.name` and the server at `address.base` calls
    /// `model`. Opens no connection; fails with a usage error when the URL or the key cannot be.
    pub fn new(model: &str, address: &Address) -> Result<Self, Error> {
        let url = format!("{}/responses", address.base.trim_end_matches('/'));
        let endpoint = openai::endpoint(&url, address)?;
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
            let event = events.next().await;
            let event = event.map_err(|failure| events.failed(failure, draft.usage()))?;
            // The API itself has no `[DONE]`; those who imitate it may.
            let Some(event) = event.filter(|event| event.data.trim() != "[DONE]") else { break };
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

impl Model for Responses {
    fn name(&self) -> &str {
        &self.name
    }

    fn wire(&self) -> &'static str {
        WIRE
    }

    fn caches_prefixes(&self) -> bool {
        openai::is_official(&self.endpoint)
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
