//! A fleet that is driven line by line, under a model that is written in Lua.

use super::home::Home;
use super::screen::Screen;

/// Writes a file of the prompt's name, unless the prompt tells it to work for ever.
const MODEL: &str = r#"
return agent.model {
  name = "player",
  reply = function(request)
    if request.prompt:find("for ever", 1, true) then
      agent.sleep(3600)
    elseif request.turn == 1 then
      local input = { file_path = request.prompt .. ".txt", content = request.prompt .. "\n" }
      return { tools = { { name = "Write", input = input } } }
    end
    return "wrote it\nas you asked"
  end,
}
"#;

fn repository() -> Home {
    let home = Home::new();
    home.write("model.lua", MODEL);
    home.repository();
    home
}

#[test]
fn a_fleet_is_driven_line_by_line() {
    let Some(screen) = Screen::open_in(repository(), "fleet", "--model model.lua") else { return };
    screen.enters("a = agent.spawn { prompt = 'alpha', branch = 'notes/a' }");
    // It works above the prompt.
    screen.shows("notes/a: done, 1 file changed, 2 turns");
    screen.enters("a");
    screen.wait("the handle", |text| {
        text.lines().any(|line| line.starts_with("<task agent-") && line.ends_with(" completed>"))
    });
    screen.enters("a:status()");
    screen.shows_line("\"completed\"");
    screen.enters("a:await()");
    screen.shows("  files    alpha.txt");
    screen.shows_line("  as you asked");
    screen.enters("git.diff(a)");
    screen.shows_line("+alpha");
    screen.enters("git.merge(a)");
    screen.shows("main was moved forward to ");
    screen.enters("git.merge(a)");
    screen.shows("main has all of it already, at ");
    screen.enters("r = agent.all_settled { x = { prompt = 'x', branch = 'x' }, y = { prompt = 'y', branch = 'main' } }");
    screen.enters("r");
    screen.wait("the rows", |text| {
        let rows: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("KEY ")).collect();
        rows.len() > 2
            && rows[1].starts_with("x    success")
            && rows[1].contains("wrote it")
            && rows[2].starts_with("y    error_worktree")
            && rows[2].contains("the branch `main` already exists")
    });
    screen.enters("_.x.outcome.files_changed");
    screen.shows_line("{ \"x.txt\" }");
    screen.enters("r.x.outcom");
    screen.shows_line("error: a settled item has no field `outcom`");
    screen.shows_line("hint: did you mean `outcome`?");
    screen.enters(":agents");
    screen.shows("ID          STATUS     BRANCH");
    screen.enters("agent.remove(a)");
    screen.enters(":quit");
    screen.shows_line("left with 0");
}

#[test]
fn ctrl_c_ends_a_query_and_not_the_session() {
    let Some(screen) = Screen::open_in(repository(), "query", "--model model.lua") else { return };
    screen.enters("kept = agent.query { prompt = 'wait for ever', branch = 'slow' }");
    screen.shows("started on slow");
    screen.presses("C-c");
    screen.shows_line("error: interrupted");
    let text = screen.text();
    assert!(!text.contains("^Cagent-"), "a line of its own: {text}");
    screen.enters("b = agent.spawn { prompt = 'for ever', branch = 'behind' }");
    screen.shows("started on behind");
    // What runs in the background goes on when a line is interrupted.
    screen.enters("print('begun') agent.sleep(3600)");
    screen.shows_line("begun");
    screen.presses("C-c");
    screen.wait("two interruptions", |text| text.matches("error: interrupted").count() == 2);
    screen.enters("b:status()");
    screen.shows_line("\"running\"");
    screen.enters("b:cancel()");
    screen.shows("behind: cancelled");
    screen.prompts();
    screen.presses("C-d");
    screen.shows("left with ");
}
