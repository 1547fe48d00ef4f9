//! From the name of a model to a model: `anthropic/…`, `openai/…`, `ollama/…`, or a provider of the
//! user's own.
//!
//! Behind `openai/` are two APIs. At `OpenAI` itself, models that reason are asked by the Responses
//! API, which alone takes their thoughts back; everything else, and every model behind another
//! `OPENAI_BASE_URL`, is asked by Chat Completions, which all servers speak. `openai-responses/…`
//! asks for the former wherever that URL leads.
//!
//! It reads no process environment and no files; what it needs of them comes as an
//! [`Environment`]. Models written in Lua are chosen elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::address::Address;
use super::anthropic::{self, Anthropic};
use super::capability::is_reasoning;
use super::openai::{self, OpenAi};
use super::responses::Responses;
use super::{Model, ollama};
use crate::config::{Api, ProviderSettings};
use crate::error::{Error, Kind};
use crate::suggest::nearest;

/// The built-in providers that names may begin with.
pub const PROVIDERS: [&str; 4] = ["anthropic", "openai", "openai-responses", "ollama"];

/// The model to use when nobody named one.
pub const USUAL: &str = "anthropic/claude-sonnet-5";

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
    /// The user's own providers, each with its key where it has one.
    own: BTreeMap<String, (ProviderSettings, Option<String>)>,
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
            ollama_host: set(ollama::HOST_VARIABLE),
            own: BTreeMap::new(),
        }
    }

    /// Adds the providers that the user has named, with their keys from the variables.
    #[must_use]
    pub fn with_providers(
        mut self,
        providers: &BTreeMap<String, ProviderSettings>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let with_key = |settings: &ProviderSettings| {
            let key = settings.key_variable.as_deref().and_then(variable);
            (settings.clone(), key.filter(|key| !key.trim().is_empty()))
        };
        self.own = providers.iter().map(|(name, own)| (name.clone(), with_key(own))).collect();
        self
    }

    /// Takes it that every provider has its key, for models that are looked at and not asked.
    #[must_use]
    pub fn with_keys(mut self) -> Self {
        // It is sent nowhere.
        let any = || Some("planned".to_owned());
        self.anthropic_key = self.anthropic_key.or_else(any);
        self.openai_key = self.openai_key.or_else(any);
        for (_, key) in self.own.values_mut() {
            *key = key.take().or_else(any);
        }
        self
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
        Some(USUAL)
    } else {
        environment.openai_key.as_ref().map(|_| "openai/gpt-5")
    }
}

/// Makes the model `name`. Opens no connection. Fails with a usage error for a name that is none,
/// and with a model error for a key that is missing.
pub fn select(name: &str, environment: &Environment) -> Result<Arc<dyn Model>, Error> {
    let own = name.split_once('/').and_then(|(provider, model)| {
        environment.own.get_key_value(provider).map(|(provider, own)| (provider, own, model))
    });
    if let Some((provider, (settings, key), model)) = own {
        return select_own(provider, settings, key.as_deref(), model);
    }
    let (provider, model) = split(name, environment)?;
    let Environment { anthropic_key, anthropic_base, openai_key, openai_base, ollama_host, .. } =
        environment;
    if provider == "anthropic" {
        let key = anthropic_key.as_deref();
        let base = anthropic_base.as_deref();
        require_key(name, key.or(base), anthropic::KEY_VARIABLE)?;
        let base = base.unwrap_or(anthropic::DEFAULT_BASE);
        return Ok(Arc::new(Anthropic::new(model, base, key)?));
    }
    let mut address = Address {
        name: format!("{provider}/{model}"),
        base: openai_base.clone().unwrap_or_else(|| openai::DEFAULT_BASE.to_owned()),
        base_variable: openai::BASE_VARIABLE.into(),
        key: openai_key.clone(),
        key_variable: openai::KEY_VARIABLE.into(),
    };
    if provider == "ollama" {
        address.base = ollama::base(ollama_host.as_deref());
        address.base_variable = ollama::HOST_VARIABLE.into();
        address.key = None;
        return Ok(Arc::new(OpenAi::new(model, &address)?));
    }
    require_key(name, openai_key.as_deref().or(openai_base.as_deref()), openai::KEY_VARIABLE)?;
    let is_official = address.base.trim_end_matches('/') == openai::DEFAULT_BASE;
    if provider == "openai-responses" || (is_official && is_reasoning(model)) {
        Ok(Arc::new(Responses::new(model, &address)?))
    } else {
        Ok(Arc::new(OpenAi::new(model, &address)?))
    }
}

/// Makes a model of a provider that the user has named.
fn select_own(
    provider: &str,
    settings: &ProviderSettings,
    key: Option<&str>,
    model: &str,
) -> Result<Arc<dyn Model>, Error> {
    let name = format!("{provider}/{model}");
    if model.trim().is_empty() {
        return Err(Error::usage(format!("`{name}` names a provider but no model")));
    }
    if PROVIDERS.contains(&provider) {
        return Err(Error::usage(format!(
            "the provider `{provider}` of your config.toml is built in"
        ))
        .hint("give it another name; the built-in ones take their hosts from variables"));
    }
    if let Some(variable) = &settings.key_variable {
        require_key(&name, key, variable)?;
    }
    let address = Address {
        name,
        base: settings.base_url.clone(),
        base_variable: format!("providers.{provider}.base_url").into(),
        key: key.map(str::to_owned),
        key_variable: settings
            .key_variable
            .clone()
            .unwrap_or_else(|| format!("providers.{provider}.key_variable"))
            .into(),
    };
    Ok(match settings.api {
        Api::Chat => Arc::new(OpenAi::new(model, &address)?),
        Api::Responses => Arc::new(Responses::new(model, &address)?),
        Api::Anthropic => Arc::new(Anthropic::at(model, &address)?),
    })
}

fn split<'a>(name: &'a str, environment: &Environment) -> Result<(&'static str, &'a str), Error> {
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
        None => Err(unknown_provider(name, provider, environment)),
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

fn unknown_provider(name: &str, provider: &str, environment: &Environment) -> Error {
    let own = environment.own.keys().map(String::as_str);
    let known: Vec<&str> = PROVIDERS.into_iter().chain(own).collect();
    let list: Vec<String> = known.iter().map(|known| format!("`{known}/…`")).collect();
    let message = format!("the model `{name}` has no provider that is known: {}", list.join(", "));
    // Without a slash it may be the provider that was typed.
    let typed = if provider.is_empty() { name } else { provider };
    Error::usage(message).hint(match nearest(typed, known) {
        Some(known) => format!("did you mean {}?", example(known)),
        None => "for any other server, set OPENAI_BASE_URL and write `openai/…`, or name it under \
                 `[providers.…]` of your config.toml"
            .to_owned(),
    })
}

fn example(provider: &str) -> String {
    match provider {
        "anthropic" => "anthropic/claude-sonnet-5".to_owned(),
        "openai" | "openai-responses" => format!("{provider}/gpt-5"),
        "ollama" => "ollama/qwen3".to_owned(),
        own => format!("{own}/…"),
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
            ("gpt-4o", "openai/gpt-4o", "openai"),
            ("gpt-5", "openai/gpt-5", "responses"),
            ("openai/o3", "openai/o3", "responses"),
            ("openai-responses/x", "openai-responses/x", "responses"),
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
        let known = "`anthropic/…`, `openai/…`, `openai-responses/…`, `ollama/…`";
        assert!(error.message.contains(known), "{error}");
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
        // Another server need not speak the newer API.
        assert_eq!(select("openai/gpt-5", &own).unwrap().wire(), "openai");
        assert_eq!(select("openai-responses/gpt-5", &own).unwrap().wire(), "responses");
        assert!(select("ollama/qwen3", &environment(&[])).is_ok());
    }

    fn with_own(text: &[(&str, &str, Option<&str>, Api)], keys: &[(&str, &str)]) -> Environment {
        let providers = text.iter().map(|(name, base_url, key_variable, api)| {
            let key_variable = key_variable.map(str::to_owned);
            (
                (*name).to_owned(),
                ProviderSettings { base_url: (*base_url).to_owned(), key_variable, api: *api },
            )
        });
        environment(&[]).with_providers(&providers.collect(), &|name| {
            keys.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn providers_of_ones_own_are_chosen_by_their_names() {
        let own = with_own(
            &[
                ("groq", "https://api.groq.com/openai/v1", Some("GROQ_KEY"), Api::Chat),
                ("azure", "https://a/v1", None, Api::Responses),
                ("kimi", "https://k", None, Api::Anthropic),
                ("bad", "k.example", None, Api::Chat),
                ("openai", "https://o", None, Api::Chat),
            ],
            &[("GROQ_KEY", "gsk")],
        );
        for (name, wire) in
            [("groq/a/b", "openai"), ("azure/gpt", "responses"), ("kimi/k2", "anthropic")]
        {
            let model = select(name, &own).unwrap();
            assert_eq!((model.name(), model.wire()), (name, wire));
        }
        for (name, says) in [
            ("bad/x", "providers.bad.base_url is no URL"),
            ("groq/", "names a provider but no model"),
            ("openai/x", "is built in"),
            ("grok/x", "`groq/…`"),
        ] {
            let error = refused(name, &own);
            assert_eq!(error.kind, Kind::Usage);
            assert!(error.message.contains(says), "{error}");
        }
        assert_eq!(refused("grok/x", &own).hint.unwrap(), "did you mean groq/…?");
        let keyless = with_own(&[("groq", "https://g", Some("GROQ_KEY"), Api::Chat)], &[]);
        let error = refused("groq/x", &keyless);
        assert_eq!(error.kind, Kind::Model);
        assert!(error.message.contains("GROQ_KEY"), "{error}");
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
