//! The configuration of an agent's repository: of the user's the part that says how files are stored,
//! who they are and where to fetch from, and settings that keep the agent's git to itself. What runs a
//! program unasked, pushes, or is a secret stays out.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::bail;

use crate::git::command::{fields, path, text};
use crate::git::repo::{NOBODY, Repo};

/// Settings of `core` that say how files are stored and shown.
const CORE: [&str; 23] = [
    "abbrev",
    "attributesfile",
    "autocrlf",
    "bigfilethreshold",
    "checkroundtripencoding",
    "checkstat",
    "commentchar",
    "compression",
    "eol",
    "excludesfile",
    "filemode",
    "ignorecase",
    "longpaths",
    "loosecompression",
    "precomposeunicode",
    "protecthfs",
    "protectntfs",
    "quotepath",
    "safecrlf",
    "sharedrepository",
    "symlinks",
    "trustctime",
    "whitespace",
];

/// Sections that are taken over whole.
const SECTIONS: [&str; 9] =
    ["author", "branch", "committer", "diff", "filter", "i18n", "lfs", "merge", "user"];

/// What is taken over of a remote.
const REMOTE: [&str; 5] = ["fetch", "partialclonefilter", "promisor", "tagopt", "url"];

/// Where pushes of agents go, whatever they name: no repository is there. The slash keeps git from taking
/// it for a host.
const NO_PUSH: &str = "agents-cannot-push/agentlua-takes-their-work-in/";

/// One setting: its key in lower case but for the middle part, and its value if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Setting {
    key: Vec<u8>,
    value: Option<Vec<u8>>,
}

/// What the user has configured.
#[derive(Debug, Default)]
pub(in crate::git) struct Settings {
    /// In the repository.
    local: Vec<Setting>,
    /// Who they are, wherever they said so; the last counts.
    identity: Vec<Setting>,
}

/// The settings as they were when the files had these times.
#[derive(Debug, Default)]
pub(in crate::git) struct Cached(tokio::sync::Mutex<Option<(Stamp, Arc<Settings>)>>);

type Stamp = Option<(SystemTime, u64)>;

impl Repo {
    /// Returns the user's settings; git is asked again when the repository's file has changed.
    pub(in crate::git) async fn settings(&self) -> anyhow::Result<Arc<Settings>> {
        let file = self.common_dir().join("config").metadata().ok();
        let stamp = file.and_then(|file| Some((file.modified().ok()?, file.len())));
        let mut cached = self.settings.0.lock().await;
        if let Some((then, settings)) = &*cached
            && *then == stamp
            && stamp.is_some()
        {
            return Ok(Arc::clone(settings));
        }
        let listed = self.git("config").args(["--list", "-z", "--show-scope", "--includes"]);
        let settings = Arc::new(Settings::parse(&listed.bytes().await?));
        *cached = Some((stamp, Arc::clone(&settings)));
        Ok(settings)
    }
}

impl Settings {
    fn parse(bytes: &[u8]) -> Self {
        let mut settings = Self::default();
        let records: Vec<&[u8]> = fields(bytes).collect();
        for [scope, record] in records.as_chunks().0 {
            let mut halves = record.splitn(2, |byte| *byte == b'\n');
            let key = halves.next().unwrap_or_default().to_vec();
            let setting = Setting { key, value: halves.next().map(<[u8]>::to_vec) };
            if setting.is_identity() && *scope != b"command" {
                settings.identity.push(setting.clone());
            }
            if *scope == b"local" {
                settings.local.push(setting);
            }
        }
        settings
    }

    /// Tells whether a worktree's record is HEAD, two links and a lock, and nothing of a worktree's own
    /// configuration, its patterns or its table of refs.
    pub(in crate::git) fn keeps_plain_records(&self) -> bool {
        let more: [&[u8]; 3] = [
            b"extensions.worktreeconfig",
            b"extensions.refstorage",
            b"extensions.relativeworktrees",
        ];
        !self.local.iter().any(|setting| more.contains(&&*setting.key))
    }

    /// Tells whether objects may be missing here because a remote has them.
    pub(in crate::git) fn is_partial(&self) -> bool {
        self.local.iter().any(|setting| {
            setting.key == b"extensions.partialclone"
                || (setting.key.starts_with(b"remote.") && setting.key.ends_with(b".promisor"))
        })
    }
}

impl Setting {
    /// Splits the key into its section, its middle part and its name.
    fn parts(&self) -> (&[u8], Option<&[u8]>, &[u8]) {
        let mut dots = self.key.iter().enumerate().filter(|(_, byte)| **byte == b'.');
        let Some((first, _)) = dots.next() else { return (&self.key, None, b"") };
        match dots.next_back() {
            Some((last, _)) => {
                (&self.key[..first], Some(&self.key[first + 1..last]), &self.key[last + 1..])
            }
            None => (&self.key[..first], None, &self.key[first + 1..]),
        }
    }

    fn is_identity(&self) -> bool {
        matches!(self.parts(), (b"user" | b"author" | b"committer", None, b"name" | b"email"))
    }

    /// Tells whether an agent's repository has it too.
    fn passes(&self) -> bool {
        let (section, middle, name) = self.parts();
        let is = |words: &[&str], word: &[u8]| words.iter().any(|known| known.as_bytes() == word);
        match (section, middle) {
            (b"core", None) => is(&CORE, name),
            (b"remote", Some(_)) => is(&REMOTE, name),
            (b"submodule", Some(_)) => is(&["active", "url"], name),
            (b"submodule", None) => name == b"active",
            (b"extensions", None) => is(&["objectformat", "partialclone"], name),
            // A key to sign with is of no use to an agent: its commits are not signed.
            (b"user", None) => is(&["email", "name"], name),
            _ => is(&SECTIONS, section),
        }
    }
}

/// What the configuration of one worktree is made from.
pub(super) struct Sources<'s> {
    pub settings: &'s Settings,
    /// The folder of the files.
    pub work_tree: &'s Path,
    /// The directory that all worktrees of the user's repository share.
    pub common_dir: &'s Path,
    /// Where a remote's relative path starts.
    pub top: &'s Path,
    /// The worktree's own `config.worktree`, as git made it.
    pub own: Option<&'s Path>,
    /// Whether it has patterns of what is checked out. Those of one that was made sparse on request are
    /// in no setting of the user's; with one, what the agent's git checks out keeps to them too.
    pub sparse: bool,
}

/// Writes the configuration.
pub(super) fn text_of(sources: &Sources<'_>) -> anyhow::Result<Vec<u8>> {
    let mut settings: Vec<Setting> =
        sources.settings.local.iter().filter(|setting| setting.passes()).cloned().collect();
    settings.extend(sources.settings.identity.iter().cloned());
    settings.extend(own(sources.own)?);
    let mut text = Text(Vec::new());
    let extended = settings.iter().any(|setting| setting.key.starts_with(b"extensions."));
    text.set(b"core.repositoryformatversion", if extended { b"1" } else { b"0" })?;
    for Setting { key, value } in &mut settings {
        if key.starts_with(b"remote.") && key.ends_with(b".url") {
            *value = value.take().map(|url| fetched_from(&url, sources.top));
        }
    }
    for Setting { key, value } in &settings {
        text.add(key, value.as_deref())?;
    }
    for (key, value) in ["name", "email"].into_iter().zip([NOBODY.0, NOBODY.1]) {
        let key = format!("user.{key}");
        if !settings.iter().any(|setting| setting.key == key.as_bytes()) {
            text.set(key.as_bytes(), value.as_bytes())?;
        }
    }
    if !settings.iter().any(|setting| setting.key == b"lfs.storage") {
        let storage = sources.common_dir.join("lfs");
        text.set(b"lfs.storage", storage.as_os_str().as_encoded_bytes())?;
    }
    if sources.sparse && !settings.iter().any(|setting| setting.key == b"core.sparsecheckout") {
        text.set(b"core.sparsecheckout", b"true")?;
        text.set(b"core.sparsecheckoutcone", b"true")?;
    }
    for setting in &settings {
        if let (b"remote", Some(name), b"url") = setting.parts() {
            text.set(&[b"remote.", name, b".pushurl"].concat(), NO_PUSH.as_bytes())?;
        }
    }
    // Of a push that names an address, the address is rewritten, whatever it starts with.
    text.set(format!("url.{NO_PUSH}.pushinsteadof").as_bytes(), b"")?;
    for (key, value) in [
        ("core.bare", "false"),
        ("core.hookspath", "/dev/null"),
        ("core.fsmonitor", "false"),
        ("commit.gpgsign", "false"),
        ("tag.gpgsign", "false"),
        ("gc.auto", "0"),
        ("maintenance.auto", "false"),
    ] {
        text.set(key.as_bytes(), value.as_bytes())?;
    }
    text.set(b"core.worktree", sources.work_tree.as_os_str().as_encoded_bytes())?;
    Ok(text.0)
}

/// Reads a worktree's own settings: which files it leaves out.
fn own(file: Option<&Path>) -> anyhow::Result<Vec<Setting>> {
    let Some(file) = file else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let config = git2::Config::open(file)?;
    let mut entries = config.entries(None)?;
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let key = entry.name_bytes().to_vec();
        let value = entry.has_value().then(|| entry.value_bytes().to_vec());
        let setting = Setting { key, value };
        let sparse = [&b"core.sparsecheckout"[..], b"core.sparsecheckoutcone", b"index.sparse"];
        if setting.passes() || sparse.contains(&&*setting.key) {
            found.push(setting);
        }
    }
    Ok(found)
}

/// Returns where to fetch from: no password, and no path that depends on the folder.
fn fetched_from(url: &[u8], top: &Path) -> Vec<u8> {
    let at = |needle: &[u8]| url.windows(needle.len()).position(|found| found == needle);
    if let Some(scheme) = at(b"://") {
        let rest = &url[scheme + 3..];
        let host = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
        let Some(user) = rest[..host].iter().rposition(|byte| *byte == b'@') else {
            return url.to_vec();
        };
        let name = rest[..user].split(|byte| *byte == b':').next().unwrap_or_default();
        return [&url[..scheme + 3], name, &rest[user..]].concat();
    }
    let slash = at(b"/").unwrap_or(url.len());
    let remote = at(b":").is_some_and(|colon| colon < slash);
    if remote || url.starts_with(b"/") || url.starts_with(b"~") {
        return url.to_vec();
    }
    top.join(path(url)).into_os_string().into_encoded_bytes()
}

/// A configuration file in the making.
struct Text(Vec<u8>);

/// Returns the file that an agent's git takes for the user's own settings: it reads them, and what
/// `git config --global` writes stays in it. `~` is left to git, so that a test suite with a `HOME` of
/// its own reads that one's.
pub(super) fn global(repo: &Repo) -> anyhow::Result<Vec<u8>> {
    let mut text = Text(Vec::new());
    if let Some(file) = repo.program.variable("GIT_CONFIG_GLOBAL") {
        if !file.is_empty() {
            text.set(b"include.path", file.as_encoded_bytes())?;
        }
        return Ok(text.0);
    }
    let folder = repo.program.variable("XDG_CONFIG_HOME").map(Path::new);
    let folder = folder.filter(|folder| folder.is_absolute()).unwrap_or(Path::new("~/.config"));
    text.set(b"include.path", folder.join("git/config").as_os_str().as_encoded_bytes())?;
    text.set(b"include.path", b"~/.gitconfig")?;
    Ok(text.0)
}

impl Text {
    fn set(&mut self, key: &[u8], value: &[u8]) -> anyhow::Result<()> {
        self.add(key, Some(value))
    }

    fn add(&mut self, key: &[u8], value: Option<&[u8]>) -> anyhow::Result<()> {
        let setting = Setting { key: key.to_vec(), value: None };
        let (section, middle, name) = setting.parts();
        let out = &mut self.0;
        out.push(b'[');
        out.extend_from_slice(section);
        if let Some(middle) = middle {
            out.extend_from_slice(b" \"");
            escape(out, middle, key)?;
            out.push(b'"');
        }
        out.extend_from_slice(b"]\n\t");
        out.extend_from_slice(name);
        if let Some(value) = value {
            out.extend_from_slice(b" = \"");
            escape(out, value, key)?;
            out.push(b'"');
        }
        out.push(b'\n');
        Ok(())
    }
}

fn escape(out: &mut Vec<u8>, bytes: &[u8], key: &[u8]) -> anyhow::Result<()> {
    for byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            // Git drops it in front of a line break.
            b'\r' | 0 => bail!("a configuration file cannot hold the value of `{}`", text(key)),
            _ => out.push(*byte),
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn settings_that_run_something_or_are_secret_stay_out() {
        let setting = |key: &str| Setting { key: key.as_bytes().to_vec(), value: None };
        for key in [
            "core.autocrlf",
            "core.filemode",
            "filter.lfs.clean",
            "remote.a.b.url",
            "remote.origin.fetch",
            "branch.main.merge",
            "user.email",
            "submodule.x.url",
            "extensions.objectformat",
        ] {
            assert!(setting(key).passes(), "{key}");
        }
        for key in [
            "core.fsmonitor",
            "core.hookspath",
            "core.sshcommand",
            "core.pager",
            "core.worktree",
            "core.bare",
            "http.extraheader",
            "http.https://example.com/.extraheader",
            "credential.helper",
            "remote.origin.pushurl",
            "remote.origin.uploadpack",
            "alias.x",
            "extensions.refstorage",
            "extensions.worktreeconfig",
            "submodule.x.update",
            "user.signingkey",
            "include.path",
        ] {
            assert!(!setting(key).passes(), "{key}");
        }
    }

    #[test]
    fn addresses_lose_their_password_and_relative_paths_their_folder() {
        let from = |url: &str| text(&fetched_from(url.as_bytes(), Path::new("/top")));
        assert_eq!(from("https://me:secret@host/x.git"), "https://me@host/x.git");
        assert_eq!(from("https://host/a@b"), "https://host/a@b");
        assert_eq!(from("git@host:x.git"), "git@host:x.git");
        assert_eq!(from("../x.git"), "/top/../x.git");
        assert_eq!(from("/abs"), "/abs");
    }

    #[test]
    fn what_is_written_is_what_git_reads() {
        let dir = tempfile::tempdir().unwrap();
        let mut text = Text(Vec::new());
        let odd = b" a \"b\"\\c\n;#\t'\xc3\xa9 ";
        text.set(b"remote.a.\"b\\.url", odd).unwrap();
        text.add(b"core.bare", None).unwrap();
        assert!(text.set(b"a.b", b"x\ry").is_err());
        let file = dir.path().join("config");
        std::fs::write(&file, &text.0).unwrap();
        let git = std::process::Command::new("git")
            .args(["config", "-z", "--list", "--file"])
            .arg(&file)
            .output()
            .unwrap();
        let expected = [b"remote.a.\"b\\.url\n", &odd[..], b"\0core.bare\0"].concat();
        assert_eq!(git.stdout, expected);
    }
}
