//! Which model would be asked, with which key, at which host; and the settings, each with who says it.

use url::Url;

use super::Place;
use super::report::{Report, Section};
use crate::config::{self, Said};
use crate::model::{anthropic, openai};

/// Variables that may hold a token for GitHub, the first before the second.
const GITHUB: [&str; 2] = ["GITHUB_TOKEN", "GH_TOKEN"];
/// Variables that name hosts.
const HOSTS: [&str; 4] =
    [anthropic::BASE_VARIABLE, openai::BASE_VARIABLE, "OLLAMA_HOST", "GITHUB_API_URL"];

/// Looks at them.
pub(super) fn look(place: &Place, report: &mut Report) {
    let mut section = report.section("models");
    model(place, &mut section);
    let own = place.host.config();
    let own = own.providers.values().filter_map(|provider| provider.key_variable.as_deref());
    for name in [anthropic::KEY_VARIABLE, openai::KEY_VARIABLE].into_iter().chain(own) {
        key(place, &mut section, name);
    }
    if let Some(name) = GITHUB.iter().find(|name| place.variable(name).is_some()) {
        key(place, &mut section, name);
    } else {
        let text = "not set: private repositories and reviews of pull requests need it";
        section.note(GITHUB[0], text, None);
    }
    for name in HOSTS {
        if let Some(host) = place.variable(name) {
            section.ok(name, without_secrets(&host));
        }
    }
    settings(place, &mut report.section("settings"));
}

/// Says which model agents that name none would ask.
fn model(place: &Place, section: &mut Section<'_>) {
    let config = place.host.config();
    if let Some(file) = &config.replay {
        return section.ok("model", format!("answers come from {}", place.shown(file)));
    }
    if let Some(file) = config.model.as_ref().filter(|model| config::is_lua_file(model)) {
        if place.host.cwd().join(file).is_file() {
            section.ok("model", format!("{file}, written in Lua"));
        } else {
            let text = format!("`{file}` is not there");
            section.problem("model", text, "name a model, or a Lua file that is there");
        }
        return;
    }
    match place.host.default_model() {
        Ok(model) => {
            let why = if config.model.is_some() { "set" } else { "as its key is set" };
            section.ok("model", format!("{} ({why})", model.name()));
        }
        Err(error) => section.error("model", &error),
    }
}

/// Says whether a key is there, and never what it is.
fn key(place: &Place, section: &mut Section<'_>, name: &str) {
    match place.environment.get(name) {
        None => section.note(name, "not set", None),
        Some(value) if value.trim().is_empty() => {
            section.warning(name, "set, and empty", &format!("export {name}=…"));
        }
        Some(value) if value.trim().contains(char::is_whitespace) => {
            let text = "set, with space inside: that is no key";
            section.warning(name, text, &format!("export {name}=…"));
        }
        Some(_) => section.ok(name, "set"),
    }
}

fn settings(place: &Place, section: &mut Section<'_>) {
    let files = place.settings_files();
    for file in files.iter().filter(|file| file.exists()) {
        section.ok("file", place.shown(file));
    }
    // A file that cannot be understood was said before.
    let said = config::said(&|name| place.variable(name), &files).unwrap_or_default();
    for Said { key, value, origin, overruled } in &said {
        let from = match origin {
            config::Origin::File(path) => place.shown(path),
            config::Origin::Variable(name) => (*name).to_owned(),
        };
        if *overruled {
            section.note(key, format!("{value} from {from} does not count: see above"), None);
        } else {
            section.ok(key, format!("{value} (from {from})"));
        }
    }
    if said.is_empty() {
        section.note("settings", "none: all as by default", None);
    }
}

/// Returns an address without what may be a password in it.
fn without_secrets(host: &str) -> String {
    let Ok(mut url) = Url::parse(host) else { return host.to_owned() };
    let has_secrets =
        url.password().is_some() || url.query().is_some() || !url.username().is_empty();
    if !has_secrets {
        return host.to_owned();
    }
    // Both are refused only by addresses that have no host, and so no password.
    let _ = (url.set_username(""), url.set_password(None));
    url.set_query(None);
    format!("{url} (a name, a password or a query is not shown)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_their_secrets() {
        assert_eq!(without_secrets("http://127.0.0.1:11434/v1"), "http://127.0.0.1:11434/v1");
        assert_eq!(without_secrets("localhost:1"), "localhost:1");
        let shown = without_secrets("https://me:hunter2@host/v1?key=abc");
        assert!(shown.starts_with("https://host/v1 (") && !shown.contains("hunter2"), "{shown}");
        assert!(!shown.contains("abc"));
    }
}
