//! The REPL in a real terminal.

#[path = "support/home.rs"]
#[expect(dead_code, reason = "shared with tests that run scripts")]
mod home;

#[path = "repl/fleet.rs"]
mod fleet;
#[path = "repl/keys.rs"]
mod keys;
#[path = "repl/screen.rs"]
mod screen;
#[path = "repl/session.rs"]
mod session;
#[path = "repl/shown.rs"]
mod shown;
