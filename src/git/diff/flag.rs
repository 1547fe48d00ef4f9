//! What a reviewer of a difference must not overlook: files that run by themselves on somebody's
//! machine, that reach out of the tree, or that change what git itself does.
//!
//! The list is that of the attacks on whoever looks at or lands an agent's work later
//! (reference/reliability.md section 2, A3-A7 and the names under "Paths"): a changed `.husky` hook runs
//! at the next commit, a workflow runs with the secrets of CI, a symlink to `/etc/passwd` lands in the
//! main branch, an editor starts what stands in `.vscode`. What only tells an agent something
//! (`AGENTS.md`), what is installed by a person (`package.json`) and `.gitignore` are not flagged:
//! flags that are on every diff are not read. Letters count as the same in either case, because some
//! file systems cannot tell them apart.

use super::{FileDiff, LINK, PROGRAM, SUBMODULE};

/// Why to look at a file. A closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flag {
    /// A git hook, or what configures a program that runs them.
    Hook,
    /// What a server runs for a push.
    Ci,
    /// A symlink that is new or points elsewhere than before.
    Symlink,
    /// A symlink whose target, as it is written, lies outside the tree or in `.git`.
    Outside,
    /// A file that became a program.
    Executable,
    /// A repository within the repository.
    Submodule,
    /// What makes git run filters, drivers and downloads for files.
    Attributes,
    /// What an editor, a shell or an agent runs or obeys when the folder is opened.
    Autorun,
}

impl Flag {
    /// Every flag, in the order in which they are named.
    pub const ALL: [Self; 8] = [
        Self::Hook,
        Self::Ci,
        Self::Symlink,
        Self::Outside,
        Self::Executable,
        Self::Submodule,
        Self::Attributes,
        Self::Autorun,
    ];

    /// Returns the word that scripts see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hook => "hook",
            Self::Ci => "ci",
            Self::Symlink => "symlink",
            Self::Outside => "outside",
            Self::Executable => "executable",
            Self::Submodule => "submodule",
            Self::Attributes => "attributes",
            Self::Autorun => "autorun",
        }
    }
}

/// Names by flag: `dir/` is a folder at any depth, `name*` a beginning of a file's name, another a
/// whole one; with a slash inside it must stand at the top.
const NAMES: [(Flag, &str); 4] = [
    (
        Flag::Hook,
        ".husky/ .githooks/ .git-hooks/ .lefthook/ .pre-commit-config.yaml .pre-commit-hooks.yaml \
         lefthook.* .lefthook.* lefthook-local.* .lefthook-local.* .huskyrc* .overcommit.yml \
         .simple-git-hooks.* captainhook.json",
    ),
    (
        Flag::Ci,
        ".github/workflows/ .github/actions/ .gitea/workflows/ .forgejo/workflows/ .gitlab-ci.yml \
         .gitlab/ci/ .circleci/ .buildkite/ .woodpecker/ .teamcity/ .semaphore/ .tekton/ \
         .azure-pipelines/ azure-pipelines* jenkinsfile* .travis.yml .drone.yml .woodpecker.yml \
         .cirrus.yml .cirrus.star appveyor.yml .appveyor.yml bitbucket-pipelines.yml \
         cloudbuild.yaml cloudbuild.yml buildspec.yml",
    ),
    (Flag::Attributes, ".gitattributes .lfsconfig"),
    (
        Flag::Autorun,
        ".vscode/ *.code-workspace .idea/ .zed/ .exrc .nvimrc .nvim.lua .envrc .mise.toml \
         mise.toml .devcontainer/ .devcontainer.json .mcp.json .claude/ .cursor/ .codex/ .gemini/ \
         agentlua.toml",
    ),
];

/// Returns why to look at a file, in the order of [`Flag::ALL`]. `hooks` is the folder of the tree
/// that the repository's own hooks are in, if it has one.
pub(super) fn flags(file: &FileDiff, hooks: Option<&str>) -> Vec<Flag> {
    let mut found = Vec::new();
    // What was moved away is as gone as what was deleted.
    for path in [Some(&file.path), file.old_path.as_ref()].into_iter().flatten() {
        let path = path.to_ascii_lowercase();
        let listed = NAMES.iter().filter(|(_, names)| names.split(' ').any(|name| is(&path, name)));
        found.extend(listed.map(|(flag, _)| *flag));
        if hooks.is_some_and(|hooks| is_in(&path, &hooks.to_ascii_lowercase())) {
            found.push(Flag::Hook);
        }
        if path == ".gitmodules" {
            found.push(Flag::Submodule);
        }
    }
    let (old, new) = (file.old_mode.as_deref(), file.new_mode.as_deref());
    if new == Some(LINK) {
        found.push(Flag::Symlink);
        if file.target.as_ref().is_none_or(|target| leaves(&file.path, target)) {
            found.push(Flag::Outside);
        }
    }
    if new == Some(PROGRAM) && old != Some(PROGRAM) {
        found.push(Flag::Executable);
    }
    if old == Some(SUBMODULE) || new == Some(SUBMODULE) {
        found.push(Flag::Submodule);
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Tells whether a path in small letters is what a name of [`NAMES`] means.
fn is(path: &str, name: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path);
    match (name.strip_suffix('/'), name.strip_suffix('*'), name.strip_prefix('*')) {
        (Some(folder), ..) if folder.contains('/') => is_in(path, folder),
        (Some(folder), ..) => path.split('/').rev().skip(1).any(|part| part == folder),
        (_, Some(start), _) => file.starts_with(start),
        (_, _, Some(end)) => file.ends_with(end),
        _ => file == name,
    }
}

fn is_in(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Tells whether a symlink's target, as it is written, lies outside the tree or in `.git`.
fn leaves(path: &str, target: &str) -> bool {
    if target.starts_with('/') {
        return true;
    }
    let mut depth = path.split('/').count() - 1;
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            part if part.eq_ignore_ascii_case(".git") => return true,
            _ => depth += 1,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Vec<&'static str> {
        let file = FileDiff { path: path.to_owned(), ..FileDiff::default() };
        flags(&file, Some("tools/hooks")).into_iter().map(Flag::as_str).collect()
    }

    #[test]
    fn names_are_known_at_their_place_only() {
        for (path, words) in [
            (".husky/pre-commit", &["hook"][..]),
            ("web/.husky/_/husky.sh", &["hook"]),
            (".HUSKY/pre-push", &["hook"]),
            ("lefthook.yml", &["hook"]),
            ("tools/hooks/pre-commit", &["hook"]),
            (".github/workflows/ci.yml", &["ci"]),
            ("ci/Jenkinsfile.release", &["ci"]),
            ("web/.gitattributes", &["attributes"]),
            (".gitmodules", &["submodule"]),
            (".vscode/tasks.json", &["autorun"]),
            ("a.code-workspace", &["autorun"]),
            (".claude/settings.json", &["autorun"]),
            ("docs/.github/workflows/ci.yml", &[]),
            (".github/CODEOWNERS", &[]),
            (".husky", &[]),
            ("src/husky/x", &[]),
            ("tools/hooks2/x", &[]),
            (".gitignore", &[]),
            ("package.json", &[]),
        ] {
            assert_eq!(of(path), words, "{path}");
        }
    }

    #[test]
    fn a_link_out_of_the_tree_is_told_from_one_within() {
        for (path, target, out) in [
            ("a", "b", false),
            ("d/a", "../b", false),
            ("d/e/a", "./../../b", false),
            ("a", "d/../b", false),
            ("a", "..", true),
            ("d/a", "../../b", true),
            ("a", "d/../../b", true),
            ("a", "/etc/passwd", true),
            ("a", ".git/config", true),
            ("d/a", "../.GIT/hooks", true),
        ] {
            assert_eq!(leaves(path, target), out, "{path} -> {target}");
        }
    }
}
