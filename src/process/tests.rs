//! Real processes: what they may take, and that none is left.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio_util::sync::CancellationToken;

use super::*;

/// Longer than any test: what reaches it is a failure.
const LONG: Duration = Duration::from_mins(1);

fn processes() -> Processes {
    Processes::new(std::env::current_exe().unwrap())
}

fn bash(script: &str) -> Invocation {
    Invocation {
        what: What::Shell(script.to_owned()),
        cwd: std::env::temp_dir(),
        env: env::allowed(std::env::vars()),
        stdin: Vec::new(),
        merge_stderr: true,
    }
}

fn limits(timeout: Duration) -> Limits {
    Limits { timeout, head: 10_000, tail: 10_000, spill: None, spill_max: 0 }
}

async fn run(script: &str) -> Finished {
    run_for(script, LONG).await
}

async fn run_for(script: &str, timeout: Duration) -> Finished {
    let cancel = CancellationToken::new();
    processes().run(bash(script), limits(timeout), &cancel).await.unwrap()
}

/// Reports whether a process is there and no zombie.
fn alive(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid()));
    let zombie = stat.is_ok_and(|stat| stat.rsplit(')').next().unwrap().starts_with(" Z"));
    test_kill_process(pid).is_ok() && !zombie
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LONG, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Reads the process ids that a script has written, one a line.
fn pids(file: &Path, count: usize) -> Vec<Pid> {
    let read = || -> Vec<Pid> {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)).collect()
    };
    wait_until("every process has told its id", || read().len() == count);
    read()
}

#[tokio::test]
async fn tells_how_a_command_ended() {
    let done = run("echo out; echo err >&2; exit 3").await;
    assert_eq!((done.ended, done.code, done.signal), (Ended::Exited, Some(3), None));
    assert_eq!(done.stdout.text(), "out\nerr\n");
    let done = run("kill -KILL $$").await;
    assert_eq!((done.ended, done.code, done.signal), (Ended::Exited, None, Some(9)));
}

#[tokio::test]
async fn a_failure_is_told_in_words() {
    for (script, told) in [
        ("true", None),
        ("exit 3", Some("failed with exit code 3")),
        ("kill -KILL $$", Some("was ended by signal 9")),
        ("no-such-command", Some("failed with exit code 127: a command was not found")),
        ("/", Some("failed with exit code 126: a command cannot be run")),
    ] {
        assert_eq!(run(script).await.failure(LONG).as_deref(), told, "{script}");
    }
    let late = run_for("sleep 600", Duration::from_millis(50)).await;
    for (timeout, told) in [
        (Duration::from_millis(1_500), "1.5 s"),
        (Duration::from_secs(90), "90 s"),
        (Duration::from_mins(30), "30 minutes"),
        (Duration::from_hours(1), "60 minutes"),
        (Duration::from_hours(24), "24 h"),
    ] {
        assert_eq!(late.failure(timeout).unwrap(), format!("was not done after {told}"));
    }
}

#[tokio::test]
async fn a_script_sees_an_ordinary_bash() {
    let script = "echo \"$0 $#\"\nset -o pipefail; false | true; echo $?\necho \"${LINENO}\"\nif";
    let done = run(script).await;
    let text = done.stdout.text();
    assert!(text.starts_with("bash 0\n1\n3\n"), "{text}");
    assert!(text.contains("line 5: syntax error"), "{text}");
}

#[tokio::test]
async fn streams_are_apart_unless_merged_and_nothing_is_inherited() {
    let mut invocation = bash("echo out; echo err >&2; echo \"[$SECRET]\"; env | cut -d= -f1");
    invocation.merge_stderr = false;
    invocation.env = [("PATH".to_owned(), std::env::var("PATH").unwrap())].into();
    let cancel = CancellationToken::new();
    let done = processes().run(invocation, limits(LONG), &cancel).await.unwrap();
    assert_eq!(done.stderr.text(), "err\n");
    let own = ["PATH", "PWD", "OLDPWD", "SHLVL", "_"];
    let text = done.stdout.text();
    let mut lines = text.lines();
    assert_eq!((lines.next(), lines.next()), (Some("out"), Some("[]")));
    assert!(lines.all(|name| own.contains(&name)), "{text}");
}

#[tokio::test]
async fn stdin_is_given_whole_or_is_empty() {
    assert_eq!(run("cat; readlink /proc/self/fd/0").await.stdout.text(), "/dev/null\n");
    let cancel = CancellationToken::new();
    let stdin = vec![b'x'; 1_000_000];
    let count = Invocation { stdin: stdin.clone(), ..bash("wc -c") };
    let done = processes().run(count, limits(LONG), &cancel).await.unwrap();
    assert_eq!(done.stdout.text().trim(), "1000000");
    let ignore = Invocation { stdin, ..bash("echo done") };
    let done = processes().run(ignore, limits(LONG), &cancel).await.unwrap();
    assert_eq!(done.stdout.text(), "done\n");
}

#[tokio::test]
async fn a_program_gets_its_arguments_untouched() {
    let cancel = CancellationToken::new();
    let program = |name: &str, args: &[&str]| Invocation {
        what: What::Program(name.to_owned(), args.iter().map(|&arg| arg.to_owned()).collect()),
        ..bash("")
    };
    let echo = program("printf", &["%s|", "a b", "$HOME", "", "'"]);
    let done = processes().run(echo, limits(LONG), &cancel).await.unwrap();
    assert_eq!(done.stdout.text(), "a b|$HOME||'|");
    let error = processes().run(program("no-such", &[]), limits(LONG), &cancel).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    assert_eq!(error.to_string(), "there is no program `no-such`");
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let invocation = Invocation { cwd: "/no/such".into(), ..bash("true") };
    let cancel = CancellationToken::new();
    let error = processes().run(invocation, limits(LONG), &cancel).await.unwrap_err();
    assert!(error.to_string().contains("`/no/such`"), "{error}");
}

#[tokio::test]
async fn a_command_past_its_time_is_ended_with_all_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pids");
    // The shell and one child ignore TERM; a grandchild is stopped.
    let script = format!(
        "trap '' TERM; echo first; echo $$ >> {0}
         (sleep 300 & echo $! >> {0}; kill -STOP $!; wait) &
         sleep 300 & echo $! >> {0}; wait; wait",
        file.display()
    );
    let done = run_for(&script, Duration::from_secs(2)).await;
    assert_eq!((done.ended, done.code, done.signal), (Ended::TimedOut, None, Some(9)));
    assert_eq!(done.stdout.text(), "first\n");
    for pid in pids(&file, 3) {
        wait_until("the killed are gone", || !alive(pid));
    }
}

#[tokio::test]
async fn a_cancelled_command_may_clean_up() {
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let dir = tempfile::tempdir().unwrap();
    let ready = dir.path().join("ready");
    let script = format!(
        "trap 'echo cleaned; exit 7' TERM; touch {}; while :; do sleep 0.01; done",
        ready.display()
    );
    let waiter = std::thread::spawn(move || {
        wait_until("the trap is set", || ready.exists());
        stop.cancel();
    });
    let done = processes().run(bash(&script), limits(LONG), &cancel).await.unwrap();
    waiter.join().unwrap();
    assert_eq!((done.ended, done.code), (Ended::Cancelled, Some(7)));
    // Bash may report its sleep first.
    assert!(done.stdout.text().ends_with("cleaned\n"), "{done:?}");
}

#[tokio::test]
async fn a_background_child_neither_hangs_nor_stays() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pids");
    let script = format!("sleep 300 & echo $! > {}; echo started", file.display());
    let done = run(&script).await;
    assert_eq!((done.ended, done.code), (Ended::Exited, Some(0)));
    assert_eq!(done.stdout.text(), "started\n");
    let child = pids(&file, 1)[0];
    wait_until("the child is gone", || !alive(child));
}

#[tokio::test]
async fn what_still_drains_when_the_shell_ends_is_read() {
    let done = run("exec > >(sleep 0.02; cat) 2>&1; echo through").await;
    assert_eq!(done.stdout.text(), "through\n");
}

#[tokio::test]
async fn a_dropped_run_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pids");
    let script = format!("sleep 300 & echo $! >> {0}; echo $$ >> {0}; wait", file.display());
    let (processes, cancel) = (processes(), CancellationToken::new());
    let task =
        tokio::spawn(async move { processes.run(bash(&script), limits(LONG), &cancel).await });
    let file = file.clone();
    let ids = tokio::task::spawn_blocking(move || pids(&file, 2)).await.unwrap();
    task.abort();
    assert!(task.await.is_err());
    for pid in ids {
        wait_until("the dropped are gone", || !alive(pid));
    }
}

#[tokio::test]
async fn endless_output_is_kept_at_both_ends_and_in_a_bounded_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.txt");
    let cancel = CancellationToken::new();
    let kept = Limits {
        timeout: Duration::from_secs(2),
        head: 10,
        tail: 10,
        spill: Some(path.clone()),
        spill_max: 1_000_000,
    };
    let done = processes().run(bash("echo first; yes"), kept, &cancel).await.unwrap();
    assert_eq!(done.ended, Ended::TimedOut);
    assert_eq!(done.stdout.head, b"first\ny\ny\n");
    assert_eq!(done.stdout.tail.len(), 10);
    assert!(done.stdout.total > 1_000_000);
    assert_eq!(done.stdout.spill.unwrap().bytes, 1_000_000);
    assert_eq!(std::fs::metadata(path).unwrap().len(), 1_000_000);
}

#[tokio::test]
async fn many_run_side_by_side() {
    let (processes, cancel) = (processes(), CancellationToken::new());
    let runs = (0..50).map(|n| {
        let (processes, cancel) = (processes.clone(), cancel.clone());
        tokio::spawn(async move {
            processes.run(bash(&format!("echo {n}")), limits(LONG), &cancel).await
        })
    });
    for (n, run) in runs.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(run.await.unwrap().unwrap().stdout.text(), format!("{n}\n"));
    }
}

#[tokio::test]
async fn nothing_runs_without_a_guardian() {
    let dir = tempfile::tempdir().unwrap();
    let witness = dir.path().join("ran");
    let cancel = CancellationToken::new();
    let run = Processes::new("/no/such/agentlua");
    let touch = bash(&format!("touch {}", witness.display()));
    let error = run.run(touch, limits(LONG), &cancel).await.unwrap_err();
    assert!(error.to_string().contains("cannot start the guardian"), "{error}");
    assert!(!witness.exists());
}

/// The host of [`a_killed_host_leaves_no_command`]: does nothing unless that test has started it.
#[tokio::test]
async fn as_a_host_to_be_killed() {
    let Ok(file) = std::env::var("PROCESS_TEST_HOST") else { return };
    let (processes, cancel) = (processes(), CancellationToken::new());
    let script =
        format!("trap '' TERM HUP; sleep 300 & echo $! >> {file}; echo $$ >> {file}; wait");
    let one = processes.run(bash(&script), limits(LONG * 10), &cancel);
    let other = processes.run(bash(&script), limits(LONG * 10), &cancel);
    let _ = tokio::join!(one, other);
}

fn host(file: &Path) -> std::process::Child {
    std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::tests::as_a_host_to_be_killed"])
        .env("PROCESS_TEST_HOST", file)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_killed_host_leaves_no_command() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pids");
    let mut host = host(&file);
    let ids = pids(&file, 4);
    assert!(ids.iter().all(|pid| alive(*pid)));
    host.kill().unwrap();
    host.wait().unwrap();
    for pid in ids {
        wait_until("the guardian has ended them", || !alive(pid));
    }
}

#[tokio::test]
async fn a_killed_guardian_is_replaced_by_one_that_knows_all() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pids");
    let (processes, cancel) = (processes(), CancellationToken::new());
    let script = format!("echo $$ >> {}; sleep 300", file.display());
    let first = tokio::spawn({
        let (processes, cancel) = (processes.clone(), cancel.clone());
        async move { processes.run(bash(&script), limits(LONG), &cancel).await }
    });
    let waiting = file.clone();
    let ids = tokio::task::spawn_blocking(move || pids(&waiting, 1)).await.unwrap();
    let guardian = processes.guardian().unwrap();
    kill_process(guardian, Signal::KILL).unwrap();
    wait_until("the guardian is dead", || !alive(guardian));
    let done = processes.run(bash("echo on"), limits(LONG), &cancel).await.unwrap();
    assert_eq!(done.stdout.text(), "on\n");
    assert_ne!(processes.guardian(), Some(guardian));
    assert_eq!(processes.groups(), [ids[0].as_raw_pid()]);
    cancel.cancel();
    assert_eq!(first.await.unwrap().unwrap().ended, Ended::Cancelled);
    assert!(processes.groups().is_empty());
}
