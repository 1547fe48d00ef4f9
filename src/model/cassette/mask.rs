//! What must not stand in a cassette, and what is another thing in every run: secrets, folders, and the
//! ids of agents. Each has a mark in its place; when a cassette is played, the marks in what models
//! said become the folders and agents of that run, so that calls still mean the same files.
//!
//! A secret is the value of a variable whose name says so, or a word that is shaped like a key. Its
//! mark stays.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use regex::Regex;
use serde_json::Value;

use crate::model::Caller;

/// What stands for a secret.
pub const SECRET: &str = "⟦secret⟧";
const WORKTREES: &str = "⟦worktrees⟧";
const REPOSITORY: &str = "⟦repository⟧";
const START: &str = "⟦start⟧";
const HOME: &str = "⟦home⟧";
const TRIAL: &str = "⟦trial⟧";

/// Ends of the names of variables that hold secrets.
const SECRET_NAMES: [&str; 4] = ["KEY", "TOKEN", "SECRET", "PASSWORD"];
/// Shorter values are no secrets, and may be any word.
const SHORTEST_SECRET: usize = 8;

/// Words that are keys by their looks.
static KEYS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x)
        -----BEGIN\ [A-Z\ ]*PRIVATE\ KEY-----[^-]*(?:-----END\ [A-Z\ ]*PRIVATE\ KEY-----)?
        | \b(?:
            sk-[A-Za-z0-9_-]{16,}
          | (?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{16,}
          | github_pat_[A-Za-z0-9_]{16,}
          | glpat-[A-Za-z0-9_-]{16,}
          | xox[abeoprs]-[A-Za-z0-9-]{10,}
          | (?:AKIA|ASIA)[A-Z0-9]{16}
          | AIza[A-Za-z0-9_-]{30,}
        )",
    )
    .ok()
});

static AGENT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"agent-[0-9a-f]{4,32}").ok());
static TRIAL_NAME: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^merge-[0-9a-f]{8,32}-[0-9a-f]{1,8}-\d+$").ok());
static MARK: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("⟦agent ([^⟧]*)⟧").ok());

/// The folders of a run.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Where agentlua was started.
    pub start: String,
    /// The top of the repository there, if there is one.
    pub repository: Option<String>,
    /// The user's home.
    pub home: Option<String>,
}

/// What is hidden in a run, and shown again.
#[derive(Debug, Default)]
pub struct Mask {
    /// Folders with their marks.
    places: Vec<(String, &'static str)>,
    secrets: Mutex<Vec<String>>,
    agents: Mutex<Agents>,
}

#[derive(Debug, Default)]
struct Agents {
    paths: HashMap<String, String>,
    ids: HashMap<String, String>,
}

impl Mask {
    /// Makes that of a run.
    pub fn new(places: Places) -> Self {
        let all =
            [(places.repository, REPOSITORY), (Some(places.start), START), (places.home, HOME)];
        let mut kept: Vec<(String, &'static str)> = Vec::new();
        for (place, mark) in all {
            // The root of the disk is in every path.
            if let Some(place) = place.filter(|place| place.len() > 1)
                && !kept.iter().any(|(known, _)| *known == place)
            {
                kept.push((place, mark));
            }
        }
        // What lies in another folder comes first; equals stay in their order.
        kept.sort_by_key(|(place, _)| std::cmp::Reverse(place.len()));
        Self { places: kept, ..Self::default() }
    }

    /// Takes note of the secrets among variables.
    pub fn learn<'a>(&self, variables: impl IntoIterator<Item = (&'a String, &'a String)>) {
        let is_secret = |name: &str| {
            let name = name.to_uppercase();
            SECRET_NAMES.iter().any(|end| name.ends_with(end))
        };
        for (name, value) in variables {
            if is_secret(name) {
                self.hide_value(value);
            }
        }
    }

    /// Takes note of a secret.
    pub fn hide_value(&self, value: &str) {
        let value = value.trim();
        let mut secrets = locked(&self.secrets);
        if value.len() >= SHORTEST_SECRET && !secrets.iter().any(|known| known == value) {
            secrets.push(value.to_owned());
            // One that is a part of another must not hide a part of it.
            secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        }
    }

    /// Takes note of who asks.
    pub fn meet(&self, caller: &Caller) {
        let mut agents = locked(&self.agents);
        if !caller.agent.is_empty() && !agents.paths.contains_key(&caller.agent) {
            agents.ids.insert(caller.path.clone(), caller.agent.clone());
            agents.paths.insert(caller.agent.clone(), caller.path.clone());
        }
    }

    /// Returns a text with marks for what is hidden.
    pub fn hide<'a>(&self, text: &'a str, caller: &Caller) -> Cow<'a, str> {
        let mut hidden = Cow::Borrowed(text);
        for secret in &*locked(&self.secrets) {
            if hidden.contains(secret.as_str()) {
                hidden = Cow::Owned(hidden.replace(secret.as_str(), SECRET));
            }
        }
        if let Some(keys) = &*KEYS
            && let Cow::Owned(other) = keys.replace_all(&hidden, SECRET)
        {
            hidden = Cow::Owned(other);
        }
        if let Some(worktrees) = worktrees(caller) {
            replace_path(&mut hidden, &worktrees, WORKTREES);
        }
        if let Some(trial) = trial(caller)
            && hidden.contains(trial)
        {
            hidden = Cow::Owned(hidden.replace(trial, TRIAL));
        }
        for (place, mark) in &self.places {
            replace_path(&mut hidden, place, mark);
        }
        let agents = locked(&self.agents);
        if let Some(pattern) = &*AGENT {
            let marked = pattern.replace_all(&hidden, |found: &regex::Captures<'_>| {
                let id = &found[0];
                agents.paths.get(id).map_or_else(|| id.to_owned(), |path| format!("⟦agent {path}⟧"))
            });
            if let Cow::Owned(marked) = marked {
                hidden = Cow::Owned(marked);
            }
        }
        hidden
    }

    /// Returns a text with what the marks stand for in this run.
    pub fn show(&self, text: &str, caller: &Caller) -> String {
        if !text.contains('⟦') {
            return text.to_owned();
        }
        let mut shown = text.to_owned();
        if let Some(worktrees) = worktrees(caller) {
            shown = shown.replace(WORKTREES, &worktrees);
        }
        if let Some(trial) = trial(caller) {
            shown = shown.replace(TRIAL, trial);
        }
        for mark in [REPOSITORY, START, HOME] {
            // Where both are one here, it has the first mark.
            let place = self.places.iter().find(|(_, known)| *known == mark);
            let place =
                place.or_else(|| self.places.iter().find(|(_, known)| *known == REPOSITORY));
            if let Some((place, _)) = place {
                shown = shown.replace(mark, place);
            }
        }
        let agents = locked(&self.agents);
        let Some(pattern) = &*MARK else { return shown };
        let named = pattern.replace_all(&shown, |found: &regex::Captures<'_>| {
            agents.ids.get(&found[1]).cloned().unwrap_or_else(|| found[0].to_owned())
        });
        named.into_owned()
    }

    /// Hides what is to be hidden in every text of a value.
    pub fn hide_in(&self, value: &mut Value, caller: &Caller) {
        each_text(value, &|text| self.hide(text, caller).into_owned());
    }

    /// Shows what was hidden in every text of a value.
    pub fn show_in(&self, value: &mut Value, caller: &Caller) {
        each_text(value, &|text| self.show(text, caller));
    }
}

/// Returns the folder in which the worktrees of the asking agent's repository are.
fn worktrees(caller: &Caller) -> Option<String> {
    let folder = caller.has_worktree.then(|| caller.directory.parent()).flatten()?;
    Some(folder.display().to_string()).filter(|folder| folder.len() > 1)
}

/// Returns the name of the asking agent's folder, if a merge is tried there: its branch has that too.
fn trial(caller: &Caller) -> Option<&str> {
    let name = caller.directory.file_name()?.to_str()?;
    (caller.has_worktree && TRIAL_NAME.as_ref()?.is_match(name)).then_some(name)
}

/// Puts a mark in the place of a folder, where it is all of a path or the start of one.
fn replace_path(text: &mut Cow<'_, str>, place: &str, mark: &str) {
    if !text.contains(place) {
        return;
    }
    let joins = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '-';
    let mut replaced = String::with_capacity(text.len());
    let mut rest = &**text;
    while let Some(at) = rest.find(place) {
        let (before, after) = (&rest[..at], &rest[at + place.len()..]);
        let goes_on = after.starts_with(joins);
        let follows = before.ends_with(|letter| joins(letter) || letter == '.' || letter == '/');
        replaced.push_str(before);
        replaced.push_str(if goes_on || follows { place } else { mark });
        rest = after;
    }
    replaced.push_str(rest);
    *text = Cow::Owned(replaced);
}

fn each_text(value: &mut Value, change: &dyn Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| each_text(item, change)),
        Value::Object(fields) => {
            let taken = std::mem::take(fields);
            for (name, mut field) in taken {
                each_text(&mut field, change);
                fields.insert(change(&name), field);
            }
        }
        _ => {}
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn caller(agent: &str, path: &str, folder: &str) -> Caller {
        Caller {
            path: path.to_owned(),
            agent: agent.to_owned(),
            directory: format!("{folder}/{agent}").into(),
            has_worktree: true,
            ..Caller::default()
        }
    }

    fn mask(start: &str, home: &str) -> Mask {
        Mask::new(Places {
            start: start.to_owned(),
            repository: Some(start.to_owned()),
            home: Some(home.to_owned()),
        })
    }

    #[test]
    fn what_one_run_hides_another_shows_as_its_own() {
        let then = mask("/home/ada/shop", "/home/ada");
        let (first, second) = (
            caller("agent-a3f2", "/query#1", "/w/shop-1"),
            caller("agent-77777", "/query#2", "/w/shop-1"),
        );
        then.meet(&first);
        then.meet(&second);
        let said = "cat /w/shop-1/agent-a3f2/x /home/ada/shop/y ~ /home/ada/.z; see agent-77777, agent-9999";
        let hidden = then.hide(said, &first);
        assert_eq!(
            hidden,
            "cat ⟦worktrees⟧/⟦agent /query#1⟧/x ⟦repository⟧/y ~ ⟦home⟧/.z; see ⟦agent /query#2⟧, agent-9999"
        );
        assert_eq!(then.show(&hidden, &first), said);

        let now = mask("/ci/checkout", "/root");
        let (first, second) =
            (caller("agent-0b0b", "/query#1", "/t/wt"), caller("agent-1c1c", "/query#2", "/t/wt"));
        now.meet(&first);
        now.meet(&second);
        assert_eq!(
            now.show(&hidden, &first),
            "cat /t/wt/agent-0b0b/x /ci/checkout/y ~ /root/.z; see agent-1c1c, agent-9999"
        );
    }

    #[test]
    fn where_a_merge_is_tried_is_another_place_in_every_run() {
        let mask = mask("/srv/app", "/root");
        let then = caller("merge-18ea8d90fee9fc88-2aed-0", "/query#1", "/w");
        let now = caller("merge-19ea8d90fee9fd99-7-3", "/query#1", "/t");
        let said = "cd /w/merge-18ea8d90fee9fc88-2aed-0 on agentlua/merge-18ea8d90fee9fc88-2aed-0";
        let hidden = mask.hide(said, &then);
        assert_eq!(hidden, "cd ⟦worktrees⟧/⟦trial⟧ on agentlua/⟦trial⟧");
        assert_eq!(
            mask.show(&hidden, &now),
            "cd /t/merge-19ea8d90fee9fd99-7-3 on agentlua/merge-19ea8d90fee9fd99-7-3"
        );
    }

    #[test]
    fn a_folder_is_no_part_of_another_name() {
        let mask = mask("/srv/app", "/root");
        let nobody = Caller::default();
        for same in ["/srv/application", "/x/srv/app", "/rootkit", "../root", "/srv/app-2/x"] {
            assert_eq!(mask.hide(same, &nobody), same);
        }
        assert_eq!(mask.hide("(/srv/app), /root.", &nobody), "(⟦repository⟧), ⟦home⟧.");
    }

    #[test]
    fn secrets_are_found_by_name_and_by_looks() {
        let mask = Mask::default();
        let variables: Vec<(String, String)> = [
            ("MY_API_KEY", "correct horse"),
            ("db_password", " hunter2hunter2\n"),
            ("SHORT_TOKEN", "abc"),
            ("PATH", "/usr/bin:/bin"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        mask.learn(variables.iter().map(|(name, value)| (name, value)));
        let nobody = Caller::default();
        let key = format!("sk-ant-{}", "x".repeat(20));
        let text = format!(
            "correct horse hunter2hunter2 abc /usr/bin:/bin {key} AKIAABCDEFGHIJKLMNOP ghp_{}",
            "a".repeat(36)
        );
        let hidden = mask.hide(&text, &nobody);
        assert_eq!(hidden, "⟦secret⟧ ⟦secret⟧ abc /usr/bin:/bin ⟦secret⟧ ⟦secret⟧ ⟦secret⟧");
        assert_eq!(mask.show(&hidden, &nobody), hidden);
        for same in ["sk-short", "risk-assessment-of-everything", "task-0123456789abcdefgh"] {
            assert_eq!(mask.hide(same, &nobody), same);
        }
        let pem = "-----BEGIN RSA PRIVATE KEY-----\nabc\ndef\n-----END RSA PRIVATE KEY-----\nrest";
        assert_eq!(mask.hide(pem, &nobody), "⟦secret⟧\nrest");
        let mut value = json!({ "correct horse": [{ "a": "x correct horse" }, 1] });
        mask.hide_in(&mut value, &nobody);
        assert_eq!(value, json!({ "⟦secret⟧": [{ "a": "x ⟦secret⟧" }, 1] }));
    }
}
