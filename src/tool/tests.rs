//! The built-in tools as a model calls them, on real files.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, FileType, Mode};
use serde_json::json;
use tempfile::TempDir;

use super::registry::Registry;
use super::*;
use crate::process::{Processes, env};
use crate::workspace::disk::Disk;

pub(super) struct Agent {
    pub(super) dir: TempDir,
    pub(super) context: Context,
}

impl Agent {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("work")).unwrap();
        let context = Context {
            workspace: Arc::new(Disk::open(&dir.path().join("work")).unwrap()),
            seen: seen::Seen::default(),
            env: env::allowed(std::env::vars()),
            spill_dir: dir.path().join("spill"),
            processes: Processes::new(std::env::current_exe().unwrap()),
            cancel: CancellationToken::new(),
            label: "test".into(),
            branch: None,
            turn: 1.into(),
            agent: "agent-0001".to_owned(),
            sees: sight::Sees::default(),
        };
        Self { dir, context }
    }

    fn with(files: &[(&str, &str)]) -> Self {
        let agent = Self::new();
        for (path, text) in files {
            agent.put(path, text);
        }
        agent
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join("work").join(path)
    }

    fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), content).unwrap();
    }

    fn bytes(&self, path: &str) -> Vec<u8> {
        fs::read(self.at(path)).unwrap()
    }

    /// Calls a tool; an answer to the model is its text, whether it says yes or no.
    async fn call(&self, tool: &str, input: Value) -> Result<String, String> {
        match Registry::builtin().call(tool, input, &self.context).await {
            Ok(output) => Ok(output.text),
            Err(ToolError::Reply(text)) => Err(text),
            Err(ToolError::Fatal(error)) => panic!("{error}"),
        }
    }

    async fn read(&self, path: &str) -> Result<String, String> {
        self.call("Read", json!({ "file_path": path })).await
    }

    async fn write(&self, path: &str, content: &str) -> Result<String, String> {
        self.call("Write", json!({ "file_path": path, "content": content })).await
    }

    async fn edit(&self, path: &str, old: &str, new: &str) -> Result<String, String> {
        let input = json!({ "file_path": path, "old_string": old, "new_string": new });
        self.call("Edit", input).await
    }

    async fn bash(&self, command: &str) -> Result<String, String> {
        self.call("Bash", json!({ "command": command })).await
    }
}

#[track_caller]
fn assert_no(answer: Result<String, String>, parts: &[&str]) {
    let text = answer.expect_err("a refusal");
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

#[test]
fn all_that_models_are_told_is_short() {
    let builtin = Registry::builtin();
    let told = builtin.tools().map(|tool| {
        json!({
            "name": tool.name(),
            "description": tool.description(),
            "input_schema": tool.input_schema(),
        })
    });
    let told: Vec<_> = told.collect();
    let names: Vec<_> = told.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Read", "Write", "Edit", "Bash", "Glob", "Grep"]);
    let size = serde_json::to_string(&told).unwrap().len();
    assert!(size < 6_000, "{size} bytes");
}

#[tokio::test]
async fn a_wrong_input_is_answered_with_what_is_wrong() {
    let agent = Agent::new();
    assert_no(agent.call("Read", json!({ "path": "x" })).await, &["Read", "`path`", "`file_path`"]);
    assert_no(agent.call("Read", json!({})).await, &["missing field `file_path`"]);
    let typed = json!({ "file_path": "x", "offset": "ten" });
    assert_no(agent.call("Read", typed).await, &["offset", "ten"]);
    let typed = json!({ "pattern": "x", "-A": -1 });
    assert_no(agent.call("Grep", typed).await, &["-A", "-1"]);
    let mode = json!({ "pattern": "x", "output_mode": "lines" });
    assert_no(agent.call("Grep", mode).await, &["output_mode", "`lines`", "`content`"]);
    assert_no(agent.call("Raed", json!({})).await, &["no tool `Raed`", "Read, Write"]);
}

/// What a schema offers is what the input type takes, and the other way round.
#[tokio::test]
async fn schemas_and_inputs_agree() {
    let agent = Agent::new();
    for tool in Registry::builtin().tools() {
        let schema = tool.input_schema();
        let told = agent.call(tool.name(), json!({ "no_such": 1 })).await.unwrap_err();
        let (_, fields) = told.split_once("expected").unwrap();
        let mut taken: Vec<_> = fields.split('`').skip(1).step_by(2).collect();
        // Taken in order to be answered with a reason.
        taken.retain(|field| !["run_in_background", "pages"].contains(field));
        taken.sort_unstable();
        let mut offered: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
        offered.sort_unstable();
        assert_eq!(taken, offered, "{}", tool.name());
    }
}

#[tokio::test]
async fn read_shows_pictures_and_documents_to_those_who_see_them() {
    let mut agent = Agent::new();
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0\0\0\0\x80\x08\x06\0\0\0";
    let mut vast = png.to_vec();
    vast[18] = 0x20;
    vast[17] = 0x01;
    agent.put("a.png", png);
    agent.put("vast.png", vast);
    agent.put("large.png", [&png[..], &vec![0; 4 << 20]].concat());
    agent.put("a.pdf", "%PDF-1.7\n");
    agent.put("large.pdf", [b"%PDF-1.7\n", &vec![0; 23 << 20][..]].concat());
    assert_no(agent.read("a.png").await, &["`a.png` is a picture", "does not take pictures"]);
    assert_no(agent.read("a.pdf").await, &["does not take documents", "pdftotext"]);
    agent.context.sees = sight::Sees { images: true, documents: true };
    let pages = json!({ "file_path": "a.pdf", "pages": "1-2" });
    for (input, told, kind) in [
        (json!({ "file_path": "a.png" }), "[`a.png`: image/png, 256×128, 29 bytes]", "image/png"),
        (json!({ "file_path": "a.pdf" }), "[`a.pdf`: application/pdf, 9 bytes]", "application/pdf"),
        (pages, "9 bytes; `pages` does not count, all are here]", "application/pdf"),
    ] {
        let output = Registry::builtin().call("Read", input, &agent.context).await.unwrap();
        assert!(output.text.ends_with(told), "{}", output.text);
        assert_eq!(output.media[0].media_type, kind);
    }
    assert_no(agent.read("vast.png").await, &["73728×128 pixels", "8000 a side"]);
    assert_no(agent.read("large.png").await, &["more than the 3932160 that can be shown"]);
    assert_no(agent.read("large.pdf").await, &["more than the 23068672 that can be shown"]);
    // A picture that was seen may be replaced.
    assert!(agent.write("a.png", "x").await.is_ok());
}

#[tokio::test]
async fn read_numbers_lines_and_says_where_to_go_on() {
    let many = (1..=2_500).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
    let long = format!("{}é", "x".repeat(3_000));
    let agent = Agent::with(&[("a", "one\r\n\ttwo\nlast"), ("many", &many), ("long", &long)]);
    assert_eq!(agent.read("a").await.unwrap(), "     1\tone\n     2\t\ttwo\n     3\tlast");
    let text = agent.read("many").await.unwrap();
    assert!(text.ends_with("  2000\tline 2000\n[lines 1 to 2000 of 2500; go on with offset 2001]"));
    let some = json!({ "file_path": "many", "offset": 2_499, "limit": 5 });
    assert_eq!(agent.call("Read", some).await.unwrap(), "  2499\tline 2499\n  2500\tline 2500");
    let past = json!({ "file_path": "a", "offset": 9 });
    assert_no(agent.call("Read", past).await, &["has 3 lines", "offset 9"]);
    assert!(agent.read("long").await.unwrap().ends_with("x[… 1001 characters more]"));
}

#[tokio::test]
async fn read_answers_at_once_whatever_the_file_is() {
    let agent = Agent::with(&[("empty", ""), ("dir/file", "x")]);
    agent.put("binary", b"\x7fELF\0\0");
    agent.put("latin", b"caf\xe9\n");
    agent.put("large", "0123456789\n".repeat(40_000));
    fs::File::create(agent.at("huge")).unwrap().set_len(5 << 30).unwrap();
    rustix::fs::mknodat(CWD, agent.at("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    symlink("/dev/zero", agent.at("zero")).unwrap();
    assert!(agent.read("empty").await.unwrap().contains("is empty"));
    let latin = agent.read("latin").await.unwrap();
    assert!(latin.starts_with("     1\tcaf\u{FFFD}\n[not valid UTF-8"), "{latin}");
    assert_no(agent.read("binary").await, &["binary file of 6 bytes"]);
    assert_no(agent.read("large").await, &["40000 lines", "offset and limit", "Grep"]);
    let part = json!({ "file_path": "large", "offset": 40_000 });
    assert_eq!(agent.call("Read", part).await.unwrap(), " 40000\t0123456789");
    let capped = json!({ "file_path": "large", "limit": 40_000 });
    let text = agent.call("Read", capped).await.unwrap();
    assert!(text.len() < 120_000 && text.contains("go on with offset"), "{}", text.len());
    assert_no(agent.read("huge").await, &["5368709120 bytes", "Grep"]);
    assert_no(agent.read("fifo").await, &["`fifo`", "FIFO"]);
    assert_no(agent.read("zero").await, &["`zero`", "leads out"]);
    assert_no(agent.read("dir").await, &["`dir` is a directory"]);
    assert_no(agent.read("../x").await, &["`../x`", "leads out"]);
    assert_no(agent.read("/etc/passwd").await, &["`/etc/passwd`", "outside the workspace"]);
}

#[tokio::test]
async fn a_missing_file_is_named_with_those_it_may_be() {
    let agent = Agent::with(&[("src/parser.rs", ""), ("lib/deep/lexer.rs", ""), ("b", "")]);
    assert_no(agent.read("src/parsr.rs").await, &["no file `src/parsr.rs`", "`src/parser.rs`?"]);
    assert_no(agent.read("src/lexer.rs").await, &["`lib/deep/lexer.rs`"]);
    let text = agent.read("zzz").await.unwrap_err();
    assert_eq!(text, "there is no file `zzz`");
}

#[tokio::test]
async fn write_creates_and_replaces_only_what_was_read() {
    let agent = Agent::with(&[("old", "old\n")]);
    assert_eq!(
        agent.write("new/dir/file", "x\n").await.unwrap(),
        "created `new/dir/file` (2 bytes)"
    );
    assert_eq!(
        agent.write("new/dir/file", "y\n").await.unwrap(),
        "replaced `new/dir/file` (2 bytes)"
    );
    assert_no(agent.write("old", "new").await, &["`old`", "read it first"]);
    agent.read("old").await.unwrap();
    agent.put("old", "changed\n");
    assert_no(agent.write("old", "new").await, &["changed since", "read it again"]);
    assert_eq!(agent.bytes("old"), b"changed\n");
    agent.read("old").await.unwrap();
    agent.write("old", "new").await.unwrap();
    assert_eq!(agent.bytes("old"), b"new");
    assert_no(agent.write("../x", "").await, &["leads out"]);
    assert_no(agent.write(".git/hooks/pre-commit", "").await, &["`.git`"]);
    assert_no(agent.write("new", "").await, &["is a directory"]);
}

#[tokio::test]
async fn edit_changes_one_passage_or_says_why_not() {
    let agent = Agent::with(&[("f", "fn a() {\n    one();\n    two();\n    one();\n}\n")]);
    assert_no(agent.edit("f", "two", "2").await, &["read it first"]);
    agent.read("f").await.unwrap();
    assert_no(agent.edit("f", "one();", "1();").await, &["2 times", "lines 2, 4", "replace_all"]);
    assert_no(agent.edit("f", "three", "3").await, &["not in `f`"]);
    assert_no(agent.edit("f", "  two();\n  one();", "").await, &["line 3", "white space"]);
    assert_no(agent.edit("f", "     3\t    two();", "").await, &["line numbers"]);
    assert_no(agent.edit("f", "two", "two").await, &["the same"]);
    assert_no(agent.edit("f", "", "x").await, &["empty"]);
    assert_no(agent.edit("g", "a", "b").await, &["no file `g`"]);
    assert!(agent.edit("f", "two();\n    one();", "2();").await.unwrap().contains("(line 3)"));
    let all = json!({
        "file_path": "f", "old_string": "();", "new_string": "!", "replace_all": true,
    });
    assert!(agent.call("Edit", all).await.unwrap().contains("2 passages in `f` (lines 2, 3)"));
    assert_eq!(agent.bytes("f"), b"fn a() {\n    one!\n    2!\n}\n");
    agent.bash("echo more >> f").await.unwrap();
    assert_no(agent.edit("f", "fn", "function").await, &["changed since it was read"]);
}

#[tokio::test]
async fn passages_that_overlap_are_not_one() {
    let agent = Agent::with(&[("f", "aaa")]);
    agent.read("f").await.unwrap();
    assert_no(agent.edit("f", "aa", "b").await, &["2 times"]);
}

#[tokio::test]
async fn edit_and_write_keep_line_ends_and_every_other_byte() {
    let agent = Agent::new();
    agent.put("crlf", "a\r\nb\r\nc\r\n");
    agent.put("mixed", "a\r\nb\r\nc\nd\n");
    agent.put("lossy", b"\xff\xfe caf\xe9\nx\rz no end");
    for file in ["crlf", "mixed", "lossy"] {
        agent.read(file).await.unwrap();
    }
    agent.edit("crlf", "a\nb\n", "a\nnew\nb\n").await.unwrap();
    assert_eq!(agent.bytes("crlf"), b"a\r\nnew\r\nb\r\nc\r\n");
    agent.edit("crlf", "c", "c\nd").await.unwrap();
    assert_eq!(agent.bytes("crlf"), b"a\r\nnew\r\nb\r\nc\r\nd\r\n");
    agent.write("crlf", "a\nz\n").await.unwrap();
    assert_eq!(agent.bytes("crlf"), b"a\r\nz\r\n");
    agent.edit("mixed", "c\nd", "c\nx\nd").await.unwrap();
    agent.edit("mixed", "a\nb", "a\ny\nb").await.unwrap();
    assert_eq!(agent.bytes("mixed"), b"a\r\ny\r\nb\r\nc\nx\nd\n");
    agent.edit("lossy", "no end", "end").await.unwrap();
    assert_eq!(agent.bytes("lossy"), b"\xff\xfe caf\xe9\nx\rz end");
}

#[tokio::test]
async fn edit_keeps_exec_bit_and_symlink() {
    let agent = Agent::with(&[("bin/tool", "#!/bin/sh\necho a\n")]);
    fs::set_permissions(agent.at("bin/tool"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("bin/tool", agent.at("link")).unwrap();
    agent.read("link").await.unwrap();
    agent.edit("link", "echo a", "echo b").await.unwrap();
    assert!(fs::symlink_metadata(agent.at("link")).unwrap().is_symlink());
    assert_eq!(fs::metadata(agent.at("bin/tool")).unwrap().mode() & 0o777, 0o755);
    assert_eq!(agent.bash("./link").await.unwrap(), "b\n");
}

#[tokio::test]
async fn bash_runs_in_the_root_and_tells_the_exit_code() {
    let agent = Agent::with(&[("sub/file", "")]);
    assert_eq!(agent.bash("cd sub; ls; echo err >&2; X=1").await.unwrap(), "file\nerr\n");
    assert_eq!(agent.bash("ls; echo \"[$X]\"").await.unwrap(), "sub\n[]\n");
    assert_eq!(agent.bash("echo no; exit 3").await, Err("exit code 3\nno\n".to_owned()));
    assert_eq!(agent.bash("true").await.unwrap(), "[no output]");
    assert_eq!(agent.bash("cat; read x; echo $?").await.unwrap(), "1\n");
    let background = json!({ "command": "sleep 9", "run_in_background": true });
    assert_no(agent.call("Bash", background).await, &["run_in_background"]);
    for timeout in [0, 600_001] {
        let input = json!({ "command": "true", "timeout": timeout });
        assert_no(agent.call("Bash", input).await, &["timeout", "600000"]);
    }
    let late = json!({ "command": "echo first; sleep 300", "timeout": 300 });
    assert_no(agent.call("Bash", late).await, &["timed out", "first\n"]);
}

#[tokio::test]
async fn bash_shows_both_ends_and_keeps_the_rest() {
    let agent = Agent::new();
    let text = agent.bash("seq 20000").await.unwrap();
    assert!(text.starts_with("1\n2\n") && text.contains("\n20000\n"), "{text}");
    assert!(text.contains("bytes left out here]") && text.len() < 30_300, "{}", text.len());
    let (_, file) = text.rsplit_once("are in ").unwrap();
    let (file, _) = file.split_once(':').unwrap();
    assert_eq!(fs::read_to_string(file).unwrap().lines().count(), 20_000);
    assert!(agent.bash("echo short").await.is_ok());
    assert_eq!(fs::read_dir(&agent.context.spill_dir).unwrap().count(), 1);
}

#[tokio::test]
async fn cancelled_tools_return() {
    let agent = Agent::with(&[("f", "x")]);
    agent.context.cancel.cancel();
    assert_no(agent.bash("sleep 300").await, &["cancelled"]);
    assert_no(agent.read("f").await, &["cancelled"]);
    assert_no(agent.call("Grep", json!({ "pattern": "x" })).await, &["cancelled"]);
    assert_no(agent.call("Glob", json!({ "pattern": "*" })).await, &["cancelled"]);
}

#[tokio::test]
async fn glob_lists_what_changed_last_first() {
    let agent = Agent::with(&[
        ("src/a.rs", ""),
        ("src/deep/b.rs", ""),
        ("c.ts", ""),
        ("target/x.rs", ""),
        (".gitignore", "target\n"),
    ]);
    for (age, path) in [(30, "src/a.rs"), (10, "src/deep/b.rs"), (20, "c.ts")] {
        let file = fs::File::options().write(true).open(agent.at(path)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
    }
    let glob = async |pattern: &str, path: &str| {
        agent.call("Glob", json!({ "pattern": pattern, "path": path })).await
    };
    assert_eq!(glob("**/*.rs", ".").await.unwrap(), "src/deep/b.rs\nsrc/a.rs");
    assert_eq!(glob("*.{rs,ts}", ".").await.unwrap(), "src/deep/b.rs\nc.ts\nsrc/a.rs");
    assert_eq!(glob("src/*.rs", ".").await.unwrap(), "src/a.rs");
    assert_eq!(glob("deep/*", "src").await.unwrap(), "src/deep/b.rs");
    assert_eq!(glob("*", "target").await.unwrap(), "target/x.rs");
    let absolute = format!("{}/src/*.rs", agent.context.workspace.root().display());
    assert_eq!(glob(&absolute, ".").await.unwrap(), "src/a.rs");
    assert_eq!(glob("*.go", ".").await.unwrap(), "no file matches `*.go`");
    assert_no(glob("[", ".").await, &["`[`", "not a pattern"]);
    assert_no(glob("../*", ".").await, &["leads out"]);
    assert_no(glob("*", "none").await, &["no file `none`"]);
    for n in 0..150 {
        agent.put(&format!("many/{n}.txt"), "");
    }
    let text = glob("*.txt", ".").await.unwrap();
    assert_eq!(text.lines().count(), 101);
    assert!(text.ends_with("[100 of 150 files: narrow the pattern]"), "{text}");
}

#[tokio::test]
async fn grep_finds_files_lines_and_numbers() {
    let agent = Agent::with(&[
        ("b.rs", "fn one() {}\r\nlet two = 2;\r\nfn three() {}\r\n"),
        ("a/x.py", "def one():\n    pass\n# One\n"),
        ("node_modules/m.js", "one"),
        ("skipped", "one"),
        (".gitignore", "skipped\n"),
    ]);
    agent.put("binary", b"one\0");
    fs::File::create(agent.at("huge")).unwrap().set_len(5 << 30).unwrap();
    rustix::fs::mknodat(CWD, agent.at("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let grep = async |input: Value| agent.call("Grep", input).await;
    let found = grep(json!({ "pattern": "one" })).await.unwrap();
    assert_eq!(found, "a/x.py\nb.rs\nnode_modules/m.js");
    let some = json!({ "pattern": "one", "glob": "!node_modules" });
    assert_eq!(grep(some).await.unwrap(), "a/x.py\nb.rs");
    assert_eq!(grep(json!({ "pattern": "one", "type": "rust" })).await.unwrap(), "b.rs");
    assert_eq!(grep(json!({ "pattern": "one", "glob": "*.{py,go}" })).await.unwrap(), "a/x.py");
    assert_eq!(grep(json!({ "pattern": "one", "path": "b.rs" })).await.unwrap(), "b.rs");
    let count = json!({ "pattern": "one", "-i": true, "output_mode": "count", "path": "a" });
    assert_eq!(grep(count).await.unwrap(), "a/x.py:2");
    let lines = json!({ "pattern": r"\{\}$", "output_mode": "content", "-B": 1 });
    assert_eq!(
        grep(lines).await.unwrap(),
        "b.rs:1:fn one() {}\nb.rs-2-let two = 2;\nb.rs:3:fn three() {}"
    );
    let parts = json!({ "pattern": r"\w+\(", "output_mode": "content", "-o": true, "-n": false });
    assert_eq!(grep(parts).await.unwrap(), "a/x.py:one(\nb.rs:one(\nb.rs:three(");
    let across = json!({
        "pattern": r"one.*pass", "multiline": true, "output_mode": "content", "path": "a",
    });
    assert_eq!(grep(across).await.unwrap(), "a/x.py:1:def one():\na/x.py:2:    pass");
    assert_eq!(grep(json!({ "pattern": "nowhere" })).await.unwrap(), "no matches");
    assert_no(grep(json!({ "pattern": "(" })).await, &["`(`", "not a regular expression"]);
    assert_no(grep(json!({ "pattern": "x", "type": "rst2" })).await, &["type", "rst2"]);
    assert_no(grep(json!({ "pattern": "x", "path": "/etc" })).await, &["outside the workspace"]);
}

#[tokio::test]
async fn grep_pages_through_long_answers() {
    let text = (1..=1_000).map(|n| format!("hit {n}")).collect::<Vec<_>>().join("\n");
    let agent = Agent::with(&[("f", &text), ("wide", &"hit".repeat(1_000))]);
    let grep = async |offset: usize, limit: usize| {
        let input = json!({
            "pattern": "hit", "output_mode": "content", "offset": offset, "head_limit": limit,
        });
        agent.call("Grep", input).await.unwrap()
    };
    let first = grep(0, 2).await;
    assert_eq!(
        first,
        "f:1:hit 1\nf:2:hit 2\n[there is more: go on with offset 2, or narrow the search]"
    );
    assert!(grep(2, 1).await.starts_with("f:3:hit 3\n"));
    assert!(grep(1_000, 0).await.ends_with("[…]"));
    let input = json!({ "pattern": "hit", "output_mode": "content" });
    let text = agent.call("Grep", input).await.unwrap();
    assert!(text.contains("go on with offset 250"), "{text}");
}
