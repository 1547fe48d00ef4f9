//! A repository, a script and a model that counts what it is asked; runs that are killed and gone on with.

use std::path::Path;
use std::process::Command;

use agentlua::journal::{Step, Store};
use serde_json::Value;

use crate::home::{Home, Ran};

/// What every script here begins with: `worker`, which writes down what it is asked and answers, writing a
/// file first if the prompt says which; and `die`, which kills the process the first time it is come to.
pub const PRELUDE: &str = r#"
local worker = agent.model {
  name = "worker",
  reply = function(request)
    local log <close> = io.open(os.getenv("ASKED"), "a")
    log:write(request.prompt, "\n")
    local file = request.prompt:match("write (%S+)")
    if file and request.turn == 1 then
      return { tools = { { name = "Write", input = { file_path = file, content = request.prompt } } } }
    end
    local what = request.prompt:match("use (%S+)")
    if what and request.turn == 1 then
      return { tools = { { name = "help", input = { what = what } } } }
    end
    local seconds = request.prompt:match("sleep ([%d.]+)")
    if seconds then
      agent.sleep(tonumber(seconds))
    end
    local dollars = request.prompt:match("costs (%d+)")
    if dollars then
      return { text = "paid", usage = { output_tokens = tonumber(dollars) * 100000 } }
    end
    if request.prompt:find("fail") then
      error("no")
    end
    return "did " .. request.prompt
  end,
}
agent.config { model = worker, concurrency = 8 }
local function die()
  if os.remove(os.getenv("ALIVE")) then
    local stat <close> = io.open("/proc/self/stat")
    os.execute("kill -9 " .. stat:read("n"))
  end
end
"#;

/// Where it plays.
pub struct Stage {
    pub home: Home,
}

impl Stage {
    /// Makes a repository with one file.
    pub fn new() -> Self {
        let home = Home::new();
        home.write("README", "hello\n");
        home.repository();
        Self { home }
    }

    /// Writes the script, behind the prelude.
    pub fn script(&self, body: &str) {
        std::fs::write(self.home.beside("main.lua"), format!("{PRELUDE}{body}")).unwrap();
    }

    /// Runs the script from the start; `die` kills it.
    pub fn run(&self, flags: &[&str]) -> Ran {
        std::fs::write(self.home.beside("alive"), "").unwrap();
        self.start(flags)
    }

    /// Runs the script and expects it to be killed.
    pub fn cut_off(&self, body: &str) {
        self.script(body);
        let ran = self.run(&[]);
        assert_eq!(ran.code, 137, "{}\n{}", ran.stdout, ran.stderr);
    }

    /// Goes on with the newest run.
    pub fn resume(&self, flags: &[&str]) -> Ran {
        let resume = format!("--resume={}", self.run_id());
        self.start(&[&[&*resume], flags].concat())
    }

    /// Puts something between the prelude and the script.
    pub fn put_before(&self, text: &str) {
        let file = self.home.beside("main.lua");
        let script = std::fs::read_to_string(&file).unwrap();
        let body = script.strip_prefix(PRELUDE).unwrap();
        std::fs::write(file, format!("{PRELUDE}{text}{body}")).unwrap();
    }

    /// Returns the command that runs the script from the start.
    pub fn first(&self, flags: &[&str]) -> std::process::Command {
        std::fs::write(self.home.beside("alive"), "").unwrap();
        self.command(flags)
    }

    /// Goes on with the newest run, which is killed when it comes to a point.
    pub fn crash(&self, point: &str) -> Ran {
        let resume = format!("--resume={}", self.run_id());
        Ran::of(self.command(&[&resume]).env("AGENTLUA_CRASH_AT", point))
    }

    fn start(&self, flags: &[&str]) -> Ran {
        Ran::of(&mut self.command(flags))
    }

    fn command(&self, flags: &[&str]) -> Command {
        let script = self.home.beside("main.lua");
        let args = [&["run"], flags, &[script.to_str().unwrap()]].concat();
        let mut command = self.home.command(&args);
        command.env("ASKED", self.home.beside("asked")).env("ALIVE", self.home.beside("alive"));
        command
    }

    /// Makes as if the newest run had been cut off and not ended.
    pub fn forget_end(&self) {
        let file = self.home.path(".git/agentlua/journal.db");
        let connection = rusqlite::Connection::open(file).unwrap();
        let sql = "UPDATE run SET status = NULL, exit_code = NULL, ended_at = NULL WHERE id = ?1";
        assert_eq!(connection.execute(sql, [self.run_id()]).unwrap(), 1);
    }

    /// Writes down that the newest run had ended.
    pub fn end_run(&self) {
        let (dir, run) = (self.home.path(".git/agentlua"), self.run_id());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = Store::open(&dir).await.unwrap();
            store.end_run(&run, "failed", 1).await.unwrap();
            store.flush().await.unwrap();
        });
    }

    /// Writes down that the script of the newest run has merged.
    pub fn note_merge(&self, old: &str, commit: &str) {
        let (dir, run) = (self.home.path(".git/agentlua"), self.run_id());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = Store::open(&dir).await.unwrap();
            let step = Step {
                path: "/merge#noted".to_owned(),
                kind: "merge".to_owned(),
                key: String::new(),
                done: true,
                value: serde_json::json!({ "old": old, "commit": commit }).to_string(),
            };
            store.put_step(&run, step).await.unwrap();
            store.flush().await.unwrap();
        });
    }

    /// Returns what the model was asked since this was called last, sorted.
    pub fn asked(&self) -> Vec<String> {
        let file = self.home.beside("asked");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let _ = std::fs::remove_file(&file);
        let mut asked: Vec<String> = text.lines().map(str::to_owned).collect();
        asked.sort();
        asked
    }

    /// Returns every agent that the registry has, oldest first.
    pub fn agents(&self) -> Vec<Value> {
        let ran = self.home.run(&["agents", "--all", "--json"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        serde_json::from_str::<Vec<Value>>(&ran.stdout).unwrap()
    }

    /// Returns the id of the newest run.
    pub fn run_id(&self) -> String {
        self.agents().last().unwrap()["run"].as_str().unwrap().to_owned()
    }

    pub fn git(&self, args: &[&str]) -> String {
        let ran = Ran::of(self.home.command_of(Path::new("git")).args(args));
        assert_eq!(ran.code, 0, "git {args:?}: {}", ran.stderr);
        ran.stdout.trim().to_owned()
    }
}

/// Returns the last line of `--output-format json`.
pub fn last(ran: &Ran) -> Value {
    let line = ran.stdout.lines().last().unwrap_or_else(|| panic!("{}", ran.stderr));
    serde_json::from_str(line).unwrap()
}
