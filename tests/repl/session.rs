//! Lines, tasks beside them, Ctrl-C, and the end.

use std::process::Command;

use super::screen::Screen;

#[test]
fn values_lines_and_errors_are_shown() {
    let Some(screen) = Screen::open("values") else { return };
    screen.enters("1 + 41");
    screen.shows_line("42");
    screen.enters("_ * 2, 'text', nil");
    screen.shows_line("84");
    screen.shows_line("\"text\"");
    screen.enters("{ list = { 1, 2 }, name = 'x' }");
    screen.shows_line("{ list = { 1, 2 }, name = \"x\" }");
    screen.enters("function twice(n)");
    screen.types("  return n * 2");
    screen.presses("Enter");
    screen.types("end");
    screen.presses("Enter");
    screen.enters("twice(500)");
    screen.shows_line("1000");
    screen.enters("x = = 1");
    screen.shows_line("error: unexpected symbol near '='");
    screen.enters("error('thrown')");
    screen.shows_line("error: thrown");
    screen.enters("error({ code = 7 })");
    screen.shows_line("error: { code = 7 }");
    screen.enters("agent.query { promt = 'x' }");
    screen.shows_line("hint: did you mean `prompt`?");
    screen.enters("io.write('no', ' newline')");
    screen.shows("no newline");
    screen.enters("setmetatable({}, { __tostring = function() return 'shown' end })");
    screen.shows_line("shown");
    screen.prompts();
    screen.presses("C-d");
    screen.shows_line("left with 0");
    let history = screen.home.beside("home/.local/state/agentlua/repl_history");
    assert!(std::fs::read_to_string(history).expect("the history").contains("1 + 41"));
}

#[test]
fn ctrl_c_stops_the_evaluation_and_not_the_repl() {
    let Some(screen) = Screen::open("interrupt") else { return };
    screen.prompts();
    screen.types("half a line");
    screen.shows("lua> half a line");
    screen.presses("C-c");
    screen.prompts();
    assert!(!screen.text().contains("`:quit`"), "{}", screen.text());
    screen.presses("C-c");
    // Between two prompts there is nothing to clear, and a key would be lost.
    screen.wait("a third prompt", |text| text.matches("lua>").count() == 3);
    screen.presses("C-c");
    screen.shows_line("`:quit` or Ctrl-D leaves");
    for (round, line) in [
        "print('begun 1') agent.sleep(60)",
        "print('begun 2') while true do end",
        "print('begun 3') while true do pcall(function() while true do end end) end",
        "print('begun 4') coroutine.wrap(function() while true do pcall(agent.sleep, 1) end end)()",
        "setmetatable({}, { __tostring = function() print('begun 5') while true do end end })",
    ]
    .iter()
    .enumerate()
    {
        screen.enters(line);
        screen.shows_line(&format!("begun {}", round + 1));
        screen.presses("C-c");
        screen.wait("as many interruptions", |text| {
            text.matches("error: interrupted").count() == round + 1
        });
    }
    screen.enters("'alive'");
    screen.shows_line("\"alive\"");
}

#[test]
fn tasks_belong_to_the_session_and_leave_the_line_alone() {
    let Some(screen) = Screen::open("tasks") else { return };
    screen.enters("go = false");
    screen.enters(
        "t = agent.spawn(function() while not go do agent.sleep(0.01) end print('from afar') end)",
    );
    screen.enters("agent.spawn(function() agent.sleep(1) go = true end)");
    screen.prompts();
    screen.types("half a ");
    screen.shows_line("from afar");
    screen.wait("the line below", |text| {
        text.trim_end().lines().last().is_some_and(|line| line.trim_end() == "lua> half a")
    });
    screen.types("line");
    screen.shows_line("lua> half a line");
    screen.presses("C-c");
    screen.enters("t:status()");
    screen.shows_line("\"completed\"");
    screen.enters("agent.spawn(function() agent.sleep(0.01) error('unseen') end)");
    screen.shows_line("a task has failed, and nobody awaits it");
    screen.shows_line("error: unseen");
    screen.enters("seen = agent.spawn(error, 'seen') ok, e = pcall(seen.await, seen) print(e)");
    screen.shows_line("seen");
    screen.enters(
        "agent.spawn(function() local g <close> = setmetatable({}, { __close = function() \
         agent.sleep(0.01) print('closed') end }) agent.sleep(3600) end)",
    );
    screen.prompts();
    screen.presses("C-d");
    screen.shows_line("closed");
    screen.shows_line("left with 0");
    let text = screen.text();
    assert_eq!(text.matches("nobody awaits it").count(), 1, "{text}");
}

#[test]
fn it_leaves_the_terminal_as_it_was() {
    let Some(screen) = Screen::open("leaving") else { return };
    screen.enters("agent.spawn(function() agent.sleep(0.5) os.exit(5) end)");
    screen.prompts();
    screen.types("in the middle of");
    screen.shows_line("left with 5");
    let tty = screen.tmux(&["display-message", "-p", "#{pane_tty}"]);
    let tty = String::from_utf8_lossy(&tty.stdout).trim().to_owned();
    let modes = Command::new("stty").args(["-a", "-F", &tty]).output().expect("stty runs");
    let modes = String::from_utf8_lossy(&modes.stdout).into_owned();
    assert!(modes.contains(" icanon") && modes.contains(" echo "), "{modes}");
}
