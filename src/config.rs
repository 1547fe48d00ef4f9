//! Settings: what was typed → what it means. Flag > `AGENTLUA_*` variable > the repository's
//! `agentlua.toml` > the user's `config.toml` > default; `agent.config { … }` of a script stands
//! where a flag does.
//!
//! A repository's file may set defaults and lower limits, and never keys, hosts, servers or looser
//! permissions: none of those is among its keys.

mod money;
mod origin;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::error::{Error, Kind, Result, ResultExt};
pub use money::{PriceSetting, Prices, usd};
pub use origin::{Origin, Said, VARIABLES, said};

/// Longer durations are taken for mistakes: ten years.
pub const LONGEST_SECONDS: u64 = 10 * 365 * 24 * 3600;

/// Turns a number of seconds into a duration.
///
/// # Errors
/// The reason, as the end of a sentence.
pub fn seconds(seconds: f64) -> std::result::Result<Duration, String> {
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| !duration.is_zero() && duration.as_secs() < LONGEST_SECONDS)
        .ok_or_else(|| format!("must be a number of seconds above 0, not {seconds}"))
}

/// What standard output holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// What the script prints.
    #[default]
    Text,
    /// One object at the end.
    Json,
    /// Every event as a line, and that object at the end.
    StreamJson,
}

impl Format {
    /// Returns the format that `word` names.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Text, Self::Json, Self::StreamJson]
            .into_iter()
            .find(|format| format.as_str() == word)
    }

    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::StreamJson => "stream-json",
        }
    }
}

impl std::str::FromStr for Format {
    type Err = ();

    fn from_str(word: &str) -> std::result::Result<Self, ()> {
        Self::parse(word).ok_or(())
    }
}

/// Settings of which each may be absent: what one source says.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The model of agents that name none: `provider/model`, or a Lua file.
    pub model: Option<String>,
    /// Agents at work at once.
    pub concurrency: Option<usize>,
    /// Model round trips of each agent.
    pub max_turns: Option<u32>,
    /// USD that the run may spend.
    pub max_budget_usd: Option<f64>,
    /// What models cost, where that is not known or not as it was.
    pub prices: Option<Prices>,
    /// Seconds that each agent may take.
    pub timeout: Option<f64>,
    /// Seconds that a model may be silent.
    pub idle_timeout: Option<f64>,
    /// Tokens that one reply may have.
    pub max_output_tokens: Option<u32>,
    /// Whether a denied tool call makes the run fail.
    pub strict: Option<bool>,
    /// Whether progress is left out.
    pub quiet: Option<bool>,
    /// What standard output holds.
    pub output_format: Option<Format>,
    /// Whether runs go on in the background.
    pub detach: Option<bool>,
    /// Which run is gone on with: one by its id, or by an empty name the last of the script that is not
    /// finished.
    #[serde(default, deserialize_with = "run_to_resume")]
    pub resume: Option<String>,
    /// The repository that agents work on.
    pub repo: Option<PathBuf>,
    /// Where worktrees are kept.
    pub worktree_root: Option<PathBuf>,
    /// The cassette that models are recorded into.
    pub record: Option<PathBuf>,
    /// The cassette that answers in their place.
    pub replay: Option<PathBuf>,
    /// Whether the results of tools are played too.
    pub replay_tools: Option<bool>,
    /// What every worktree gets.
    pub worktree: Option<WorktreeSettings>,
    /// Servers beside the built-in ones, by the name that models begin with; the user's file alone.
    #[serde(default)]
    pub providers: BTreeMap<String, ProviderSettings>,
    /// Whether agents are planned and not asked; never a script's own affair.
    pub dry_run: Option<bool>,
}

/// Reads `resume`: `true` for the last one, or an id.
fn run_to_resume<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Wanted {
        Last(bool),
        Named(String),
    }
    Ok(match Wanted::deserialize(deserializer)? {
        Wanted::Last(wanted) => wanted.then(String::new),
        Wanted::Named(id) => Some(id),
    })
}

/// A server of models.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSettings {
    /// Its URL: for `chat` and `responses` with the `/v1` that most have.
    pub base_url: String,
    /// The variable that holds its key; it asks for none when absent.
    pub key_variable: Option<String>,
    /// What it speaks.
    #[serde(default)]
    pub api: Api,
}

/// What a server of models speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    /// Chat Completions.
    #[default]
    Chat,
    /// The Responses API.
    Responses,
    /// The Messages API.
    Anthropic,
}

/// What every worktree gets unless its query says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorktreeSettings {
    /// The command that prepares it, once.
    pub setup: Option<String>,
    /// Which ignored files to copy: those of `.worktreeinclude`, none, or those that these patterns
    /// name.
    pub include: Option<Included>,
}

/// Which ignored files to copy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Included {
    /// Those of `.worktreeinclude`, or none.
    File(bool),
    /// Those that these patterns name.
    Patterns(Vec<String>),
}

impl WorktreeSettings {
    /// Takes from `below` what `self` does not say.
    fn over(self, below: Self) -> Self {
        Self { setup: self.setup.or(below.setup), include: self.include.or(below.include) }
    }
}

/// The names of settings that a repository's file may have.
const REPOSITORY_KEYS: [&str; 13] = [
    "model",
    "concurrency",
    "max_turns",
    "max_budget_usd",
    "timeout",
    "idle_timeout",
    "max_output_tokens",
    "strict",
    "quiet",
    "output_format",
    "detach",
    "resume",
    "worktree",
];

impl Settings {
    /// Takes from `below` what `self` does not say.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        // They are one choice: who replays does not record what somebody else said to record.
        let is_settled = self.record.is_some() || self.replay.is_some();
        Self {
            model: self.model.or(below.model),
            concurrency: self.concurrency.or(below.concurrency),
            max_turns: self.max_turns.or(below.max_turns),
            max_budget_usd: self.max_budget_usd.or(below.max_budget_usd),
            prices: match (self.prices, below.prices) {
                (Some(mine), Some(below)) => Some(below.into_iter().chain(mine).collect()),
                (mine, below) => mine.or(below),
            },
            timeout: self.timeout.or(below.timeout),
            idle_timeout: self.idle_timeout.or(below.idle_timeout),
            max_output_tokens: self.max_output_tokens.or(below.max_output_tokens),
            strict: self.strict.or(below.strict),
            quiet: self.quiet.or(below.quiet),
            output_format: self.output_format.or(below.output_format),
            detach: self.detach.or(below.detach),
            resume: self.resume.or(below.resume),
            repo: self.repo.or(below.repo),
            worktree_root: self.worktree_root.or(below.worktree_root),
            record: self.record.or(below.record.filter(|_| !is_settled)),
            replay: self.replay.or(below.replay.filter(|_| !is_settled)),
            replay_tools: self.replay_tools.or(below.replay_tools),
            worktree: match (self.worktree, below.worktree) {
                (Some(mine), Some(below)) => Some(mine.over(below)),
                (mine, below) => mine.or(below),
            },
            providers: below.providers.into_iter().chain(self.providers).collect(),
            dry_run: self.dry_run.or(below.dry_run),
        }
    }

    /// Lowers to what `limits` says, where that is less: a repository sets no higher limit on money
    /// than its user.
    #[must_use]
    pub fn within(mut self, limits: &Self) -> Self {
        self.max_budget_usd = match (self.max_budget_usd, limits.max_budget_usd) {
            (Some(mine), Some(limit)) => Some(mine.min(limit)),
            (mine, _) => mine,
        };
        self
    }

    /// Loads the user's own file; absent is empty.
    ///
    /// # Errors
    /// Usage, for a file that cannot be understood.
    pub fn load_user(path: &Path) -> Result<Self> {
        let Some((text, _)) = load_if_there(path)? else { return Ok(Self::default()) };
        toml::from_str(&text).map_err(|fault| unreadable(path, &text, &fault))
    }

    /// Loads a repository's `agentlua.toml`; absent is empty.
    ///
    /// # Errors
    /// Usage, for a file that cannot be understood, or that sets what a repository may not.
    pub fn load_repository(path: &Path) -> Result<Self> {
        let Some((text, table)) = load_if_there(path)? else { return Ok(Self::default()) };
        if let Some(key) = table.keys().find(|key| !REPOSITORY_KEYS.contains(&key.as_str())) {
            return Err(Error::usage(format!("`{}` may not set `{key}`", path.display())).hint(
                "a repository sets defaults and limits; the rest goes into your own config.toml",
            ));
        }
        let settings: Self =
            toml::from_str(&text).map_err(|fault| unreadable(path, &text, &fault))?;
        // It names what is copied, as `.worktreeinclude` does; a command would run with the user's
        // rights before anybody has looked at it.
        if settings.worktree.as_ref().is_some_and(|worktree| worktree.setup.is_some()) {
            return Err(Error::usage(format!("`{}` may not set `worktree.setup`", path.display()))
                .hint("a command goes into your own config.toml, or into the script"));
        }
        if settings.model.as_ref().is_some_and(|model| is_lua_file(model)) {
            return Err(Error::usage(format!(
                "`{}` may not name a Lua file as the model",
                path.display()
            )));
        }
        Ok(settings)
    }
}

/// Reports whether a model's name is that of a Lua file.
pub fn is_lua_file(model: &str) -> bool {
    Path::new(model).extension().is_some_and(|extension| extension == "lua")
}

/// Returns a file's text and its keys, unless it is absent.
fn load_if_there(path: &Path) -> Result<Option<(String, toml::Table)>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(fault)
            if matches!(
                fault.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(fault) => {
            return Err(fault).or_kind(Kind::Io, || format!("cannot read `{}`", path.display()));
        }
    };
    let table: toml::Table =
        toml::from_str(&text).map_err(|fault| unreadable(path, &text, &fault))?;
    Ok(Some((text, table)))
}

fn unreadable(path: &Path, text: &str, fault: &toml::de::Error) -> Error {
    let mut error = Error::usage(format!("`{}`: {}", path.display(), fault.message()));
    let before = fault.span().and_then(|span| text.get(..span.start));
    let line = before.map(|before| format!(":{}", before.matches('\n').count() + 1));
    error.at = Some(format!("{}{}", path.display(), line.unwrap_or_default()));
    error
}

/// The settings of a run, every one with its value.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting")]
pub struct Config {
    /// The model of agents that name none.
    pub model: Option<String>,
    /// Agents at work at once.
    pub concurrency: usize,
    /// Model round trips of each agent.
    pub max_turns: u32,
    /// USD that the run may spend.
    pub max_budget_usd: Option<f64>,
    /// What models cost, where the user says so.
    pub prices: Prices,
    /// The time each agent may take.
    pub timeout: Option<Duration>,
    /// How long a model may be silent.
    pub idle_timeout: Duration,
    /// Tokens that one reply may have; the model's own default when absent.
    pub max_output_tokens: Option<u32>,
    /// Whether a denied tool call makes the run fail.
    pub strict: bool,
    /// Whether progress is left out.
    pub quiet: bool,
    /// What standard output holds.
    pub output_format: Format,
    /// The directory whose repository agents work on.
    pub repo: Option<PathBuf>,
    /// Where worktrees are kept, if somebody said.
    pub worktree_root: Option<PathBuf>,
    /// The cassette that models are recorded into.
    pub record: Option<PathBuf>,
    /// The cassette that answers in their place.
    pub replay: Option<PathBuf>,
    /// Whether the results of tools are played too.
    pub replay_tools: bool,
    /// What every worktree gets.
    pub worktree: WorktreeSettings,
    /// Servers beside the built-in ones.
    pub providers: BTreeMap<String, ProviderSettings>,
    /// Whether agents are planned and not asked.
    pub dry_run: bool,
}

impl Config {
    /// Checks `settings` and fills in the defaults.
    ///
    /// # Errors
    /// Usage, for a value that cannot be.
    pub fn new(settings: Settings) -> Result<Self> {
        let concurrency = settings.concurrency.unwrap_or(4);
        if !(1..=10_000).contains(&concurrency) {
            return Err(Error::usage(format!(
                "`concurrency` must be from 1 to 10000, not {concurrency}"
            )));
        }
        let max_turns = settings.max_turns.unwrap_or(20);
        if max_turns == 0 {
            return Err(Error::usage("`max_turns` must be at least 1"));
        }
        if settings.max_output_tokens == Some(0) {
            return Err(Error::usage("`max_output_tokens` must be at least 1"));
        }
        let max_budget_usd = settings.max_budget_usd.map(usd).transpose();
        let max_budget_usd =
            max_budget_usd.map_err(|why| Error::usage(format!("`max_budget_usd` {why}")))?;
        if settings.record.is_some() && settings.replay.is_some() {
            return Err(Error::usage("a run is recorded or replayed, and not both")
                .hint("leave out `record` or `replay`"));
        }
        if settings.replay_tools == Some(true) && settings.replay.is_none() {
            return Err(Error::usage("`replay_tools` needs a recording")
                .hint("name it: --replay FILE --replay-tools"));
        }
        let duration = |name: &str, value: Option<f64>| {
            value.map(seconds).transpose().map_err(|why| Error::usage(format!("`{name}` {why}")))
        };
        Ok(Self {
            model: settings.model,
            concurrency,
            max_turns,
            max_budget_usd,
            prices: money::checked(settings.prices.unwrap_or_default())?,
            timeout: duration("timeout", settings.timeout)?,
            idle_timeout: duration("idle_timeout", settings.idle_timeout)?
                .unwrap_or(Duration::from_secs(90)),
            max_output_tokens: settings.max_output_tokens,
            strict: settings.strict.unwrap_or(false),
            quiet: settings.quiet.unwrap_or(false),
            output_format: settings.output_format.unwrap_or_default(),
            repo: settings.repo,
            worktree_root: settings.worktree_root,
            record: settings.record,
            replay: settings.replay,
            replay_tools: settings.replay_tools.unwrap_or(false),
            worktree: settings.worktree.unwrap_or_default(),
            providers: settings.providers,
            dry_run: settings.dry_run.unwrap_or(false),
        })
    }
}

/// Where agentlua keeps what outlives a run: `${XDG_STATE_HOME:-~/.local/state}/agentlua`.
///
/// # Errors
/// Usage, without a home.
pub fn state_dir(variable: impl Fn(&str) -> Option<String>) -> Result<PathBuf> {
    xdg(&variable, "XDG_STATE_HOME", ".local/state")
}

/// Where the user's own settings are: `${XDG_CONFIG_HOME:-~/.config}/agentlua`.
///
/// # Errors
/// Usage, without a home.
pub fn config_dir(variable: impl Fn(&str) -> Option<String>) -> Result<PathBuf> {
    xdg(&variable, "XDG_CONFIG_HOME", ".config")
}

fn xdg(variable: &dyn Fn(&str) -> Option<String>, name: &str, below_home: &str) -> Result<PathBuf> {
    // The specification tells to ignore relative paths.
    if let Some(base) = variable(name).map(PathBuf::from).filter(|path| path.is_absolute()) {
        return Ok(base.join("agentlua"));
    }
    match variable("HOME").filter(|home| !home.is_empty()) {
        Some(home) => Ok(PathBuf::from(home).join(below_home).join("agentlua")),
        None => Err(Error::usage("there is no home directory").hint(format!("set HOME or {name}"))),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_nearer_source_wins() {
        let flag = Settings { concurrency: Some(2), ..Settings::default() };
        let file = Settings { concurrency: Some(9), max_turns: Some(3), ..Settings::default() };
        let config = Config::new(flag.over(file)).unwrap();
        assert_eq!((config.concurrency, config.max_turns), (2, 3));
        assert_eq!(config.idle_timeout, Duration::from_secs(90));
    }

    #[test]
    fn values_that_cannot_be_are_refused() {
        for settings in [
            Settings { concurrency: Some(0), ..Settings::default() },
            Settings { max_turns: Some(0), ..Settings::default() },
            Settings { max_budget_usd: Some(0.0), ..Settings::default() },
            Settings { max_budget_usd: Some(f64::INFINITY), ..Settings::default() },
            Settings { timeout: Some(-1.0), ..Settings::default() },
            Settings { timeout: Some(f64::NAN), ..Settings::default() },
        ] {
            assert!(Config::new(settings.clone()).is_err(), "{settings:?}");
        }
    }

    #[test]
    fn a_repository_cannot_loosen_or_redirect() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agentlua.toml");
        for (text, message) in [
            ("worktree_root = '/x'", "may not set `worktree_root`"),
            ("prices.x = { input = 0, output = 0 }", "may not set `prices`"),
            ("[providers.x]\nbase_url = 'http://x'", "may not set `providers`"),
            ("[worktree]\nsetup = 'x'", "may not set `worktree.setup`"),
            ("[worktree]\nsparse = ['x']", "unknown field"),
            ("model = 'x.lua'", "may not name a Lua file"),
            ("max_turns = 'x'", "invalid type"),
            ("= 1", "agentlua.toml"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Settings::load_repository(&path).unwrap_err();
            assert_eq!(error.kind, Kind::Usage);
            assert!(error.message.contains(message), "{}", error.message);
        }
        std::fs::write(&path, "max_turns = 3").unwrap();
        assert_eq!(Settings::load_repository(&path).unwrap().max_turns, Some(3));
        std::fs::write(&path, "[worktree]\ninclude = ['.env']").unwrap();
        let worktree = Settings::load_repository(&path).unwrap().worktree.unwrap();
        assert_eq!(worktree.include, Some(Included::Patterns(vec![".env".to_owned()])));
    }

    #[test]
    fn the_user_names_servers_of_models() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, "[providers.groq]\nbase_url = 'http://g'\nkey_variable = 'K'\n")
            .unwrap();
        let providers = Settings::load_user(&path).unwrap().providers;
        let groq = ProviderSettings {
            base_url: "http://g".to_owned(),
            key_variable: Some("K".to_owned()),
            api: Api::Chat,
        };
        assert_eq!(providers["groq"], groq);
        for (text, message) in [
            ("[providers.x]\nbase_url = 'http://x'\napi = 'grpc'", "unknown variant `grpc`"),
            ("[providers.x]\nbase_url = 'http://x'\nkey = 'sk'", "unknown field `key`"),
            ("[providers.x]\napi = 'chat'", "missing field `base_url`"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Settings::load_user(&path).unwrap_err();
            assert!(error.message.contains(message), "{}", error.message);
        }
        std::fs::write(&path, "max_turns = 3\n\nconcurrency = 'x'\n").unwrap();
        let at = Settings::load_user(&path).unwrap_err().at.unwrap();
        assert!(at.ends_with("config.toml:3"), "{at}");
        std::fs::write(&path, "max_turns = 3\nconcurrency 4\n").unwrap();
        let at = Settings::load_user(&path).unwrap_err().at.unwrap();
        assert!(at.ends_with("config.toml:2"), "{at}");
    }
}
