//! A clone of a repository at a GitHub that stands in this process: its `origin` has the address of the
//! server, and git finds it in a folder.

use std::process::Command;

use crate::home::{Home, Ran};
use crate::repo::Repo;
use crate::server::Server;
use crate::shapes;

/// The token; it may be nowhere but in a header.
pub const TOKEN: &str = "ghp_0123456789abcdefghijABCDEFGHIJ012345";

pub struct Stage {
    pub home: Home,
    /// The user's clone.
    pub repo: Repo,
    /// The repository at GitHub.
    pub upstream: Repo,
    pub server: Server,
    /// The commit of `main`.
    pub base: String,
}

impl Stage {
    /// Makes a repository with one commit, at GitHub and here.
    pub fn new() -> Self {
        let (home, server) = (Home::new(), Server::start());
        let folder = home.beside("hub/octo");
        std::fs::create_dir_all(&folder).unwrap();
        let repo = Repo::at(home.beside("work"));
        repo.git(&["init", "--quiet", "--initial-branch=main"]);
        repo.identify();
        repo.write("README.md", "# hello\n");
        let base = repo.commit("start");
        repo.git_in(&folder, &["clone", "--quiet", "--bare", "../../work", "hello.git"]);
        let upstream = Repo::at(folder.join("hello.git"));
        let root = format!("http://127.0.0.1:{}/", server.port);
        let hub = format!("url.{}/.insteadOf", home.beside("hub").display());
        repo.git(&["config", &hub, &root]);
        repo.git(&["remote", "add", "origin", &format!("{root}octo/hello.git")]);
        repo.git(&["fetch", "--quiet", "origin"]);
        Self { home, repo, upstream, server, base }
    }

    /// Opens a pull request that adds a file; its branch stays at GitHub if `branch`.
    pub fn open(&self, number: u64, branch: bool) -> String {
        let name = format!("topic-{number}");
        let head = self.propose(number, &format!("src/part{number}.txt"), "new\n", "start");
        if branch {
            self.repo.git_in(self.upstream.path(), &["branch", &name, &head]);
        }
        self.server.hub().pulls.push(shapes::pull(number, &name, &head, &self.base));
        head
    }

    /// Puts a commit on top of `main` where GitHub keeps the head of a pull request, and nowhere else.
    pub fn propose(&self, number: u64, path: &str, text: &str, message: &str) -> String {
        let files = format!(
            "commit refs/pull/{number}/head\ncommitter Ada <ada@example.com> 1767323045 +0000\n\
             data {}\n{message}\nfrom {}\nM 644 inline {path}\ndata {}\n{text}\n",
            message.len(),
            self.base,
            text.len(),
        );
        let dir = self.upstream.path();
        let file = self.home.beside("import");
        std::fs::write(&file, files).unwrap();
        let mut git = self.home.command_of("git".as_ref());
        git.current_dir(dir).args(["fast-import", "--quiet", "--force"]);
        let ran = Ran::of(git.stdin(std::fs::File::open(file).unwrap()));
        assert_eq!(ran.code, 0, "{ran:?}");
        self.repo.git_in(dir, &["rev-parse", &format!("refs/pull/{number}/head")])
    }

    /// Returns a command of the binary that asks the server, with the token.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.home.command(args);
        command.env("GITHUB_API_URL", self.server.api()).env("GITHUB_TOKEN", TOKEN);
        command
    }

    /// Returns a command that runs a script, which is kept beside the repository.
    pub fn script(&self, source: &str) -> Command {
        std::fs::write(self.home.beside("main.lua"), source).unwrap();
        self.command(&["run", "--quiet", "../main.lua"])
    }

    /// Runs a script that has to go well, and returns what it printed.
    #[track_caller]
    pub fn print(&self, source: &str) -> String {
        let ran = Ran::of(&mut self.script(source));
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(!format!("{ran:?}").contains(TOKEN));
        ran.stdout
    }

    /// Runs a call that has to fail, and returns the error as `kind: message (hint)`.
    #[track_caller]
    pub fn error(&self, call: &str) -> String {
        self.print(&format!(
            "local ok, e = pcall(function() return {call} end) assert(not ok, 'it went well')\n\
             print(e.kind .. ': ' .. e.message .. (e.hint and '\\n  ' .. e.hint or ''))"
        ))
        .replace(&self.server.port.to_string(), "PORT")
    }
}
