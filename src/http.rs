//! The set-up of every HTTP client: TLS, who asks, how long a connection may take.

use std::time::Duration;

use reqwest::{Client, ClientBuilder, Url};

/// How long to wait for a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Makes a client, set up further by `more`.
///
/// # Errors
/// Why there can be none: a clause.
pub fn client(more: impl Fn(ClientBuilder) -> ClientBuilder) -> Result<Client, String> {
    // An error means that somebody installed a provider before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = || {
        more(Client::builder())
            .user_agent(concat!("agentlua/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_LIMIT)
    };
    // A machine without root certificates can still reach servers that need none.
    let built = builder().build().or_else(|_| builder().tls_certs_only([]).build());
    built.map_err(|error| innermost(&error))
}

/// Reads the address of a server.
///
/// # Errors
/// What is wrong with it: a clause.
pub fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("`{text}` is no URL: {error}"))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        scheme => Err(format!("`{scheme}:` is neither http nor https")),
    }
}

/// Reports whether a server is on this machine: no proxy reaches it.
pub fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "localhost" || host.starts_with("127.") || host == "[::1]"
}

/// Returns the last cause, which says what happened; those before it may name URLs with secrets.
pub fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
