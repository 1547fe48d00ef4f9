//! How runs end that are cut off: by signals, by a closed output, by kill -9; and what a script may
//! look like as a file.

#[path = "support/home.rs"]
mod home;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use home::{Home, Ran};

/// How long a loaded machine may take for what takes a moment.
const PATIENCE: Duration = Duration::from_mins(1);

/// A model that writes a file and then has Bash sleep; it prints when that is under way.
const WORKER: &str = r#"
local worker = agent.model {
  reply = function(request)
    if request.turn == 1 then
      return { tools = { { name = "Write", input = { file_path = "half.txt", content = "x" } } } }
    end
    return { tools = { { name = "Bash", input = { command = "echo $$ > pid; exec sleep 300" } } } }
  end,
}
"#;

/// A run that goes on beside the test.
struct Running {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Running {
    fn start(home: &Home, source: &str) -> Self {
        home.write("main.lua", source);
        let mut command = home.command(&["run", "main.lua"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, lines }
    }

    /// Waits for a line of its output.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().expect("kill runs");
        assert!(sent.success());
    }

    fn end(mut self) -> Ran {
        let mut stdout = String::new();
        self.lines.read_to_string(&mut stdout).expect("its output");
        let mut stderr = String::new();
        self.child.stderr.take().expect("it").read_to_string(&mut stderr).expect("its errors");
        let code = self.child.wait().expect("its end").code().unwrap_or(-1);
        Ran { code, stdout, stderr }
    }
}

/// Waits until `done`.
fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "waited for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_alive(pid: &str) -> bool {
    // A zombie that nobody has collected is no longer alive.
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim().starts_with('Z'))
}

/// Starts an agent on the branch `work` and waits for its command; returns the command's pid.
fn working(home: &Home) -> (Running, String) {
    home.repository();
    let query = "agent.query { prompt = 'x', branch = 'work', model = worker }";
    let running = Running::start(home, &format!("{WORKER}{query}"));
    let mut pid = String::new();
    wait_for("the agent's command", || {
        pid = find_pid(&home.beside("worktrees")).unwrap_or_default();
        !pid.is_empty() && is_alive(&pid)
    });
    (running, pid)
}

/// Finds the file `pid` in some worktree.
fn find_pid(root: &Path) -> Option<String> {
    for repo in std::fs::read_dir(root).ok()? {
        for worktree in std::fs::read_dir(repo.ok()?.path()).ok()? {
            if let Ok(pid) = std::fs::read_to_string(worktree.ok()?.path().join("pid")) {
                return Some(pid.trim().to_owned()).filter(|pid| !pid.is_empty());
            }
        }
    }
    None
}

fn git(home: &Home, args: &[&str]) -> String {
    let ran = Ran::of(home.command_of(Path::new("git")).args(args));
    assert_eq!(ran.code, 0, "git {args:?}: {}", ran.stderr);
    ran.stdout
}

#[test]
fn the_first_signal_keeps_the_work_and_says_so() {
    for (signal, code, what) in [
        ("INT", 130, "interrupted"),
        ("TERM", 143, "terminated"),
        ("HUP", 129, "the terminal hung up"),
    ] {
        let home = Home::new();
        let (running, pid) = working(&home);
        running.signal(signal);
        let ran = running.end();
        assert_eq!(ran.code, code, "{signal}: {}", ran.stderr);
        assert!(ran.stderr.contains(what), "{}", ran.stderr);
        assert!(ran.stderr.contains("work"), "it says where the work is: {}", ran.stderr);
        assert!(!ran.stderr.contains("\nerror"), "{}", ran.stderr);
        wait_for("the end of the command", || !is_alive(&pid));
        assert_eq!(git(&home, &["show", "work:half.txt"]), "x", "{signal}");
        let worktrees = git(&home, &["worktree", "list", "--porcelain"]);
        assert!(worktrees.contains("branch refs/heads/work"), "{worktrees}");
        assert!(!worktrees.contains("locked"), "{worktrees}");
        assert_eq!(git(&home, &["status", "--porcelain"]), "?? main.lua\n");
    }
}

#[test]
fn cleanup_runs_after_the_first_interrupt() {
    let home = Home::new();
    let mut running = Running::start(
        &home,
        "local guard <close> = setmetatable({}, { __close = function(_, e)
           agent.sleep(0.01) print('closed: ' .. e.message) end })
         print('begun') while true do pcall(function() while true do end end) end",
    );
    assert_eq!(running.line(), "begun");
    running.signal("INT");
    let ran = running.end();
    assert_eq!((ran.code, ran.stdout.as_str()), (130, "closed: interrupted\n"), "{}", ran.stderr);
}

#[test]
fn the_second_interrupt_ends_at_once() {
    let home = Home::new();
    let mut running = Running::start(
        &home,
        "local guard <close> = setmetatable({}, { __close = function()
           print('closing') while true do end end })
         print('begun') while true do end",
    );
    assert_eq!(running.line(), "begun");
    running.signal("INT");
    assert_eq!(running.line(), "closing");
    running.signal("INT");
    let ran = running.end();
    assert_eq!(ran.code, 130, "{}", ran.stderr);
}

#[test]
fn kill_nine_leaves_no_command_behind() {
    let home = Home::new();
    let (running, pid) = working(&home);
    running.signal("KILL");
    let _ = running.end();
    wait_for("the end of the command", || !is_alive(&pid));
}

#[test]
fn a_closed_output_ends_the_run() {
    for print in ["print(i)", "io.write(i, '\\n')", "io.stdout:write(i, '\\n')", "pcall(print, i)"]
    {
        let home = Home::new();
        let source = format!(
            "local guard <close> = setmetatable({{}}, {{ __close = function() fs.write('closed', '') end }})
             local i = 0 while true do i = i + 1 {print} end"
        );
        let mut running = Running::start(&home, &source);
        assert_eq!(running.line(), "1");
        let Running { child, lines } = running;
        drop(lines);
        let output = child.wait_with_output().expect("its end");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(141), "{print}: {stderr}");
        assert_eq!(stderr, "", "{print}");
        assert!(home.path("closed").exists(), "{print}: handlers have run");
    }
}

#[test]
fn files_of_every_make() {
    let home = Home::new();
    let mut crlf =
        "#!/usr/bin/env agentlua\r\nprint('crlf')\r\nlocal s = [[a\r\nb]]\r\n".to_owned();
    crlf.push_str("print(#s, debug.getinfo(1, 'l').currentline)\r\n");
    for (source, code, stdout, stderr) in [
        ("", 0, "", ""),
        ("-- nothing", 0, "", ""),
        ("\u{feff}print('bom')", 0, "bom\n", ""),
        ("#!/usr/bin/env agentlua\nprint(debug.getinfo(1, 'l').currentline)", 0, "2\n", ""),
        ("\u{feff}#!/usr/bin/env agentlua\nerror('x')", 1, "", "error: x\n  at main.lua:2\n"),
        (crlf.as_str(), 0, "crlf\n3\t5\n", ""),
        ("\u{1b}Lua binary", 2, "", "error: `main.lua` is a binary file, not Lua text\n"),
        ("print('a\0b')", 2, "", "error: `main.lua` is a binary file, not Lua text\n"),
        ("local x =\n\nlocal", 2, "", "error: unexpected symbol near 'local'\n  at main.lua:3\n"),
        ("return 5, 'values'", 0, "", ""),
    ] {
        let ran = home.script(source);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, stdout), "{source:?}: {}", ran.stderr);
        assert!(ran.stderr.starts_with(stderr), "{source:?}: {}", ran.stderr);
        assert!(stderr.is_empty() <= ran.stderr.is_empty(), "{source:?}: {}", ran.stderr);
    }
    for name in ["missing.lua", "."] {
        let ran = home.run(&["run", name]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{name}");
        let expected = format!("error: cannot read the script `{name}`\n");
        assert!(ran.stderr.starts_with(&expected), "{}", ran.stderr);
    }
}

#[test]
fn a_script_from_standard_input() {
    let home = Home::new();
    let mut command = home.command(&["run", "-", "one"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("its input");
    stdin.write_all(b"print(arg[1])\nerror('here')").expect("the script");
    drop(stdin);
    let output = child.wait_with_output().expect("its end");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "one\n");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error: here\n  at stdin:2\n  2 | error('here')\n    | ^^^^^\n"
    );
    let home_has = std::fs::read_dir(home.beside("home")).expect("the home").count();
    assert_eq!(home_has, 0, "a run without agents writes nothing, no history either");
}

#[test]
fn errors_that_nobody_caught() {
    let home = Home::new();
    let deep = "a/quite/long/way/down/into/the/tree/of/folders/where/scripts/are/kept";
    home.write(&format!("{deep}/main.lua"), "local function f()\n  error('far')\nend\nf()");
    home.write(&format!("{deep}/bad.lua"), "x = = 1");
    let ran = home.run(&["run", &format!("{deep}/main.lua")]);
    let expected = format!(
        "error: far\n  at {deep}/main.lua:2\n  2 |   error('far')\n    |   ^^^^^\n  from main chunk ({deep}/main.lua:4)\n"
    );
    assert_eq!(ran.stderr, expected);
    let ran = home.run(&["run", &format!("{deep}/bad.lua")]);
    assert!(ran.stderr.contains(&format!("  at {deep}/bad.lua:1\n")), "{}", ran.stderr);

    for (source, expected) in [
        ("error()", "error: nil\n  at main.lua:1\n"),
        ("error(false)", "error: false\n  at main.lua:1\n"),
        ("error(42)", "error: 42\n  at main.lua:1\n"),
        ("error({ code = 3 })", "error: { code = 3 }\n  at main.lua:1\n"),
        ("error({ message = 'told' })", "error: told\n  at main.lua:1\n"),
        ("error('plain', 0)", "error: plain\n  at main.lua:1\n"),
        ("error('localhost:80: refused', 0)", "error: localhost:80: refused\n  at main.lua:1\n"),
        ("\ncoroutine.wrap(function()\n  error('in')\nend)()", "error: in\n  at main.lua:3\n"),
        (
            "local ok, e = pcall(error, { n = 1 })\nerror(e)",
            "error: { n = 1 }\n  at main.lua:2\n  2 | error(e)\n    | ^^^^^\n",
        ),
        (
            "local ok, e = pcall(function() error('first') end)\n\nerror(e, 0)",
            "error: first\n  at main.lua:1\n  1 | local ok, e = pcall(function() error('first') end)\n    |                                ^^^^^\n  from main chunk (main.lua:3)\n",
        ),
        ("local s = ('x'):rep(3 << 29)", "error: not enough memory for the script\n"),
        (
            "local t = {} while true do t[#t + 1] = ('x'):rep(1 << 24) .. #t end",
            "error: not enough memory for the script\n",
        ),
        ("local function f() return 1 + f() end f()", "error: stack overflow"),
    ] {
        let ran = home.script(source);
        assert_eq!(ran.code, 1, "{source}: {}", ran.stderr);
        assert!(ran.stderr.starts_with(expected), "{source}: {}", ran.stderr);
    }
}
