//! Where Ollama is: a server of one's own, most often on this machine, that speaks Chat Completions.

/// The variable that holds its host.
pub(super) const HOST_VARIABLE: &str = "OLLAMA_HOST";
const HOST: &str = "127.0.0.1:11434";
const PORT: u16 = 11434;

/// Returns the URL of its API. Reads the variable as Ollama does: scheme and port may be missing, and the address may be one
/// that only a server can bind to.
pub(super) fn base(host: Option<&str>) -> String {
    let host = host.unwrap_or(HOST);
    let (scheme, rest) = host.split_once("://").unwrap_or(("http", host));
    let rest = rest.trim_end_matches('/').trim_end_matches("/v1");
    let rest = rest.replacen("0.0.0.0", "127.0.0.1", 1);
    let (authority, path) = rest.split_once('/').map_or((&*rest, ""), |(a, path)| (a, path));
    let has_port = authority.rsplit(']').next().is_some_and(|end| end.contains(':'));
    let port = if has_port || host.contains("://") { String::new() } else { format!(":{PORT}") };
    let path = if path.is_empty() { String::new() } else { format!("/{path}") };
    format!("{scheme}://{authority}{port}{path}/v1")
}

#[cfg(test)]
mod tests {
    #[test]
    fn hosts_are_read_as_ollama_does() {
        for (host, base) in [
            ("127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
            ("0.0.0.0", "http://127.0.0.1:11434/v1"),
            ("box", "http://box:11434/v1"),
            ("[::1]", "http://[::1]:11434/v1"),
            ("[::1]:99", "http://[::1]:99/v1"),
            ("https://box/", "https://box/v1"),
            ("http://box:99/v1/", "http://box:99/v1"),
            ("https://box/ollama", "https://box/ollama/v1"),
        ] {
            assert_eq!(super::base(Some(host)), base, "{host}");
        }
    }
}
