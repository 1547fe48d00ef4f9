//! A repository as seen from one directory: where its parts are, and who answers questions about it.
//!
//! Opening changes nothing on disk. A [`Repo`] is opened once and shared; it holds no handle of
//! libgit2, which is opened anew for each question (a fifth of a millisecond) because it belongs to
//! one thread at a time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::OnceCell;

use super::command::{Environment, Git, Place, Program, complaint, path};
use super::ledger::Ledger;
use super::merge::Lanes;
use super::pretend::Pretended;
use super::private::Cached;
use super::reader::Reader;
use super::remote::Asked;
use super::size::Sizes;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::journal::Store;

/// The oldest git whose `merge-tree` and `worktree` do what is needed here.
const OLDEST: (u32, u32) = (2, 40);

/// The identity of commits where the user has configured none.
pub(super) const NOBODY: (&str, &str) = ("agentlua", "agentlua@localhost");

/// How to open a repository; the default is what everyone but a test wants.
#[derive(Debug, Default)]
pub struct Opening {
    /// The variables that git children start from; those of this process if absent.
    pub environment: Option<Environment>,
    /// Who answers questions; chosen by what libgit2 can open if absent.
    pub reader: Option<Reader>,
    /// Where files of single steps are made; beside the journal if absent. With it the repository is only
    /// looked at.
    pub scratch: Option<PathBuf>,
}

/// A git repository.
#[derive(Debug)]
pub struct Repo {
    top: PathBuf,
    git_dir: PathBuf,
    common_dir: PathBuf,
    bare: bool,
    shallow: bool,
    reader: Reader,
    scratch: Option<PathBuf>,
    pub(super) pretended: Pretended,
    pub(super) program: Program,
    identity: OnceCell<Vec<(&'static str, String)>>,
    signs: OnceCell<bool>,
    pub(super) settings: Cached,
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
    pub(super) store: OnceCell<Arc<Store>>,
    pub(super) ledger: OnceCell<Ledger>,
    pub(super) lanes: Lanes,
    pub(super) sizes: Sizes,
    pub(super) asked: Asked,
}

impl Repo {
    /// Opens the repository around `dir`: a checkout, a linked worktree, or a subdirectory of one, or
    /// a bare repository.
    ///
    /// # Errors
    /// [`Kind::Git`] when there is none, or git is missing, too old, or refuses the repository.
    pub async fn open(dir: &Path) -> Result<Arc<Self>> {
        Self::open_with(dir, Opening::default()).await
    }

    /// Makes a repository with one empty commit.
    ///
    /// # Errors
    /// [`Kind::Git`] when git cannot.
    pub async fn make_empty(dir: &Path) -> Result<()> {
        let trouble = || format!("cannot make a repository in `{}`", dir.display());
        std::fs::create_dir_all(dir).or_kind(Kind::Git, trouble)?;
        let program = Program::new(Environment::inherited());
        let init = program.discovering(dir, "init").args(["--quiet", "--initial-branch=main"]);
        init.bytes().await.or_kind(Kind::Git, trouble)?;
        let repo = Self::open(dir).await?;
        let commit = async {
            let tree =
                repo.git("hash-object").args(["-t", "tree", "-w", "/dev/null"]).line().await?;
            let commit = repo.commit_tree(&tree, &[], "start\n", false).await?;
            repo.move_ref("refs/heads/main", &commit, None, "start").await
        };
        commit.await.or_kind(Kind::Git, trouble)
    }

    /// Opens the repository around `dir` with another environment or reader than the usual.
    ///
    /// # Errors
    /// As [`Repo::open`].
    pub async fn open_with(dir: &Path, opening: Opening) -> Result<Arc<Self>> {
        if !dir.is_dir() {
            return Err(Error::new(Kind::Git, format!("`{}` is not a directory", dir.display())));
        }
        let program = Program::new(opening.environment.unwrap_or_else(Environment::inherited));
        let (version, places) =
            tokio::join!(program.discovering(dir, "version").line(), discovered(&program, dir));
        let version = version.or_kind(Kind::Git, || "git does not run here")?;
        require_version(&version)?;
        let found = places?;
        let reader = match opening.reader {
            Some(reader) => reader,
            None => Reader::for_git_dir(&found.git_dir).await,
        };
        Ok(Arc::new(Self {
            top: found.top,
            git_dir: found.git_dir,
            common_dir: found.common_dir,
            bare: found.bare,
            shallow: found.shallow,
            reader,
            scratch: opening.scratch,
            pretended: Pretended::default(),
            program,
            identity: OnceCell::new(),
            signs: OnceCell::new(),
            settings: Cached::default(),
            turn: Arc::default(),
            store: OnceCell::new(),
            ledger: OnceCell::new(),
            lanes: Lanes::default(),
            sizes: Sizes::default(),
            asked: Asked::default(),
        }))
    }

    /// Returns the root of the working tree (main or linked) that this was opened from; of a bare
    /// repository, its git directory.
    pub fn top(&self) -> &Path {
        &self.top
    }

    /// Returns the directory that all worktrees share.
    pub fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// Returns the git directory of the worktree that this was opened from.
    pub fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// Tells whether the repository has no working tree of its own here.
    pub fn is_bare(&self) -> bool {
        self.bare
    }

    /// Tells whether history was cut when the repository was cloned.
    pub fn is_shallow(&self) -> bool {
        self.shallow
    }

    /// Returns who answers questions about this repository.
    pub fn reader(&self) -> Reader {
        self.reader
    }

    /// Returns the folder for what agentlua keeps beside the repository. It need not exist.
    pub fn state_dir(&self) -> PathBuf {
        self.common_dir.join("agentlua")
    }

    /// Tells whether it was opened to be looked at, with files of steps kept elsewhere.
    pub(super) fn is_looked_at(&self) -> bool {
        self.scratch.is_some()
    }

    /// Returns the folder for files of single steps. It need not exist.
    pub(super) fn scratch_dir(&self) -> PathBuf {
        self.scratch.clone().unwrap_or_else(|| self.state_dir().join("tmp"))
    }

    /// Returns how many git children were started for this repository.
    pub fn children(&self) -> u64 {
        self.program.children()
    }

    /// Returns a name for folders: the directory's, reduced to letters that no tool stumbles over.
    pub fn slug(&self) -> String {
        let named = match self.common_dir.file_name() {
            Some(name) if name == ".git" => self.common_dir.parent().and_then(Path::file_name),
            name => name,
        };
        let name = named.unwrap_or_default().to_string_lossy();
        let name: String = name
            .trim_end_matches(".git")
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' })
            .take(40)
            .collect();
        let name = name.trim_start_matches(['.', '-']);
        if name.is_empty() { "repository".to_owned() } else { name.to_owned() }
    }

    /// Prepares a git child that sees the worktree this was opened from.
    pub(super) fn git(&self, verb: &str) -> Git {
        self.program.at(&self.here(), verb)
    }

    /// Prepares a git child that sees `place`.
    pub(super) fn git_at(&self, place: &Place, verb: &str) -> Git {
        self.program.at(place, verb)
    }

    /// Returns the place this was opened from.
    pub(super) fn here(&self) -> Place {
        let work_tree = (!self.bare).then(|| self.top.clone());
        self.place(self.git_dir.clone(), work_tree)
    }

    /// Returns a place in this repository.
    pub(super) fn place(&self, git_dir: PathBuf, work_tree: Option<PathBuf>) -> Place {
        Place { common_dir: self.common_dir.clone(), git_dir, work_tree, index: None }
    }

    /// Returns the variables that give commits an author: none where the user has configured one.
    pub(super) async fn identity(&self) -> anyhow::Result<&[(&'static str, String)]> {
        let found = self.identity.get_or_try_init(|| async {
            let mut variables = Vec::new();
            for (role, name, email) in [
                ("GIT_AUTHOR_IDENT", "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"),
                ("GIT_COMMITTER_IDENT", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"),
            ] {
                let asked = self.git("var").setting("user.useConfigOnly=true").arg(role);
                if asked.run().await?.code != Some(0) {
                    variables.push((name, NOBODY.0.to_owned()));
                    variables.push((email, NOBODY.1.to_owned()));
                }
            }
            anyhow::Ok(variables)
        });
        Ok(found.await?)
    }

    /// Tells whether the user's git signs commits.
    pub(super) async fn signs(&self) -> anyhow::Result<bool> {
        let found = self.signs.get_or_try_init(|| async {
            let asked = self.git("config").args(["--type=bool", "--get", "commit.gpgsign"]);
            anyhow::Ok(asked.run().await?.stdout.starts_with(b"true"))
        });
        Ok(*found.await?)
    }

    /// Writes a commit object, with the user's identity, and returns its id.
    pub(super) async fn commit_tree(
        &self,
        tree: &str,
        parents: &[&str],
        message: &str,
        sign: bool,
    ) -> anyhow::Result<String> {
        let mut git = self.git("commit-tree").args(["-F", "-"]).stdin(message.as_bytes().to_vec());
        for (name, value) in self.identity().await? {
            git = git.env(name, value);
        }
        for parent in parents {
            git = git.args(["-p", parent]);
        }
        if sign {
            git = git.arg("-S");
        }
        git.arg(tree).line().await.context("cannot write the commit")
    }
}

struct Found {
    top: PathBuf,
    git_dir: PathBuf,
    common_dir: PathBuf,
    bare: bool,
    shallow: bool,
}

async fn discovered(program: &Program, dir: &Path) -> Result<Found> {
    // Outside a working tree the last question fails, after the others were answered.
    let questions = [
        "--is-bare-repository",
        "--is-shallow-repository",
        "--git-dir",
        "--git-common-dir",
        "--show-toplevel",
    ];
    let ask = |questions: &[&str]| {
        program.discovering(dir, "rev-parse").arg("--path-format=absolute").args(questions).run()
    };
    let trouble = || format!("cannot look for a repository in `{}`", dir.display());
    let output = ask(&questions).await.or_kind(Kind::Git, trouble)?;
    let mut lines: Vec<Vec<u8>> =
        output.stdout.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    lines.pop();
    if lines.len() < 4 {
        return Err(no_repository(dir, &complaint(&output)));
    }
    let bare = lines[0] == b"true";
    let shallow = lines[1] == b"true";
    if lines.len() > 5 {
        // A path with a line break in it: one question at a time.
        for (line, question) in lines.iter_mut().zip(questions) {
            *line = ask(&[question]).await.or_kind(Kind::Git, trouble)?.stdout;
            line.pop();
        }
    }
    let git_dir = path(&lines[2]);
    let common_dir = path(&lines[3]);
    let top = match lines.get(4).filter(|line| !line.is_empty()) {
        Some(top) => path(top),
        None if !bare && common_dir.ends_with(".git") => {
            common_dir.parent().unwrap_or(&common_dir).to_owned()
        }
        None => common_dir.clone(),
    };
    Ok(Found { bare: top == common_dir, top, git_dir, common_dir, shallow })
}

fn no_repository(dir: &Path, said: &str) -> Error {
    let dir = dir.display();
    if said.contains("not a git repository") {
        return Error::new(Kind::Git, format!("`{dir}` is not inside a git repository"))
            .hint("git init && git add . && git commit -m start");
    }
    if said.contains("dubious ownership") {
        return Error::new(
            Kind::Git,
            format!("git does not trust the repository at `{dir}`: {said}"),
        )
        .hint(format!("git config --global --add safe.directory {dir}"));
    }
    Error::new(Kind::Git, format!("git cannot open the repository at `{dir}`: {said}"))
}

pub(super) fn require_version(line: &str) -> Result<()> {
    let numbers = line.trim_start_matches("git version ");
    let mut parts = numbers.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    let version = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if version < OLDEST {
        let (major, minor) = OLDEST;
        return Err(Error::new(
            Kind::Git,
            format!("git {numbers} is too old: agentlua needs git {major}.{minor} or newer"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_git_is_refused_by_number() {
        assert!(require_version("git version 2.40.0").is_ok());
        assert!(require_version("git version 2.50.1 (Apple Git-155)").is_ok());
        assert!(require_version("git version 3.0.0-rc1").is_ok());
        let error = require_version("git version 2.39.5").map_err(|error| error.message);
        assert_eq!(error, Err("git 2.39.5 is too old: agentlua needs git 2.40 or newer".into()));
    }
}
