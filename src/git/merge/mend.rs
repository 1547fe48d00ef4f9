//! Bringing a half-refreshed checkout to one commit or the other, whatever a crash or a failure left.
//!
//! The index is one commit's, whole, or the other's. A file counts as written by the refresh, and is
//! overwritten or removed, when it is what either commit has, is absent, or is the beginning of what
//! the new commit has (a write that was cut off). Everything else is somebody's own edit: it stays,
//! and is named.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use anyhow::{Context, bail};

use super::checkout::Held;
use super::land::Landing;
use crate::crash;
use crate::git::command::{LONG, fields, path, text};
use crate::git::diff::Scratch;
use crate::git::repo::Repo;

/// An entry of a tree or an index: mode and id.
type Entry = (Vec<u8>, Vec<u8>);

/// A path that differs between two commits, with what each has there.
struct Differs {
    path: Vec<u8>,
    from: Option<Entry>,
    to: Option<Entry>,
}

/// Which paths the refresh may write, and which are somebody's.
struct Judged {
    ours: Vec<usize>,
    theirs: BTreeSet<usize>,
}

impl Held<'_> {
    /// Brings the checkout to `want`, one of the landing's two commits; returns the paths that are
    /// somebody's own edits and were left. Doing it again changes nothing.
    pub async fn mend(
        &self,
        repo: &Repo,
        landing: &Landing,
        want: &str,
    ) -> anyhow::Result<Vec<String>> {
        self.copy_index()?;
        let Landing { old, new, .. } = landing;
        let (have, other) = match self.commit_of_index(repo, old, new).await? {
            Some(have) if have == old => (old, new),
            Some(_) => (new, old),
            None => {
                let differs = differences(repo, old, new).await?;
                return Ok(differs.iter().map(|differs| text(&differs.path)).collect());
            }
        };
        // The index goes in its place last, and the lock after it.
        if have == want && !self.has_begun() {
            return Ok(Vec::new());
        }
        // `from` is what the index has, `to` the other commit's.
        let differs = differences(repo, have, other).await?;
        let judged = self.judge(repo, &differs, new).await?;
        let left: Vec<String> = judged.theirs.iter().map(|at| text(&differs[*at].path)).collect();
        let back: Vec<&Differs> = judged.ours.iter().map(|at| &differs[*at]).collect();
        self.write(&back, |differs| differs.from.as_ref()).await?;
        crash::point("mend.back");
        if have != want {
            if left.is_empty() {
                self.git("read-tree").args(["-m", "-u", have, want]).bytes().await?;
            } else {
                self.git("read-tree").args(["-i", "-m", have, want]).bytes().await?;
                let free: Vec<&Differs> = (0..differs.len())
                    .filter(|at| !judged.theirs.contains(at))
                    .map(|at| &differs[at])
                    .collect();
                self.write(&free, |differs| differs.to.as_ref()).await?;
            }
        }
        crash::point("mend.files");
        self.publish()?;
        Ok(left)
    }

    /// Returns which of two commits the index is of, unless somebody has changed it since.
    async fn commit_of_index<'c>(
        &self,
        repo: &Repo,
        old: &'c str,
        new: &'c str,
    ) -> anyhow::Result<Option<&'c str>> {
        let differs = differences(repo, old, new).await?;
        let listed = self.git("ls-files").args(["-z", "--stage"]).bytes().await?;
        let mut index: HashMap<&[u8], Entry> = HashMap::new();
        for record in fields(&listed).filter(|record| !record.is_empty()) {
            let (what, name) = split(record, b'\t').context("git ls-files wrote something new")?;
            let mut words = what.split(|byte| *byte == b' ');
            let mut word = || words.next().unwrap_or_default().to_vec();
            index.insert(name, (word(), word()));
        }
        let at = |entry: fn(&Differs) -> Option<&Entry>| {
            differs.iter().filter(|d| index.get(&*d.path) == entry(d)).count()
        };
        let (at_old, at_new) = (at(|d| d.from.as_ref()), at(|d| d.to.as_ref()));
        Ok(match (at_old == differs.len(), at_new == differs.len()) {
            (true, _) => Some(old),
            (false, true) => Some(new),
            (false, false) => None,
        })
    }

    /// Tells the files that the refresh wrote from those that somebody else changed since.
    async fn judge(&self, repo: &Repo, differs: &[Differs], new: &str) -> anyhow::Result<Judged> {
        let root = &self.checkout.work_tree;
        // Files that were only touched are not meant.
        self.git("update-index").args(["-q", "--refresh"]).run().await?;
        let changed = self.git("diff-files").args(["-z", "--name-only"]).bytes().await?;
        let changed: BTreeSet<&[u8]> = fields(&changed).collect();
        let off: Vec<usize> = (0..differs.len())
            .filter(|at| match &differs[*at] {
                Differs { path: name, from: Some(_), .. } => changed.contains(&**name),
                Differs { path: name, from: None, .. } => stands(root, &path(name)),
            })
            .collect();
        let unlike = self.unlike(repo, differs, &off).await?;
        let mut judged = Judged { ours: Vec::new(), theirs: BTreeSet::new() };
        for at in off {
            let name = path(&differs[at].path);
            let is_ours = !stands(root, &name)
                || (differs[at].to.is_some() && !unlike.contains(&differs[at].path))
                || self.is_cut_off(repo, new, &name).await;
            if is_ours {
                judged.ours.push(at);
            } else {
                judged.theirs.insert(at);
            }
        }
        Ok(judged)
    }

    /// Returns which of the paths are not as the other commit has them, by an index of those alone.
    async fn unlike(
        &self,
        repo: &Repo,
        differs: &[Differs],
        paths: &[usize],
    ) -> anyhow::Result<BTreeSet<Vec<u8>>> {
        let mut entries = Vec::new();
        for Differs { path: name, to, .. } in paths.iter().map(|at| &differs[*at]) {
            if let Some((mode, id)) = to {
                entries.extend([mode, &b" "[..], id, b"\t", name, b"\0"].concat());
            }
        }
        if entries.is_empty() {
            return Ok(BTreeSet::new());
        }
        let scratch = Scratch::new(repo)?;
        let index = scratch.path("index");
        let git = |verb: &str| {
            let git = repo.git_at(&self.checkout.place(repo), verb).limit(LONG);
            git.env("GIT_INDEX_FILE", &index)
        };
        git("update-index").args(["-z", "--index-info"]).stdin(entries).bytes().await?;
        git("update-index").args(["-q", "--refresh"]).run().await?;
        let unlike = git("diff-files").args(["-z", "--name-only"]).bytes().await?;
        Ok(fields(&unlike).map(<[u8]>::to_vec).collect())
    }

    /// Tells whether a file is the beginning of what `new` has there: a write that was cut off.
    async fn is_cut_off(&self, repo: &Repo, new: &str, name: &Path) -> bool {
        let file = self.checkout.work_tree.join(name);
        if !file.symlink_metadata().is_ok_and(|file| file.is_file()) {
            return false;
        }
        let Ok(there) = std::fs::read(&file) else { return false };
        let mut object = std::ffi::OsString::from(format!("{new}:"));
        object.push(name);
        let place = self.checkout.place(repo);
        let git = repo.git_at(&place, "cat-file").arg("--filters").arg(object);
        git.limit(LONG).bytes().await.is_ok_and(|whole| whole.starts_with(&there))
    }

    /// Writes files as the copy of the index has them, and removes those that are to be absent.
    async fn write<'d>(
        &self,
        paths: &[&'d Differs],
        wanted: impl Fn(&'d Differs) -> Option<&'d Entry>,
    ) -> anyhow::Result<()> {
        let root = &self.checkout.work_tree;
        let mut names = Vec::new();
        for differs in paths {
            if wanted(differs).is_some() {
                names.extend_from_slice(&differs.path);
                names.push(0);
            } else {
                remove(root, &path(&differs.path))?;
            }
        }
        if names.is_empty() {
            return Ok(());
        }
        let git = self.git("checkout-index").args(["--force", "--quiet", "--index", "-z"]);
        git.arg("--stdin").stdin(names).bytes().await.map(drop)
    }
}

/// Returns the paths that differ between two commits.
async fn differences(repo: &Repo, from: &str, to: &str) -> anyhow::Result<Vec<Differs>> {
    let git = repo.git("diff-tree").args(["-r", "-z", "--raw", "--no-renames", "--no-abbrev"]);
    let bytes = git.args(["--ignore-submodules=none", from, to]).limit(LONG).bytes().await?;
    let mut fields = fields(&bytes);
    let mut found: BTreeMap<Vec<u8>, Differs> = BTreeMap::new();
    while let (Some(record), Some(name)) = (fields.next(), fields.next()) {
        // `:mode mode id id status`
        let words: Vec<&[u8]> = record.split(|byte| *byte == b' ').collect();
        let [from_mode, to_mode, from_id, to_id, _] = words[..] else {
            bail!("git diff-tree wrote something new");
        };
        let entry =
            |mode: &[u8], id: &[u8]| (mode != b"000000").then(|| (mode.to_vec(), id.to_vec()));
        let from = entry(from_mode.strip_prefix(b":").unwrap_or(from_mode), from_id);
        let differs = Differs { path: name.to_vec(), from, to: entry(to_mode, to_id) };
        found.insert(name.to_vec(), differs);
    }
    Ok(found.into_values().collect())
}

/// Tells whether anything but a folder stands at a path, itself and not through a link.
fn stands(root: &Path, name: &Path) -> bool {
    is_plain(root, name) && root.join(name).symlink_metadata().is_ok_and(|there| !there.is_dir())
}

/// Tells whether no folder above a path is a link that leads elsewhere.
fn is_plain(root: &Path, name: &Path) -> bool {
    let mut above = name.ancestors().skip(1).take_while(|above| !above.as_os_str().is_empty());
    above.all(|above| !root.join(above).is_symlink())
}

/// Removes a file, and the folders that are empty then.
fn remove(root: &Path, name: &Path) -> anyhow::Result<()> {
    if !stands(root, name) {
        return Ok(());
    }
    std::fs::remove_file(root.join(name))
        .with_context(|| format!("cannot remove `{}`", name.display()))?;
    for above in name.ancestors().skip(1).take_while(|above| !above.as_os_str().is_empty()) {
        if std::fs::remove_dir(root.join(above)).is_err() {
            break;
        }
    }
    Ok(())
}

fn split(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = bytes.iter().position(|byte| *byte == at)?;
    Some((&bytes[..place], &bytes[place + 1..]))
}
