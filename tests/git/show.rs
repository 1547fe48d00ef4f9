//! Files and commits of the past.

use std::os::unix::fs::symlink;

use crate::open;
use crate::repo::Repo;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_what_git_has_stored() {
    for init in [&[][..], &["--object-format=sha256"]] {
        let repo = Repo::empty(init);
        repo.write("src/odd \"name\"\té*", b"a\0\xff\r\n");
        repo.write("pointer.bin", "the large file\n");
        repo.write(".gitattributes", "*.bin filter=large\n");
        repo.git(&["config", "filter.large.clean", "echo pointer"]);
        repo.git(&["config", "filter.large.smudge", "false"]);
        repo.write("-x:y", "dash\n");
        symlink("src", repo.path().join("link")).unwrap();
        let first = repo.commit("first");
        repo.git(&["rm", "-q", "--", "-x:y"]);
        repo.commit("second");
        let opened = open(&repo).await;
        for (rev, path, bytes) in [
            ("HEAD", "src/odd \"name\"\té*", &b"a\0\xff\r\n"[..]),
            ("HEAD", "./pointer.bin", b"pointer\n"),
            ("HEAD", "link", b"src"),
            ("HEAD~1", "-x:y", b"dash\n"),
            (&first, "-x:y", b"dash\n"),
            ("HEAD^{tree}", "link", b"src"),
        ] {
            assert_eq!(opened.file_at(rev, path).await.unwrap(), bytes, "{path}");
        }
        for (rev, path, message, hint) in [
            ("HEAD", "-x:y", "there is no `-x:y` at `HEAD`", None),
            (
                "HEAD",
                "ponter.bin",
                "there is no `ponter.bin` at `HEAD`",
                Some("did you mean `pointer.bin`?"),
            ),
            ("HEAD", "src/", "`src/` is a folder at `HEAD`", None),
            ("HEAD", ".", "`.` is a folder at `HEAD`", None),
            ("HEAD", "", "`` is a folder at `HEAD`", None),
            ("HEAD", "link/x", "there is no `link/x` at `HEAD`", Some("did you mean `link`?")),
            ("HEAD", "*", "there is no `*` at `HEAD`", None),
            (
                "none",
                "link",
                "`none` names no commit",
                Some("`git branch --all` and `git tag` list what there is"),
            ),
        ] {
            let error = opened.file_at(rev, path).await.unwrap_err();
            assert_eq!((&*error.message, error.hint.as_deref()), (message, hint));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_comes_with_what_it_changed_on_its_first_parent() {
    let repo = Repo::new();
    repo.git(&["checkout", "-q", "-b", "side"]);
    repo.write("side", "s\n");
    repo.commit("side\n\nwhy");
    repo.git(&["checkout", "-q", "main"]);
    repo.write("main", "m\n");
    repo.commit("main");
    repo.git(&["merge", "-q", "-m", "merge", "side"]);
    let opened = open(&repo).await;
    for (rev, subject, path) in
        [("HEAD", "merge", "side"), ("side", "side", "side"), ("side~1", "start", "README.md")]
    {
        let (commit, diff) = opened.commit_at(rev).await.unwrap();
        let paths: Vec<_> = diff.files.iter().map(|file| &*file.path).collect();
        assert_eq!((&*commit.subject, paths), (subject, vec![path]));
    }
    assert_eq!(opened.commit_at("side").await.unwrap().0.body, "why");
}
