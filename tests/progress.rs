//! Progress live on a terminal: the display of a run in tmux, with agents that a model in Lua plays.
//! Screens are polled until they show what is expected; nothing depends on how long that takes.

#[path = "support/home.rs"]
#[expect(dead_code, reason = "shared with tests that run scripts")]
mod home;
#[path = "progress/screen.rs"]
mod screen;

use screen::Screen;

/// A model whose agents do what their prompt says until a file tells them to go on.
const MODEL: &str = r#"
return agent.model {
  name = "acted",
  reply = function(request)
    local fate = request.prompt:match("^%w+")
    if request.turn == 1 then
      local command = fate == "look" and "ls" or "touch " .. request.prompt:gsub("%W", "-")
      return {
        tools = { { name = "Bash", input = { command = command } } },
        usage = { input_tokens = 1200, output_tokens = 34 },
      }
    end
    while not fs.exists(fate .. ".go") do
      agent.sleep(0.02)
    end
    if fate == "fail" then
      error("the model has had enough")
    end
    return { text = "done", usage = { input_tokens = 1300, output_tokens = 66 } }
  end,
}
"#;

/// Three agents: one succeeds, one fails, one is still there.
const THREE: &str = r#"
print("it begins")
agent.all_settled {
  { prompt = "good work", label = "auth", branch = "fix/auth" },
  { prompt = "fail early", label = "billing", branch = "fix/billing" },
  { prompt = "last of all", label = "日本語のモジュール", branch = "fix/last" },
}
print("it is over")
"#;

fn is_row(line: &str) -> bool {
    line.starts_with(['○', '●', '↻'])
}

fn rows(text: &str) -> usize {
    text.lines().filter(|line| is_row(line)).count()
}

#[test]
fn three_agents_have_a_line_each_and_scroll_up_when_they_end() {
    let Some(screen) = Screen::open("three", (80, 24), MODEL, THREE) else { return };
    screen.types("agentlua run --model model.lua main.lua");
    screen.wait("three agents that think", |text| text.matches(" 2/20  thinking ").count() == 3);
    screen.shows("3 running · 3702 tokens · ");
    let text = screen.text();
    assert!(text.lines().all(|line| line.chars().count() < 80), "{text}");
    assert!(!text.contains(": started"), "the lines tell of that: {text}");
    screen.touch("fail.go");
    screen.shows("billing: failed: ");
    screen.shows("2 running, 1 failed · ");
    screen.touch("good.go");
    screen.shows("auth: done, 1 file changed");
    screen.shows("1 running, 1 done, 1 failed · ");
    assert_eq!(rows(&screen.text()), 1, "{}", screen.text());
    screen.touch("last.go");
    screen.left_with(1);
    let text = screen.text();
    assert_eq!(rows(&text), 0, "nothing of the display is left: {text}");
    assert!(!text.contains(" running"), "{text}");
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what:?}: {text}"));
    assert!(at("it begins") < at("billing: failed"), "{text}");
    assert!(at("it is over") < at("3 agents: 2 done, 1 failed"), "{text}");
    assert!(
        at("  failed  billing") < at("\n      model `acted`: the model has had enough"),
        "{text}"
    );
    assert!(text.contains("\nlook: agentlua diff agent-"), "{text}");
    assert!(text.contains("\nland: agentlua merge agent-"), "{text}");
    assert!(text.contains("\ngo on: agentlua resume run-"), "{text}");
    assert!(text.contains("\nkept: "), "{text}");
}

#[test]
fn of_hundreds_of_agents_some_are_shown_and_the_rest_is_counted() {
    let script = r#"
      local jobs = {}
      for i = 1, 300 do
        jobs[i] = { prompt = "look at " .. i, label = "src/module_with_quite_a_long_name_" .. i, read_only = true }
      end
      agent.all_settled(jobs)
    "#;
    let Some(screen) = Screen::open("crowd", (80, 24), MODEL, script) else { return };
    screen.types("agentlua run --model model.lua --concurrency 40 main.lua");
    screen.shows("40 running (12 shown), 260 queued · ");
    assert_eq!(rows(&screen.text()), 12, "{}", screen.text());
    // Wider and higher: more agents, and whole labels.
    screen.resizes((200, 40));
    screen.shows("40 running (20 shown), 260 queued · ");
    let text = screen.text();
    assert!(text.lines().any(|line| line.chars().count() > 100), "{text}");
    // Narrower: lines that the terminal breaks anew are taken away all the same. (What it has moved out of
    // sight meanwhile is out of reach.)
    screen.resizes((100, 40));
    screen.wait_in_sight("one block for 100 columns", |text| {
        let fits = |line: &str| line.chars().count() < 100;
        let is_one = rows(text) == 20 && text.matches(" running").count() == 1;
        is_one && text.lines().filter(|line| is_row(line)).all(fits)
    });
    screen.presses("C-c");
    screen.left_with(130);
    let text = screen.in_sight();
    assert_eq!(rows(&text), 0, "{text}");
    let text = screen.text();
    assert!(text.contains("interrupted: agents are stopped"), "{text}");
    assert!(text.contains("300 cancelled"), "{text}");
}

#[test]
fn what_is_printed_stands_above_and_whole() {
    let script = r#"
      local task = agent.spawn { prompt = "good work", label = "auth" , branch = "fix/auth" }
      local function come(name)
        while not fs.exists(name) do agent.sleep(0.02) end
      end
      come("1.go")
      io.write("a begun line,")
      come("2.go")
      log.warn("a warning beside it")
      io.stderr:write(" gone on with,")
      come("3.go")
      io.write(" \27[32mand ended\27[0m\n")
      io.write("10%\r50%")
      come("4.go")
      io.write("\r100%\n")
      for i = 1, 2000 do print("line " .. i) end
      sh "echo quiet"
      os.execute("echo by a command; echo and its errors >&2")
      come("5.go")
      os.exit(7)
    "#;
    let Some(screen) = Screen::open("prints", (80, 24), MODEL, script) else { return };
    screen.types("agentlua run --model model.lua main.lua");
    screen.shows(" 2/20  thinking ");
    screen.touch("1.go");
    screen.wait("the begun line above", |text| {
        let above = text.lines().skip_while(|line| *line != "a begun line,").nth(1);
        above.is_some_and(is_row)
    });
    screen.touch("2.go");
    screen.wait("the warning above it", |text| {
        text.contains("\nwarning: a warning beside it\na begun line, gone on with,\n○ agent-")
    });
    screen.touch("3.go");
    screen.shows("\na begun line, gone on with, and ended\n50%");
    screen.wait("no block below a line that is written over", |text| rows(text) == 0);
    screen.touch("4.go");
    screen.wait("all lines, then the block", |text| {
        let lines: Vec<&str> = text.lines().collect();
        let at = lines.iter().position(|line| *line == "and its errors");
        at.is_some_and(|at| {
            lines[at - 1] == "by a command" && lines.get(at + 1).is_some_and(|line| is_row(line))
        })
    });
    let text = screen.text();
    let printed: Vec<&str> = text.lines().filter(|line| line.starts_with("line ")).collect();
    let expected: Vec<String> =
        (2001 - printed.len()..=2000).map(|number| format!("line {number}")).collect();
    assert_eq!(printed, expected, "in order, and nothing between them");
    assert!(printed.len() > 100, "{text}");
    screen.touch("5.go");
    screen.left_with(7);
    assert_eq!(rows(&screen.text()), 0, "{}", screen.text());
}

#[test]
fn whoever_is_asked_has_the_terminal_alone() {
    let script = r#"
      local task = agent.spawn { prompt = "good work", label = "auth" , branch = "fix/auth" }
      while not fs.exists("1.go") do agent.sleep(0.02) end
      io.write("go on? ")
      print("they said " .. io.read())
      task:await()
      for line in io.lines() do print("then " .. line) break end
    "#;
    let Some(screen) = Screen::open("asks", (80, 24), MODEL, script) else { return };
    screen.types("agentlua run --model model.lua main.lua");
    screen.shows(" 2/20  thinking ");
    screen.touch("1.go");
    screen.wait("a question and nothing else", |text| {
        text.trim_end().ends_with("\ngo on?") && rows(text) == 0
    });
    screen.types("yes");
    screen.wait("the display again", |text| text.contains("go on? yes\nthey said yes\n○ agent-"));
    screen.touch("good.go");
    screen.shows("auth: done");
    screen.types("bye");
    screen.shows("\nbye\nthen bye\n");
    screen.left_with(0);
}

#[test]
fn a_stopped_run_leaves_the_terminal_to_the_shell() {
    let Some(screen) = Screen::open("stops", (80, 24), MODEL, THREE) else { return };
    screen.types("agentlua run --model model.lua main.lua");
    screen.shows("3 running · ");
    screen.presses("C-z");
    screen.shows("Stopped");
    assert_eq!(rows(&screen.text()), 0, "{}", screen.text());
    screen.types("echo it is $((40 + 2))");
    screen.shows("\nit is 42\n");
    screen.types("fg");
    screen.shows("3 running · ");
    let text = screen.text();
    assert!(text.contains("\nit is 42\n"), "{text}");
    assert_eq!(rows(&text), 3, "{text}");
    for file in ["good.go", "fail.go", "last.go"] {
        screen.touch(file);
    }
    screen.left_with(1);
    assert_eq!(rows(&screen.text()), 0, "{}", screen.text());
}

#[test]
fn lines_are_plain_where_nobody_watches() {
    let Some(screen) = Screen::open("plain", (80, 24), MODEL, THREE) else { return };
    for file in ["good.go", "fail.go", "last.go"] {
        screen.touch(file);
    }
    let run = "agentlua run --model model.lua main.lua";
    // Standard error elsewhere: the terminal has what the script prints, and nothing more.
    screen.types(&format!("{run} 2> errors.txt"));
    screen.left_with(1);
    let text = screen.text();
    assert!(text.contains("\nit begins\nit is over\n"), "{text}");
    assert!(screen.read("errors.txt").contains("auth: started on fix/auth\n"));
    assert!(!screen.read("errors.txt").contains('\u{1b}'));
    // A terminal that can do nothing, and a machine of whose output a log is kept.
    for variable in ["TERM=dumb", "CI=true"] {
        screen.types(&format!(
            "clear; git branch -D fix/auth fix/billing fix/last > /dev/null; {variable} {run}"
        ));
        screen.left_with(1);
    }
    // Whoever reads the printed text may show it on this terminal.
    screen.types(&format!(
        "clear; git branch -D fix/auth fix/billing fix/last > /dev/null; \
         (set -o pipefail; {run} | tee printed.txt)"
    ));
    screen.left_with(1);
    let text = screen.text();
    assert!(text.contains(" auth: ") && text.contains("\nit is over\n"), "{text}");
    assert_eq!(screen.read("printed.txt"), "it begins\nit is over\n");
}

#[test]
fn printed_text_may_go_elsewhere() {
    let Some(screen) = Screen::open("elsewhere", (80, 24), MODEL, THREE) else { return };
    screen.types("NO_COLOR=1 agentlua run --model model.lua main.lua > printed.txt");
    screen.shows("3 running · ");
    assert_eq!(screen.read("printed.txt"), "it begins\n");
    for file in ["good.go", "fail.go", "last.go"] {
        screen.touch(file);
    }
    screen.left_with(1);
    assert_eq!(screen.read("printed.txt"), "it begins\nit is over\n");
    let styled = screen.styled();
    let ours = styled.lines().filter(|line| line.contains("agent-"));
    assert!(
        ours.clone().count() > 3 && !ours.clone().any(|line| line.contains('\u{1b}')),
        "{styled}"
    );
}
