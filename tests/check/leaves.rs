//! Scripts that work are not refused, whatever they do; and none of ours has a finding.

use std::path::Path;

use agentlua::check::{Script, Severity, check, folder_of, names_of_lua};

use super::home::Home;
use super::{line, look};

/// Scripts that end well, each for a reason that is easily overlooked.
const WORK: [&str; 39] = [
    "if foo then foo() end",
    "foo = foo or 5\nprint(foo + 1)",
    "local x = bar or 'default'\nprint(x .. '!')",
    "print(type(foo) == 'nil', foo == nil)",
    "function late() return early() end\nfunction early() return 1 end\nprint(late() + 1)",
    "local unpack = unpack or table.unpack\nprint(unpack { 1 })",
    "load 'made = 5' ()\nprint(made + 1)",
    "_G.made = 5\nprint(made + 1)",
    "setmetatable(_ENV, { __index = function() return 5 end })\nprint(made + 1)",
    "local _ENV = { print = print, made = 5 }\nprint(made + 1)",
    "_ENV['ma' .. 'de'] = 5\nprint(made + 1)",
    "print(pcall(function() return gone.x end))",
    "print(pcall(function() agent.query { promt = 'x' } end))",
    "local function refused(f) return pcall(f) end\nrefused(function() agent.query { promt = 'x' } end)",
    "local function bad() agent.qurey 'x' end\nprint(pcall(bad))",
    "print(pcall(agent.query, { promt = 'x' }))",
    "local co = coroutine.create(function() gone() end)\nprint(coroutine.resume(co))",
    "if agent.newer then agent.newer { x = 1 } end",
    "local newer = agent.newer or function() end\nnewer()",
    "function agent.review() return 5 end\nprint(agent.review() + 1)",
    "agent.query = function(o) return o.anything end\nprint(agent.query { anything = 5 })",
    "local function extend(m) m.extra = print end\nextend(git)\ngit.extra 'x'",
    "local agent = { query = function(o) return o.x end }\nprint(agent.query { x = 5 })",
    "local function with(agent) return agent.query { x = 5 } end\nprint(with { query = function(o) return o.x end })",
    "local log = print\nlog('x')",
    "local git = {}\nfunction git.merge() return 5 end\nprint(git.merge() + 1)",
    "local git = {}\nlocal function fill(m) m.merge = print end\nfill(git)\ngit.merge 'x'",
    "local git = { load = function(m) m.merge = print end }\ngit:load()\ngit.merge 'x'",
    "local agent, json = 'a', { x = 1 }\nprint(agent.query, json.encode)",
    "for _, log in ipairs { { info = print } } do log.info 'x' end",
    "for log = 1, 2 do log = { info = print } log.info 'x' end",
    "local branch\nlocal function site(o) return o.branch end\nprint(site { worktree = false, branch = branch })",
    "local sh = function(text) return text end\nprint(sh 'x')",
    "string.trim = function(s) return s end\nprint(string.trim 'x', ('y'):trim())",
    "for i = 1, 2 do goto next ::next:: end\nlocal x <const>, y <close> = 7 // 2, nil\nprint(x & 3 | 4 ~ 1, y)",
    "local o = { self = 1 }\nfunction o:get() return self.self end\nprint(o:get() + 1)",
    "repeat local done = true until done\nprint(arg[0], ...)",
    "\u{feff}print 'a byte-order mark'",
    "local s = 'a\\z\n  b\\u{48}\\x41' .. [==[\n]]]==] .. 0x1p4 .. 1e3\nprint(s, -2 ^ 2, not nil == true)",
];

#[test]
fn what_works_is_not_refused() {
    let home = Home::new();
    for source in WORK {
        let errors: Vec<_> = look(source)
            .into_iter()
            .filter(|finding| finding.severity == Severity::Error)
            .map(|finding| line(&finding))
            .collect();
        assert_eq!(errors, [""; 0], "{source}");
        let ran = home.script(source);
        assert_eq!(ran.code, 0, "{source}\n{}", ran.stderr);
    }
}

#[test]
fn modules_are_looked_at_with_their_script() {
    let home = Home::new();
    home.write(
        "lib/shared.lua",
        "counter = 0\nreturn { bump = function() counter = counter + 1 end }\n",
    );
    home.write(
        "lib/old.lua",
        "local f = loadstring or load\nreturn function(x) return unpack(x) end\n",
    );
    home.write("lib/wrong.lua", "return function() return agent.qurey 'x' end\n");
    home.write("main.lua", "require('lib.shared').bump()\nrequire 'lib.old'\nprint(counter + 1)\n");
    let ran = home.script("require('lib.shared').bump()\nrequire 'lib.old'\nprint(counter + 1)\n");
    assert_eq!((ran.code, &*ran.stdout), (0, "2\n"), "{}", ran.stderr);
    let ran = home.script("require 'lib.wrong'\nprint 'ran'\n");
    assert_eq!((ran.code, &*ran.stdout), (2, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("at lib/wrong.lua:1"), "{}", ran.stderr);
    // Where its error would be caught it is left to the script.
    let ran = home.script("print(pcall(require, 'lib.wrong'))\n");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // A file that another one requires is looked at with that: it defines what this one uses.
    home.write("user.lua", "require 'lib.shared'\nreturn require 'lib.uses'\n");
    home.write("lib/uses.lua", "return counter + 1\n");
    let ran = home.run(&["check", "--short", "lib/uses.lua", "user.lua"]);
    assert_eq!((ran.code, &*ran.stdout), (0, ""), "{}", ran.stderr);
    let ran = home.run(&["check", "--short", "lib/uses.lua"]);
    assert_eq!(
        ran.stdout,
        "lib/uses.lua:1:8: error: `counter` is not defined (did you mean `coroutine`?)\n"
    );
}

#[test]
fn large_files_are_looked_at_and_larger_ones_are_told_of() {
    let large = format!("local x = [[{}]]\nagent.qurey(x)\n", "x".repeat(5 << 20));
    let found: Vec<_> = look(&large).iter().map(line).collect();
    let unknown = "2:7-12 error: `agent` has no function `qurey` (did you mean `agent.query`?)";
    assert_eq!(found, [unknown]);
    let larger = format!("local x = [[{}]]\nagent.qurey(x)\n", "x".repeat(9 << 20));
    let found: Vec<_> = look(&larger).iter().map(line).collect();
    let told = "1:1-2 warning: it is too large to check, and nothing is known of it (files of up to 8 \
                MiB are looked at)";
    assert_eq!(found, [told]);
}

#[test]
fn what_cannot_be_required_may_define_anything() {
    let found = look("require 'somewhere.else'\nprint(theirs + 1)\n");
    let found: Vec<_> = found.iter().map(line).collect();
    assert_eq!(found, ["2:7-13 warning: `theirs` is not defined"]);
}

/// Returns the Lua files beneath a folder.
fn beneath(folder: &str) -> Vec<Script> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let (files, faults) = agentlua::files::beneath(&root, ".lua");
    assert!(!files.is_empty() && faults.is_empty(), "{folder}: {faults:?}");
    let read = |path: std::path::PathBuf| Script {
        source: std::fs::read(&path).expect("a file"),
        dir: folder_of(&path),
        name: path.display().to_string(),
    };
    files.into_iter().map(read).collect()
}

#[test]
fn none_of_our_scripts_has_a_finding() {
    // Their mistakes are what these specs are about.
    let meant = ["specs/unknown_option", "specs/syntax_error"];
    let mut looked = 0;
    for folder in ["scripts", "lua", "tests"] {
        let scripts = beneath(folder);
        looked += scripts.len();
        let findings = check(scripts).expect("the check");
        let unexpected: Vec<_> = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .filter(|finding| !meant.iter().any(|meant| finding.file.contains(meant)))
            .map(|finding| format!("{}:{}", finding.file, line(finding)))
            .collect();
        assert_eq!(unexpected, [""; 0]);
    }
    assert!(looked > 100, "{looked} scripts are not all of them");
}

#[test]
fn the_scripts_of_the_readme_have_no_finding() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(path).expect("README.md");
    let blocks = text.split("```lua\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut looked = 0;
    for block in blocks {
        let errors: Vec<_> = look(block)
            .into_iter()
            .filter(|finding| finding.severity == Severity::Error)
            .map(|finding| line(&finding))
            .collect();
        assert_eq!(errors, [""; 0], "{block}");
        looked += 1;
    }
    assert!(looked > 3, "{looked} blocks are not all of them");
}

#[test]
fn a_long_sum_is_no_trouble() {
    let mut source = "local x = 1".to_owned();
    source.push_str(&" + 1".repeat(20_000));
    assert_eq!(look(&source), []);
}

#[test]
fn names_of_lua_are_those_that_lua_has() {
    let home = Home::new();
    let ran = home.script(
        "local names = {}\n\
         for name, value in pairs(_G) do\n\
         \x20 names[#names + 1] = name\n\
         \x20 if type(value) == 'table' and name ~= '_G' and name ~= 'arg' then\n\
         \x20   for field in pairs(value) do names[#names + 1] = name .. '.' .. tostring(field) end\n\
         \x20 end\n\
         end\n\
         print(table.concat(names, '\\n'))",
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for name in ran.stdout.lines() {
        // A name that is not known would be told; one that is known wrongly is not there to be told of.
        assert_eq!(look(&format!("local x = {name}")), [], "{name}");
    }
    let known: Vec<&str> = ran.stdout.lines().collect();
    for name in names_of_lua().filter(|name| name != "_ENV") {
        assert!(known.contains(&&*name), "Lua has no `{name}`");
    }
    for name in ["unpack", "table.getn", "math.cot", "string.gfind", "debug.sethook", "os.exits"] {
        assert!(!known.contains(&name), "{name}");
        assert!(!look(&format!("{name}()")).is_empty(), "{name}");
    }
}
