//! What the repository is filled with, and how it is as before at each round.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use crate::field::Field;

impl Field {
    /// Adds `count` branches at HEAD, packed as a fetch leaves them.
    pub fn add_refs(&self, count: usize) {
        let line = |number| format!("create refs/heads/old/{number} HEAD\n");
        self.feed(&["update-ref", "--stdin"], &(0..count).map(line).collect::<String>());
        self.git(&["pack-refs", "--all"]);
    }

    /// Adds branches `b1`, `b2`, … that change three files each; from `b15` on they clash.
    pub fn branch_off(&self, count: usize) {
        let mut stream = String::new();
        for branch in 1..=count {
            let _ = write!(
                stream,
                "commit refs/heads/b{branch}\ncommitter Ada <ada@example.com> 0 +0000\n\
                 data 6\nchange\nfrom refs/heads/main^0\n"
            );
            let mut paths: Vec<_> =
                [0, 1].iter().map(|n| branch * 2 + n).map(|file| (file / 25, file)).collect();
            paths.push((100 + branch, (100 + branch) * 25));
            let paths =
                paths.iter().map(|(part, file)| format!("src/part{part:02}/file{file:04}.rs"));
            let clashing = (branch >= 15).then(|| "count.txt".to_owned());
            for path in paths.chain(clashing) {
                let text = format!("// of b{branch}\n");
                let _ = write!(stream, "M 100644 inline {path}\ndata {}\n{text}\n", text.len());
            }
        }
        self.feed(&["fast-import", "--quiet"], &stream);
    }

    /// Remembers the repository, so that [`reset`](Self::reset) finds it.
    pub fn keep(&self) {
        std::fs::rename(self.repository(), self.kept()).expect("a repository");
        std::fs::create_dir(self.repository()).expect("a folder");
    }

    /// Makes the repository as it was kept, and removes all worktrees.
    pub fn reset(&self) {
        for dir in [self.repository(), self.worktrees()] {
            std::fs::remove_dir_all(&dir).expect("a folder to empty");
        }
        std::fs::create_dir(self.worktrees()).expect("a folder");
        let mut copy = self.command("cp");
        copy.arg("-a").arg(self.kept()).arg(self.repository());
        assert!(copy.status().expect("cp").success());
        self.git(&["update-index", "-q", "--refresh"]);
    }

    fn kept(&self) -> PathBuf {
        self.repository().with_file_name("kept")
    }

    fn feed(&self, args: &[&str], input: &str) {
        let mut command = self.command("git");
        command.current_dir(self.repository()).args(["-c", "gc.auto=0"]).args(args);
        command.stdin(Stdio::piped());
        let mut git = command.spawn().expect("git");
        git.stdin.take().expect("its input").write_all(input.as_bytes()).expect("input");
        assert!(git.wait().expect("its end").success(), "git {args:?}");
    }
}
