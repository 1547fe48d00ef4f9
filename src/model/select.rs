//! From the name of a model to a model: `anthropic/…`, `openai/…`, `ollama/…`.
//!
//! It reads no process environment and no files; what it needs of them comes as an
//! [`Environment`]. Models written in Lua are chosen elsewhere.

use std::fmt;
use std::sync::Arc;

use super::Model;
use super::anthropic::{self, Anthropic};
use super::openai::{self, OpenAi};
use crate::error::{Error, Kind};
use crate::suggest::nearest;

/// The providers that names may begin with.
pub const PROVIDERS: [&str; 3] = ["anthropic", "openai", "ollama"];

const OLLAMA_VARIABLE: &str = "OLLAMA_HOST";
const OLLAMA_HOST: &str = "127.0.0.1:11434";
const OLLAMA_PORT: u16 = 11434;

/// Keys and hosts. Does not show keys when formatted.
#[derive(Clone, Default)]
pub struct Environment {
    /// `ANTHROPIC_API_KEY`.
    pub anthropic_key: Option<String>,
    /// `ANTHROPIC_BASE_URL`, without `/v1`.
    pub anthropic_base: Option<String>,
    /// `OPENAI_API_KEY`.
    pub openai_key: Option<String>,
    /// `OPENAI_BASE_URL`, with `/v1`.
    pub openai_base: Option<String>,
    /// `OLLAMA_HOST`: a URL, or host and port.
    pub ollama_host: Option<String>,
}

impl Environment {
    /// Takes what is set and not blank; `variable` looks up one name.
    pub fn new(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| {
            let value = variable(name)?.trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        Self {
            anthropic_key: set(anthropic::KEY_VARIABLE),
            anthropic_base: set(anthropic::BASE_VARIABLE),
            openai_key: set(openai::KEY_VARIABLE),
            openai_base: set(openai::BASE_VARIABLE),
            ollama_host: set(OLLAMA_VARIABLE),
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("anthropic_key", &self.anthropic_key.is_some())
            .field("openai_key", &self.openai_key.is_some())
            .finish_non_exhaustive()
    }
}

/// Returns the model to use when nobody named one: that of the key that is there.
pub fn default_name(environment: &Environment) -> Option<&'static str> {
    if environment.anthropic_key.is_some() {
        Some("anthropic/claude-sonnet-5")
    } else {
        environment.openai_key.as_ref().map(|_| "openai/gpt-5")
    }
}

/// Makes the model `name`. Opens no connection. Fails with a usage error for a name that is none,
/// and with a model error for a key that is missing.
pub fn select(name: &str, environment: &Environment) -> Result<Arc<dyn Model>, Error> {
    let (provider, model) = split(name)?;
    match provider {
        "anthropic" => {
            let base = environment.anthropic_base.as_deref();
            let key = environment.anthropic_key.as_deref();
            require_key(name, key.or(base), anthropic::KEY_VARIABLE)?;
            let base = base.unwrap_or(anthropic::DEFAULT_BASE);
            Ok(Arc::new(Anthropic::new(model, base, key)?))
        }
        "openai" => {
            let base = environment.openai_base.as_deref();
            let key = environment.openai_key.as_deref();
            require_key(name, key.or(base), openai::KEY_VARIABLE)?;
            let base = base.unwrap_or(openai::DEFAULT_BASE);
            let full_name = format!("openai/{model}");
            Ok(Arc::new(OpenAi::new(&full_name, model, base, openai::BASE_VARIABLE, key)?))
        }
        _ => {
            let base = ollama_base(environment.ollama_host.as_deref().unwrap_or(OLLAMA_HOST));
            Ok(Arc::new(OpenAi::new(name, model, &base, OLLAMA_VARIABLE, None)?))
        }
    }
}

fn split(name: &str) -> Result<(&'static str, &str), Error> {
    let (provider, model) = match name.split_once('/') {
        Some((provider, model)) => (provider, model),
        None => (provider_of(name).unwrap_or_default(), name),
    };
    match PROVIDERS.into_iter().find(|known| *known == provider) {
        Some(known) if !model.trim().is_empty() => Ok((known, model)),
        Some(known) => {
            Err(Error::usage(format!("`{name}` names a provider but no model"))
                .hint(example(known)))
        }
        None => Err(unknown_provider(name, provider)),
    }
}

/// Recognises well-known names without a provider.
fn provider_of(name: &str) -> Option<&'static str> {
    let begins = |beginnings: &[&str]| beginnings.iter().any(|start| name.starts_with(start));
    if begins(&["claude-"]) {
        Some("anthropic")
    } else if begins(&["gpt-", "chatgpt-", "o1", "o3", "o4"]) {
        Some("openai")
    } else {
        None
    }
}

fn unknown_provider(name: &str, provider: &str) -> Error {
    let known = PROVIDERS.map(|known| format!("`{known}/…`")).join(", ");
    let message = format!("the model `{name}` has no provider that is known: {known}");
    // Without a slash it may be the provider that was typed.
    let typed = if provider.is_empty() { name } else { provider };
    Error::usage(message).hint(match nearest(typed, PROVIDERS) {
        Some(known) => format!("did you mean {}?", example(known)),
        None => "for any other server, set OPENAI_BASE_URL and write `openai/…`".to_owned(),
    })
}

fn example(provider: &str) -> &'static str {
    match provider {
        "anthropic" => "anthropic/claude-sonnet-5",
        "openai" => "openai/gpt-5",
        _ => "ollama/qwen3",
    }
}

/// A server of one's own may need no key, so a base URL will do.
fn require_key(name: &str, either: Option<&str>, variable: &str) -> Result<(), Error> {
    if either.is_some() {
        return Ok(());
    }
    Err(Error::new(Kind::Model, format!("the model `{name}` needs a key: {variable} is not set"))
        .with("reason", "authentication_failed".into())
        .hint(format!("export {variable}=…, or use a model of your own: --model FILE.lua")))
}

/// Reads `OLLAMA_HOST` as Ollama does: scheme and port may be missing, and the address may be one
/// that only a server can bind to.
fn ollama_base(host: &str) -> String {
    let (scheme, rest) = host.split_once("://").unwrap_or(("http", host));
    let rest = rest.trim_end_matches('/').trim_end_matches("/v1");
    let rest = rest.replacen("0.0.0.0", "127.0.0.1", 1);
    let (authority, path) = rest.split_once('/').map_or((&*rest, ""), |(a, path)| (a, path));
    let has_port = authority.rsplit(']').next().is_some_and(|end| end.contains(':'));
    let port =
        if has_port || host.contains("://") { String::new() } else { format!(":{OLLAMA_PORT}") };
    let path = if path.is_empty() { String::new() } else { format!("/{path}") };
    format!("{scheme}://{authority}{port}{path}/v1")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::new(&|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn keys() -> Environment {
        environment(&[("ANTHROPIC_API_KEY", " sk-ant\n"), ("OPENAI_API_KEY", "sk-oai")])
    }

    fn refused(name: &str, environment: &Environment) -> Error {
        select(name, environment).err().unwrap()
    }

    #[test]
    fn names_choose_the_provider_and_keep_the_rest() {
        for (name, full, wire) in [
            ("anthropic/claude-x", "anthropic/claude-x", "anthropic"),
            ("claude-x", "anthropic/claude-x", "anthropic"),
            ("openai/org/model:free", "openai/org/model:free", "openai"),
            ("gpt-5", "openai/gpt-5", "openai"),
            ("o3", "openai/o3", "openai"),
            ("ollama/qwen3:8b", "ollama/qwen3:8b", "openai"),
        ] {
            let model = select(name, &keys()).unwrap();
            assert_eq!((model.name(), model.wire()), (full, wire));
        }
    }

    #[test]
    fn unknown_providers_are_answered_with_the_known() {
        let error = refused("antropic/claude-x", &keys());
        assert_eq!(error.kind, Kind::Usage);
        assert!(error.message.contains("`anthropic/…`, `openai/…`, `ollama/…`"), "{error}");
        assert_eq!(error.hint.as_deref(), Some("did you mean anthropic/claude-sonnet-5?"));
        let hint = refused("mistral-large", &keys()).hint.unwrap();
        assert!(hint.contains("OPENAI_BASE_URL"), "{hint}");
        assert_eq!(refused("openai/", &keys()).kind, Kind::Usage);
        assert_eq!(refused("", &keys()).kind, Kind::Usage);
    }

    #[test]
    fn a_missing_key_names_both_ways_out() {
        let error = refused("anthropic/claude-x", &environment(&[("ANTHROPIC_API_KEY", " ")]));
        assert_eq!(error.kind, Kind::Model);
        assert!(error.message.contains("ANTHROPIC_API_KEY"), "{error}");
        assert!(error.hint.unwrap().contains("--model FILE.lua"));
        assert!(refused("gpt-5", &environment(&[])).message.contains("OPENAI_API_KEY"));
        let own = environment(&[("OPENAI_BASE_URL", "http://127.0.0.1:8080/v1")]);
        assert!(select("openai/local", &own).is_ok());
        assert!(select("ollama/qwen3", &environment(&[])).is_ok());
    }

    #[test]
    fn bad_hosts_are_usage_errors_that_name_the_variable() {
        for (variable, name) in [
            ("OPENAI_BASE_URL", "openai/x"),
            ("ANTHROPIC_BASE_URL", "anthropic/x"),
            ("OLLAMA_HOST", "ollama/x"),
        ] {
            let error = refused(name, &environment(&[(variable, "ftp://host")]));
            assert_eq!(error.kind, Kind::Usage);
            assert!(error.message.contains(variable), "{error}");
        }
    }

    #[test]
    fn ollama_hosts_are_read_as_ollama_does() {
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
            assert_eq!(ollama_base(host), base, "{host}");
        }
    }

    #[test]
    fn the_default_follows_the_keys() {
        assert_eq!(default_name(&keys()), Some("anthropic/claude-sonnet-5"));
        assert_eq!(default_name(&environment(&[("OPENAI_API_KEY", "x")])), Some("openai/gpt-5"));
        assert_eq!(default_name(&environment(&[])), None);
    }

    #[test]
    fn keys_are_not_shown() {
        let shown = format!("{:?}", keys());
        assert!(!shown.contains("sk-"), "{shown}");
    }
}
