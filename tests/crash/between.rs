//! What changes between a crash and the recovery: files that were half written, a disk that is full.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::NEXT;
use crate::home::{Home, Ran};

/// One agent that writes a file in each of two turns.
const SCRIPT: &str = r#"
local worker = agent.model {
  reply = function(request)
    if request.turn > 2 then return "done" end
    local input = { file_path = "sub/" .. request.turn .. ".txt", content = "one\n" }
    return { tools = { { name = "Write", input = input } } }
  end,
}
agent.query { prompt = "one", branch = "work/one", model = worker }
"#;

/// A repository in which an agent was cut off after its first turn.
fn cut_off(home: &Home) -> PathBuf {
    for (name, text) in [("main.lua", SCRIPT), ("next.lua", NEXT)] {
        home.write(name, text);
    }
    home.repository();
    let mut command = home.command(&["run", "main.lua"]);
    let ran = Ran::of(command.env("AGENTLUA_CRASH_AT", "turn.kept"));
    assert_eq!(ran.code, 137, "{}", ran.stderr);
    let listed = git(home, &["worktree", "list", "--porcelain"]);
    let path = listed.lines().filter_map(|line| line.strip_prefix("worktree ")).nth(1);
    path.unwrap().into()
}

fn git(home: &Home, args: &[&str]) -> String {
    let ran = Ran::of(home.command_of(Path::new("git")).args(args));
    assert_eq!(ran.code, 0, "git {args:?}: {}", ran.stderr);
    ran.stdout
}

#[test]
fn a_file_that_was_half_written_is_not_committed() {
    let home = Home::new();
    let worktree = cut_off(&home);
    for name in [
        ".agentlua-tmp-0123456789abcdef",
        "sub/.agentlua-tmp-fedcba9876543210",
        "sub/.agentlua-tmp-0123",
        ".agentlua-tmp-0123456789abcdeX",
    ] {
        std::fs::write(worktree.join(name), "half").unwrap();
    }
    let outside = home.beside("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join(".agentlua-tmp-0123456789abcdef"), "mine").unwrap();
    std::os::unix::fs::symlink(&outside, worktree.join("link")).unwrap();
    let next = home.run(&["run", "next.lua"]);
    assert_eq!(next.code, 0, "{}", next.stderr);
    let names = git(&home, &["diff", "--name-only", "main", "work/one"]);
    let expected =
        [".agentlua-tmp-0123456789abcdeX", "link", "sub/.agentlua-tmp-0123", "sub/1.txt"];
    assert_eq!(names.lines().collect::<Vec<_>>(), expected);
    assert!(outside.join(".agentlua-tmp-0123456789abcdef").exists());
}

/// Unmounts a folder, also when the test fails.
struct Unmount(PathBuf);
impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_recovery_without_space_makes_nothing_worse_and_is_done_later() {
    let home = Home::new();
    let disk = home.path("");
    let mount = ["-t", "tmpfs", "-o", "size=4m", "tmpfs"];
    let mounted = Command::new("mount").args(mount).arg(&disk).status();
    if !mounted.is_ok_and(|status| status.success()) {
        println!("skipped: a small file system cannot be mounted here");
        return;
    }
    let _unmount = Unmount(disk);
    let worktree = cut_off(&home);
    std::fs::write(worktree.join("late.txt"), vec![b'x'; 200_000]).unwrap();
    home.write(".git/info/exclude", "/filler\n");
    let filler = home.path("filler");
    // From full to the last byte to room for some of the steps.
    for room in [0, 8, 40, 100, 180_usize] {
        let mut size: usize = 4 << 20;
        while std::fs::write(&filler, vec![0; size]).is_err() {
            std::fs::remove_file(&filler).unwrap();
            size -= 4096;
        }
        std::fs::write(&filler, vec![0; size.saturating_sub(room * 1024)]).unwrap();
        let full = home.run(&["run", "next.lua"]);
        assert!(!full.stderr.contains("panicked"), "{room}: {}", full.stderr);
        assert_ne!(full.code, 70, "{room}: {}", full.stderr);
        let late = std::fs::metadata(worktree.join("late.txt")).unwrap().len();
        assert_eq!(late, 200_000, "{room}: {}", full.stderr);
        assert_eq!(std::fs::read_to_string(worktree.join("sub/1.txt")).unwrap(), "one\n");
        std::fs::remove_file(&filler).unwrap();
    }
    let next = home.run(&["run", "next.lua"]);
    assert_eq!(next.code, 0, "{}", next.stderr);
    let names = git(&home, &["diff", "--name-only", "main", "work/one"]);
    assert_eq!(names, "late.txt\nsub/1.txt\n", "{}", next.stderr);
    git(&home, &["fsck", "--connectivity-only", "--no-dangling"]);
    assert_eq!(git(&home, &["status", "--porcelain"]), "");
    assert!(!git(&home, &["worktree", "list", "--porcelain"]).contains("locked"));
    let once_more = home.run(&["run", "next.lua"]);
    assert!(!once_more.stderr.contains("cut off"), "{}", once_more.stderr);
}
