//! What the check says of a value, Lua says too: it refuses nothing that would have been taken.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use agentlua::check::Severity;
use agentlua::manual::Manual;

use super::home::Home;
use super::look;

/// Calls that are all right but for one option, which takes the place of `$`, and its class.
const CALLS: [(&str, &str); 18] = [
    ("agent.Query", "agent.query { prompt = 'x', $ }"),
    ("agent.WorktreeOptions", "agent.query { prompt = 'x', worktree = { $ } }"),
    ("agent.TeamOptions", "git.merge { branch = 'main', on_conflict = { $ } }"),
    ("agent.IntegrateOptions", "agent.integrate { branches = { 'main' }, $ }"),
    ("agent.ConfigOptions", "agent.config { $ }"),
    ("agent.ModelOptions", "agent.model { name = 'm', reply = print, $ }"),
    ("agent.ToolOptions", "agent.tool { name = 't', description = 'd', run = print, $ }"),
    ("agent.GroupOptions", "agent.all({}, { $ })"),
    ("agent.ListOptions", "agent.list { $ }"),
    ("fs.RemoveOptions", "fs.remove('none', { $ })"),
    ("git.MergeOptions", "git.merge { branch = 'main', $ }"),
    ("git.DiffOptions", "git.diff { $ }"),
    ("git.LogOptions", "git.log { $ }"),
    ("git.StatusOptions", "git.status { $ }"),
    ("git.CommitOptions", "git.commit { message = 'm', $ }"),
    ("json.EncodeOptions", "json.encode(1, { $ })"),
    ("sh.Options", "sh('true', { $ })"),
    ("sh.Program", "sh.run { cmd = 'true', $ }"),
];

const VALUES: [&str; 9] = ["'zzz'", "1", "-1", "0", "1.5", "true", "{}", "{ 1 }", "function() end"];

#[test]
fn lua_refuses_what_the_check_refuses() {
    let manual = Manual::load();
    let mut lines = Vec::new();
    for (class, call) in CALLS {
        let fields = manual.fields(manual.class(class).expect(class));
        for name in fields.keys() {
            for value in VALUES {
                // The option takes the place of the one that is there already.
                let rest = call.replace('$', &format!("{name} = {value}"));
                let twice = rest.matches(&format!("{name} = ")).count() > 1;
                let begins = rest.find(&format!("{name} = "));
                if let (true, Some(at)) = (twice, begins) {
                    let end = rest[at..].find(", ").map_or(at, |end| at + end + 2);
                    lines.push((name.clone(), format!("{}{}", &rest[..at], &rest[end..])));
                } else {
                    lines.push((name.clone(), rest));
                }
            }
        }
    }
    let source: Vec<&str> = lines.iter().map(|(_, line)| line.as_str()).collect();
    let refused: BTreeSet<usize> = look(&source.join("\n"))
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.line - 1)
        .collect();
    assert!(refused.len() > 400 && refused.len() < lines.len() - 100, "{}", refused.len());
    let home = Home::new();
    home.repository();
    let mut script = "local function try(number, f)\n  local ok, e = pcall(f)\n  print(number, \
                      ok and 'taken' or e.kind or 'raw', ok and '' or e.message or e)\nend\n"
        .to_owned();
    for index in &refused {
        let _ = writeln!(script, "try({index}, function() return {} end)", lines[*index].1);
    }
    // A model is looked for before some options are read.
    home.write("model.lua", "return agent.model { reply = function() return 'x' end }\n");
    home.write("main.lua", &script);
    let ran = home.run(&["run", "--model", "model.lua", "main.lua"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let mut seen = 0;
    for told in ran.stdout.lines() {
        let mut parts = told.splitn(3, '\t');
        let mut next = || parts.next().unwrap_or_default();
        let (index, kind, message) = (next().parse::<usize>().expect("a number"), next(), next());
        let (name, line) = &lines[index];
        assert_eq!(kind, "usage", "{line}: {message}");
        assert!(message.contains(name.as_str()), "{line}: {message}");
        seen += 1;
    }
    assert_eq!(seen, refused.len());
}
