//! History as a list of commits, in the order of `git log`.

use super::command::text;
use super::repo::Repo;
use crate::error::{Kind, Result, ResultExt};

/// Which commits to list.
#[derive(Clone, Debug, Default)]
pub struct LogQuery {
    /// Where to start: a revision or a range such as `main..topic`; HEAD if absent.
    pub rev: Option<String>,
    /// At most this many.
    pub limit: Option<usize>,
    /// Only those that touched one of these paths.
    pub paths: Vec<String>,
}

/// A commit as people read it. What is not UTF-8 is shown with replacement characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The full id.
    pub id: String,
    /// The ids of its parents.
    pub parents: Vec<String>,
    /// Who wrote it.
    pub author_name: String,
    /// Their address.
    pub author_email: String,
    /// When it was written, in seconds since 1970.
    pub time: i64,
    /// The first paragraph of the message, on one line.
    pub subject: String,
    /// The rest of the message.
    pub body: String,
}

const FORMAT: &str = "--format=%H%x00%P%x00%an%x00%ae%x00%at%x00%s%x00%b%x00";
const FIELDS: usize = 7;

impl Repo {
    /// Lists commits, newest first.
    ///
    /// # Errors
    /// [`Kind::Git`] when the revision names nothing.
    pub async fn log(&self, query: LogQuery) -> Result<Vec<Commit>> {
        let rev = &*self.as_git_reads(query.rev.as_deref().unwrap_or("HEAD")).await?;
        if query.rev.is_none() && self.head().await?.commit.is_none() {
            return Ok(Vec::new());
        }
        let mut git = self.git("log").args(["--no-show-signature", "--no-color", FORMAT]);
        if let Some(limit) = query.limit {
            git = git.arg(format!("--max-count={limit}"));
        }
        let git = git.args(["--end-of-options", rev, "--"]).args(&query.paths);
        let bytes = git.bytes().await.or_kind(Kind::Git, || format!("cannot list `{rev}`"))?;
        let fields: Vec<&[u8]> = super::command::fields(&bytes).collect();
        Ok(fields.chunks_exact(FIELDS).map(commit).collect())
    }
}

fn commit(fields: &[&[u8]]) -> Commit {
    let field = |at: usize| text(fields[at]);
    Commit {
        // Git ends each record with a line break, which lands before the next id.
        id: field(0).trim_start().to_owned(),
        parents: field(1).split_whitespace().map(str::to_owned).collect(),
        author_name: field(2),
        author_email: field(3),
        time: field(4).parse().unwrap_or_default(),
        subject: field(5),
        body: field(6).trim_end_matches('\n').to_owned(),
    }
}
