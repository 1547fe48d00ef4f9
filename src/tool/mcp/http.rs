//! Servers that are hosts: streamable HTTP.

use std::collections::BTreeMap;
use std::error::Error as StdError;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{StatusCode, Url, redirect};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClientTransportConfig, StreamableHttpError,
};

use crate::http;

/// How many redirects of one request are followed.
const REDIRECTS: usize = 5;
/// Headers that are the protocol's own.
const RESERVED: [&str; 5] =
    ["accept", "content-type", "last-event-id", "mcp-protocol-version", "mcp-session-id"];

/// Where a server is, and what it is sent with each request.
#[derive(Clone)]
pub struct Address {
    url: Url,
    headers: HeaderMap,
}

impl Address {
    /// Checks an address.
    ///
    /// # Errors
    /// What is wrong with the URL or a header, without the header's value: a clause.
    pub fn new(url: &str, headers: &BTreeMap<String, String>) -> Result<Self, String> {
        let url = http::url(url)?;
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let header = HeaderName::try_from(name.as_str())
                .map_err(|_| format!("`{name}` is no name of a header"))?;
            if RESERVED.contains(&header.as_str()) {
                return Err(format!("the header `{name}` is the protocol's own"));
            }
            let mut value = HeaderValue::try_from(value.as_str())
                .map_err(|_| format!("the header `{name}` has a value that no header can carry"))?;
            value.set_sensitive(true);
            map.insert(header, value);
        }
        Ok(Self { url, headers: map })
    }

    /// Returns all of it, for hashing: there are secrets in it.
    pub(super) fn described(&self) -> serde_json::Value {
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let headers: BTreeMap<String, String> = self.headers.iter().map(header).collect();
        serde_json::json!([self.url.as_str(), headers])
    }

    /// Returns the address without what may be secret in it.
    pub(super) fn shown(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        // Only a URL without a host has no room for these.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.to_string()
    }

    /// Makes the way to the server; nothing is sent yet.
    pub(super) fn transport(
        &self,
    ) -> Result<StreamableHttpClientTransport<reqwest::Client>, String> {
        let local = http::is_local(&self.url);
        let client = http::client(|builder| {
            // Idle connections would stall: bodies are not always read to their end.
            let builder = builder.pool_max_idle_per_host(0).redirect(same_origin());
            if local { builder.no_proxy() } else { builder }
        })?;
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
        let config = StreamableHttpClientTransportConfig::with_uri(self.url.as_str())
            .custom_headers(headers.collect());
        Ok(StreamableHttpClientTransport::with_client(client, config))
    }
}

/// Says why a server cannot be talked to. The client's own error is looked into by its type: it is told
/// as no cause of another, and its text has the whole URL, which may hold a secret.
pub(super) fn cause(error: &(dyn StdError + 'static)) -> String {
    let mut link = Some(error);
    while let Some(error) = link {
        if let Some(StreamableHttpError::<reqwest::Error>::Client(error)) = error.downcast_ref() {
            return error
                .source()
                .map_or_else(|| "the request could not be made".to_owned(), http::innermost);
        }
        link = error.source();
    }
    http::innermost(error)
}

/// Follows redirects that keep the message, and only to where the headers were meant to go.
fn same_origin() -> redirect::Policy {
    redirect::Policy::custom(|attempt| {
        let keeps = [StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT];
        let first = attempt.previous().first();
        let same = first.is_some_and(|first| first.origin() == attempt.url().origin());
        if same && keeps.contains(&attempt.status()) && attempt.previous().len() <= REDIRECTS {
            attempt.follow()
        } else {
            attempt.stop()
        }
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn address(url: &str, name: &str, value: &str) -> Result<Address, String> {
        Address::new(url, &[(name.to_owned(), value.to_owned())].into())
    }

    #[test]
    fn an_address_is_checked_and_shown_without_secrets() {
        let good = address("https://me:pw@host/mcp?key=k", "Authorization", "Bearer t").unwrap();
        assert_eq!(good.shown(), "https://host/mcp");
        for (url, name, value, told) in [
            ("host/mcp", "a", "b", "is no URL"),
            ("ftp://host/", "a", "b", "neither http nor https"),
            ("http://host/", "a b", "c", "no name of a header"),
            ("http://host/", "Accept", "c", "the protocol's own"),
            ("http://host/", "x", "secret\n", "header `x` has a value"),
        ] {
            let why = address(url, name, value).err().unwrap();
            assert!(why.contains(told) && !why.contains("secret"), "{why}");
        }
    }
}
