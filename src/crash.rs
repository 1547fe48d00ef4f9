//! Points at which a test may end this process as `kill -9` does: before and after every step whose
//! half-done state the next start must recover from.
//!
//! `AGENTLUA_CRASH_AT=n` ends it at the n-th point that it comes to, `AGENTLUA_CRASH_AT=name` at the
//! first of that name, `AGENTLUA_CRASH_AT=name#n` at the n-th of that name; `AGENTLUA_CRASH_LOG=file`
//! writes each name down. Builds for users have none of it.

/// A point between two steps.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    use std::io::Write;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WANTED: OnceLock<(Option<String>, Option<String>)> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);
    static NAMED: AtomicU64 = AtomicU64::new(0);
    let variable = |name| std::env::var(name).ok();
    let (at, log) =
        WANTED.get_or_init(|| (variable("AGENTLUA_CRASH_AT"), variable("AGENTLUA_CRASH_LOG")));
    if at.is_none() && log.is_none() {
        return;
    }
    let passed = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    if let Some(file) = log
        && let Ok(mut file) = std::fs::File::options().create(true).append(true).open(file)
    {
        let _ = writeln!(file, "{name}");
    }
    let is_it = |at: &String| match at.split_once('#') {
        Some((wanted, number)) => {
            wanted == name && number.parse() == Ok(NAMED.fetch_add(1, Ordering::SeqCst) + 1)
        }
        None => at.parse() == Ok(passed) || at == name,
    };
    if at.as_ref().is_some_and(is_it) {
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}

/// A point between two steps.
#[cfg(not(debug_assertions))]
pub fn point(_name: &str) {}
