//! Where settings come from: which source says what, for whoever wonders why a setting is as it is.
//!
//! It says what was written, and not what it means: that is for the settings themselves.

use std::path::{Path, PathBuf};

use crate::error::Result;

use super::load_if_there;

/// Variables and the settings that they set.
pub const VARIABLES: [(&str, &str); 18] = [
    ("AGENTLUA_MODEL", "model"),
    ("AGENTLUA_CONCURRENCY", "concurrency"),
    ("AGENTLUA_MAX_TURNS", "max_turns"),
    ("AGENTLUA_MAX_BUDGET_USD", "max_budget_usd"),
    ("AGENTLUA_TIMEOUT", "timeout"),
    ("AGENTLUA_IDLE_TIMEOUT", "idle_timeout"),
    ("AGENTLUA_MAX_OUTPUT_TOKENS", "max_output_tokens"),
    ("AGENTLUA_STRICT", "strict"),
    ("AGENTLUA_QUIET", "quiet"),
    ("AGENTLUA_OUTPUT_FORMAT", "output_format"),
    ("AGENTLUA_REPO", "repo"),
    ("AGENTLUA_DETACH", "detach"),
    ("AGENTLUA_RESUME", "resume"),
    ("AGENTLUA_WORKTREE_ROOT", "worktree_root"),
    ("AGENTLUA_RECORD", "record"),
    ("AGENTLUA_REPLAY", "replay"),
    ("AGENTLUA_REPLAY_TOOLS", "replay_tools"),
    ("AGENTLUA_DRY_RUN", "dry_run"),
];

/// A source of settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A variable of the environment.
    Variable(&'static str),
    /// A file.
    File(PathBuf),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Variable(name) => f.write_str(name),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What a source says of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The setting.
    pub key: String,
    /// Its value as people read it; of a table the names in it.
    pub value: String,
    /// Who says it.
    pub origin: Origin,
    /// Whether a nearer source says otherwise, or a lower limit stands.
    pub overruled: bool,
}

/// Returns what is said of settings, the nearest source first; `files` are the repository's and the user's,
/// in that order.
///
/// # Errors
/// Usage, for a file that cannot be understood.
pub fn said(variable: &dyn Fn(&str) -> Option<String>, files: &[PathBuf]) -> Result<Vec<Said>> {
    let mut all: Vec<Said> = Vec::new();
    for (name, key) in VARIABLES {
        if let Some(value) = variable(name).filter(|value| !value.is_empty()) {
            let origin = Origin::Variable(name);
            all.push(Said { key: key.to_owned(), value, origin, overruled: false });
        }
    }
    for file in files {
        let Some((_, table)) = load_if_there(file)? else { continue };
        for (key, value) in table {
            let value = shown(&value);
            let overruled = all.iter().any(|nearer| nearer.key == key) && !adds_up(&key);
            all.push(Said { key, value, origin: Origin::File(file.clone()), overruled });
        }
    }
    lower_limit(&mut all, files.first().map(PathBuf::as_path));
    Ok(all)
}

/// Returns a value as people read it; of a table the names alone.
fn shown(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(is_so) => is_so.to_string(),
        toml::Value::Datetime(at) => at.to_string(),
        toml::Value::Array(values) => values.iter().map(shown).collect::<Vec<_>>().join(", "),
        toml::Value::Table(table) => table.keys().cloned().collect::<Vec<_>>().join(", "),
    }
}

fn adds_up(key: &str) -> bool {
    ["providers", "prices", "worktree"].contains(&key)
}

/// A repository sets no higher limit on money than its user.
fn lower_limit(all: &mut [Said], repository: Option<&Path>) {
    let limits: Vec<usize> = (0..all.len()).filter(|at| all[*at].key == "max_budget_usd").collect();
    let [theirs, mine] = limits[..] else { return };
    let of_repository =
        matches!(&all[theirs].origin, Origin::File(file) if Some(&**file) == repository);
    let usd = |at: usize| all[at].value.parse::<f64>().unwrap_or(f64::INFINITY);
    if of_repository && usd(mine) < usd(theirs) {
        (all[theirs].overruled, all[mine].overruled) = (true, false);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_source_stands_and_limits_only_fall() {
        let dir = tempfile::tempdir().unwrap();
        let (repository, user) = (dir.path().join("agentlua.toml"), dir.path().join("config.toml"));
        std::fs::write(&repository, "max_turns = 5\nmax_budget_usd = 9\nmodel = 'a/b'\n").unwrap();
        std::fs::write(
            &user,
            "max_turns = 7\nmax_budget_usd = 2.5\n[providers.groq]\nbase_url = 'x'\n",
        )
        .unwrap();
        let variable = |name: &str| (name == "AGENTLUA_MODEL").then(|| "c/d".to_owned());
        let all = said(&variable, &[repository, user]).unwrap();
        let mut lines: Vec<String> = Vec::new();
        for Said { key, value, origin, overruled } in &all {
            let file = origin.to_string();
            let from = file.rsplit('/').next().unwrap();
            lines.push(format!("{key} = {value} ({from}){}", if *overruled { " no" } else { "" }));
        }
        lines.sort();
        assert_eq!(
            lines,
            [
                "max_budget_usd = 2.5 (config.toml)",
                "max_budget_usd = 9 (agentlua.toml) no",
                "max_turns = 5 (agentlua.toml)",
                "max_turns = 7 (config.toml) no",
                "model = a/b (agentlua.toml) no",
                "model = c/d (AGENTLUA_MODEL)",
                "providers = groq (config.toml)",
            ]
        );
    }
}
