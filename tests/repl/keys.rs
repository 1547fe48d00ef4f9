//! Tab, the arrows, and words that start with a colon.

use super::home::Home;
use super::screen::Screen;

impl Screen {
    /// Types a text, presses Tab, and waits for the line to become `expected`.
    fn completes(&self, typed: &str, expected: &str) {
        self.prompts();
        self.types(typed);
        self.shows(&format!("lua> {typed}"));
        self.presses("Tab");
        self.wait(&format!("the line {expected:?}"), |text| {
            let line = text.trim_end().lines().last().unwrap_or_default().trim_end();
            line == format!("lua> {expected}").trim_end()
        });
        self.presses("C-c");
    }
}

#[test]
fn tab_completes_what_there_is() {
    let home = Home::new();
    home.repository();
    let Some(screen) = Screen::open_in(home, "tab", "") else { return };
    screen.enters("sh.check 'git branch migrate/auth'");
    screen.enters(
        "local jobs = setmetatable({ billing = 1 }, { __index = function() print 'run' end })",
    );
    screen.enters("t = agent.spawn(agent.sleep, 3600)");
    screen.completes("git.conf", "git.conflicts");
    screen.completes("jobs.b", "jobs.billing");
    screen.completes("t:st", "t:status");
    screen.completes("agent.query { prom", "agent.query { prompt =");
    screen.completes("git.merge { strategy = \"reb", "git.merge { strategy = \"rebase\"");
    screen.completes("git.diff 'mig", "git.diff 'migrate/auth'");
    screen.completes(":ag", ":agents");
    screen.completes(":help git.merg", ":help git.merge");
    screen.prompts();
    screen.types("git.merge { all = ");
    screen.presses("Tab");
    screen.shows("true   false");
    screen.presses("C-c");
    screen.enters("'alive'");
    screen.shows_line("\"alive\"");
    assert!(!screen.text().contains("run\n"), "{}", screen.text());
}

#[test]
fn what_was_typed_comes_back_in_the_next_session() {
    let Some(screen) = Screen::open("history") else { return };
    screen.enters("function twice(n)");
    screen.types("  return n * 2 -- a\\n b");
    screen.presses("Enter");
    screen.types("end");
    screen.presses("Enter");
    screen.enters("'first'");
    screen.enters("'second'");
    screen.enters("'first'");
    screen.prompts();
    screen.presses("C-d");
    screen.shows_line("left with 0");
    let history = screen.home.beside("home/.local/state/agentlua/repl_history");
    let kept = std::fs::read_to_string(history).expect("the history");
    let expected = "#V2\nfunction twice(n)\\n  return n * 2 -- a\\\\n b\\nend\n'second'\n'first'\n";
    assert_eq!(kept, expected);
    screen.reopen("");
    for key in ["Up", "Up", "Up"] {
        screen.presses(key);
    }
    screen.shows_line("lua> function twice(n)");
    screen.shows_line("  return n * 2 -- a\\n b");
    screen.presses("Enter");
    screen.enters("twice(21)");
    screen.shows_line("42");
}

#[test]
fn words_with_a_colon_are_for_the_repl() {
    let home = Home::new();
    home.repository();
    let Some(screen) = Screen::open_in(home, "colon", "") else { return };
    screen.enters(":help agent.query.base");
    screen.shows("agent.query.base: ");
    screen.enters(":help git.cnflicts");
    screen.shows_line("error: nothing is called `git.cnflicts`");
    screen.shows_line("hint: :help git.conflicts");
    screen.enters(":agnets");
    screen.shows_line("hint: did you mean `:agents`?");
    screen.enters(":agents");
    screen.shows("no agents here");
    screen.enters("quit");
    screen.shows_line("commands start with a colon: `:quit`");
    screen.enters("quit = 'a variable'");
    screen.enters("quit");
    screen.shows_line("\"a variable\"");
    screen.enters("for i = 1, 2 do if i == 1 then goto next end print('at ' .. i) ::next:: end");
    screen.shows_line("at 2");
    screen.enters(":quit");
    screen.shows_line("left with 0");
}
