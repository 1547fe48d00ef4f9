//! A conflict as somebody is told of it who is to resolve it: what both sides did, where, and why.

use super::Conflict;
use super::hunk::{Piece, pieces};
use super::sides::{Sides, contents};
use crate::error::{Kind, Result, ResultExt};
use crate::git::command::text;
use crate::git::repo::Repo;

/// How many commits of a side are told.
const COMMITS: usize = 20;

/// How many bytes of a side of a place are shown.
const SHOWN: usize = 2_000;

/// How many places of a file are shown.
const PLACES: usize = 12;

/// A place of a file that both sides changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// What the base has there.
    pub base: String,
    /// What the target has there.
    pub ours: String,
    /// What the branch has there.
    pub theirs: String,
}

/// A path in conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathBrief {
    /// The path.
    pub path: String,
    /// What kind of conflict, in git's words, and its sentence about it.
    pub messages: Vec<(String, String)>,
    /// The first places, where it is text on all sides.
    pub clashes: Vec<Clash>,
    /// How many more places there are.
    pub more: usize,
}

/// A conflict in short.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brief {
    /// The paths.
    pub paths: Vec<PathBrief>,
    /// The subjects of the target's commits since both parted, newest first.
    pub ours: Vec<String>,
    /// Those of the branch.
    pub theirs: Vec<String>,
}

impl Conflict {
    /// Sums up the conflict; long texts are cut.
    ///
    /// # Errors
    /// [`Kind::Git`] when the files cannot be read.
    pub async fn brief(&self, repo: &Repo) -> Result<Brief> {
        let trouble = || format!("cannot read the conflicts of `{}`", self.branch);
        let look = async {
            let sides = self.half.sides();
            let contents = contents(repo, &sides).await?;
            let mut paths = Vec::new();
            for path in self.paths() {
                let told = self.half.conflicts.iter().filter(|conflict| conflict.path == path);
                let messages = told.map(|told| (told.kind.clone(), told.message.clone())).collect();
                let mut found = Vec::new();
                let one = sides.iter().find(|one| text(&one.path) == path);
                if let Some(Sides { base, ours: Some(ours), theirs: Some(theirs), .. }) = one
                    && let (Some(ours), Some(theirs)) =
                        (contents.get(&ours.id), contents.get(&theirs.id))
                {
                    let base = base.as_ref().and_then(|base| contents.get(&base.id));
                    let base = base.map(|bytes| &**bytes).unwrap_or_default();
                    found = pieces(repo, base, ours, theirs).await?.unwrap_or_default();
                }
                let mut clashes: Vec<Clash> = found.into_iter().filter_map(clash).collect();
                let more = clashes.len().saturating_sub(PLACES);
                clashes.truncate(PLACES);
                paths.push(PathBrief { path, messages, clashes, more });
            }
            let ours = subjects(repo, &self.theirs, &self.ours).await?;
            let theirs = subjects(repo, &self.ours, &self.theirs).await?;
            anyhow::Ok(Brief { paths, ours, theirs })
        };
        look.await.or_kind(Kind::Git, trouble)
    }
}

fn clash(piece: Piece) -> Option<Clash> {
    let Piece::Clash(hunk) = piece else { return None };
    let shown = |bytes: &[u8]| {
        let mut text = text(bytes);
        if text.len() > SHOWN {
            text.truncate(text.floor_char_boundary(SHOWN));
            text.push_str("\n[cut here]\n");
        }
        text
    };
    Some(Clash { base: shown(&hunk.base), ours: shown(&hunk.ours), theirs: shown(&hunk.theirs) })
}

/// Returns the subjects of the commits that `tip` has and `without` has not.
async fn subjects(repo: &Repo, without: &str, tip: &str) -> anyhow::Result<Vec<String>> {
    let git = repo.git("log").args(["--format=%s", "--no-merges", "--no-show-signature"]);
    let git = git.arg(format!("--max-count={COMMITS}")).arg(format!("{without}..{tip}"));
    Ok(text(&git.bytes().await?).lines().map(str::to_owned).collect())
}
