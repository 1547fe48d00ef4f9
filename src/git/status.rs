//! What a checkout holds beside what is committed, as `git status` tells it.

use super::command::{LONG, fields, text};
use super::repo::Repo;
use super::worktree;
use crate::error::{Error, Kind, Result, ResultExt};

/// Which files that git does not know are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Untracked {
    /// None.
    No,
    /// Each, but a folder of nothing else as one path that ends in a slash.
    #[default]
    Normal,
    /// Each.
    All,
}

/// What to look at.
#[derive(Clone, Debug, Default)]
pub struct StatusQuery {
    /// Only these paths (relative to the top, no patterns); all if empty.
    pub paths: Vec<String>,
    /// Which files that git does not know are listed.
    pub untracked: Untracked,
}

/// The state of a checkout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The branch that HEAD is on.
    pub branch: Option<String>,
    /// The commit that HEAD points to.
    pub commit: Option<String>,
    /// The branch that this one follows, such as `origin/main`.
    pub upstream: Option<String>,
    /// Commits that the upstream lacks; absent without one, and when it is gone.
    pub ahead: Option<u64>,
    /// Commits that the upstream has and the branch lacks.
    pub behind: Option<u64>,
    /// What waits for its user: `merge`, `rebase`, `cherry_pick`, `revert` or `bisect`.
    pub operation: Option<&'static str>,
    /// The files that are not as HEAD has them, in git's order.
    pub files: Vec<FileStatus>,
}

/// A file that is not as HEAD has it. What is not UTF-8 in a path is shown with replacement characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileStatus {
    /// Its path.
    pub path: String,
    /// Its path before, if it was renamed or copied.
    pub old_path: Option<String>,
    /// What the index has against HEAD: `added`, `modified`, `deleted`, `renamed`, `copied` or
    /// `type_changed`.
    pub staged: Option<&'static str>,
    /// What the file has against the index, in the same words.
    pub unstaged: Option<&'static str>,
    /// Whether git does not know it.
    pub untracked: bool,
    /// Whether a merge left it in conflict.
    pub conflicted: bool,
}

impl Repo {
    /// Tells the state of the checkout that this was opened from. Nothing is written, not even the
    /// index.
    ///
    /// # Errors
    /// [`Kind::Git`] when there is no checkout, or git cannot tell.
    pub async fn status(&self, query: StatusQuery) -> Result<Status> {
        self.require_checkout()?;
        let git = self.git_at(&self.here(), "status").limit(LONG);
        let untracked = match query.untracked {
            Untracked::No => "--untracked-files=no",
            Untracked::Normal => "--untracked-files=normal",
            Untracked::All => "--untracked-files=all",
        };
        let git =
            git.args(["--porcelain=v2", "--branch", "--ahead-behind", "--find-renames", "-z"]);
        let git = git.args(["--ignore-submodules=dirty", untracked, "--"]).args(&query.paths);
        let bytes = git.bytes().await.or_kind(Kind::Git, || "cannot look at the checkout")?;
        let mut status = parse(&bytes);
        status.operation = worktree::operation(self.git_dir());
        Ok(status)
    }

    /// Refuses a repository that has no files.
    pub(super) fn require_checkout(&self) -> Result<()> {
        if self.is_bare() {
            let shown = self.top().display();
            return Err(Error::new(Kind::Git, format!("`{shown}` is bare: it has no checkout")));
        }
        Ok(())
    }
}

fn parse(bytes: &[u8]) -> Status {
    let mut status = Status::default();
    let mut records = fields(bytes);
    while let Some(record) = records.next() {
        let line = text(record);
        match line.as_bytes().first() {
            Some(b'#') => header(&mut status, &line),
            // `1 XY sub mH mI mW hH hI path`
            Some(b'1') => status.files.extend(changed(&line, 9)),
            // `2 XY sub mH mI mW hH hI Xscore path`, then the old path.
            Some(b'2') => {
                let old_path = records.next().map(text);
                status.files.extend(changed(&line, 10).map(|file| FileStatus { old_path, ..file }));
            }
            // `u XY sub m1 m2 m3 mW h1 h2 h3 path`
            Some(b'u') => {
                let path = line.splitn(11, ' ').nth(10).unwrap_or_default().to_owned();
                status.files.push(FileStatus { path, conflicted: true, ..FileStatus::default() });
            }
            Some(b'?') => {
                let path = line[2..].to_owned();
                status.files.push(FileStatus { path, untracked: true, ..FileStatus::default() });
            }
            _ => {}
        }
    }
    status
}

fn header(status: &mut Status, line: &str) {
    let (name, value) = line[2..].split_once(' ').unwrap_or_default();
    match name {
        "branch.oid" if value != "(initial)" => status.commit = Some(value.to_owned()),
        "branch.head" if value != "(detached)" => status.branch = Some(value.to_owned()),
        "branch.upstream" => status.upstream = Some(value.to_owned()),
        "branch.ab" => {
            let mut counts = value.split(' ').map(|count| count[1..].parse().ok());
            (status.ahead, status.behind) = (counts.next().flatten(), counts.next().flatten());
        }
        _ => {}
    }
}

fn changed(line: &str, columns: usize) -> Option<FileStatus> {
    let columns: Vec<&str> = line.splitn(columns, ' ').collect();
    let (letters, path) = (columns.get(1)?.as_bytes(), columns.last()?);
    Some(FileStatus {
        path: (*path).to_owned(),
        staged: word(*letters.first()?),
        unstaged: word(*letters.get(1)?),
        ..FileStatus::default()
    })
}

fn word(letter: u8) -> Option<&'static str> {
    Some(match letter {
        b'.' => return None,
        b'A' => "added",
        b'D' => "deleted",
        b'R' => "renamed",
        b'C' => "copied",
        b'T' => "type_changed",
        _ => "modified",
    })
}
