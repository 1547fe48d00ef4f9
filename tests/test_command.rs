//! `agentlua test`, as people type it: what it finds, runs, shows and ends with. The tests of the shipped
//! scripts are run by it too.

#[path = "support/home.rs"]
#[expect(dead_code, reason = "shared with tests that write scripts")]
mod home;

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use home::{Home, Ran};
use serde_json::Value;

/// What is in front of every file of cases.
const HEAD: &str = "local test = require 'agentlua.test'\n";

/// Writes a file of cases.
fn cases(home: &Home, name: &str, source: &str) {
    home.write(name, &format!("{HEAD}{source}"));
}

/// Runs the tests and returns the report for programs.
fn json(home: &Home, args: &[&str]) -> (i32, Value) {
    let ran = home.run(&[&["test", "--json"], args].concat());
    let report = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|fault| panic!("{fault}: {}{}", ran.stdout, ran.stderr));
    (ran.code, report)
}

/// Replaces durations, which differ from run to run.
fn timeless(text: &str) -> String {
    let time = regex::Regex::new(r"\b([0-9.]+ m?s|[0-9]+ min [0-9]+ s)\b").expect("a pattern");
    time.replace_all(text, "TIME").into_owned()
}

#[test]
fn the_shipped_scripts_pass_theirs() {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let mut files: Vec<_> = std::fs::read_dir(&scripts)
        .expect("scripts")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    files.retain(|name| !name.ends_with("_test.lua"));
    let home = Home::new();
    let ran = home.run(&["test", &scripts.display().to_string()]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.is_empty(), "{}", ran.stderr);
    for file in files {
        let test = file.replace(".lua", "_test.lua");
        assert!(ran.stdout.contains(&test), "`{file}` has no test: {}", ran.stdout);
    }
}

const REPORT: &str = r#"plain_test.lua (TIME)
  ok   no cases; the file ran to its end
shop_test.lua (TIME)
  ok   adds up (TIME)
  FAIL has the items (TIME)
  skip needs the moon: there is no moon (TIME)
  FAIL indexes nothing (TIME)

failures

shop_test.lua: has the items
  the cart: not equal
  at shop_test.lua:4
  4 |   t.equal(cart, { total = 300, items = { "tea", "cup" } }, "the cart")
    |   ^^^^^^^
    expected: { items = { "tea", "cup" }, total = 300 }
      actual: { items = { "tea", "pot" }, total = 300 }
    at items[2]: "pot" instead of "cup"
  from function 'case' (shop_test.lua:12)
  output
    the cart is made

shop_test.lua: indexes nothing
  attempt to index a nil value (local 'x')
  at shop_test.lua:17
  17 |   return x.y
     |          ^

2 passed, 2 failed, 1 skipped in 2 files (TIME)
"#;

#[test]
fn the_report_has_a_line_for_each_case_and_the_failures_at_the_end() {
    let home = Home::new();
    cases(
        &home,
        "shop_test.lua",
        r#"
local function check(t, cart)
  t.equal(cart, { total = 300, items = { "tea", "cup" } }, "the cart")
end
test.case("adds up", function(t)
  print("nobody has to see this")
  t.equal(1 + 1, 2)
end)
test.case("has the items", function(t)
  print("the cart is made")
  check(t, { total = 300, items = { "tea", "pot" } })
end)
test.case("needs the moon", function(t) t.skip("there is no moon") end)
test.case("indexes nothing", function(t)
  local x
  return x.y
end)
"#,
    );
    home.write("plain_test.lua", "assert(1 + 1 == 2)");
    let ran = home.run(&["test"]);
    assert_eq!((ran.code, &*ran.stderr), (1, ""), "{}", ran.stdout);
    assert_eq!(timeless(&ran.stdout), REPORT);
}

const DIFFERENCES: &str = r#"## text
not equal
- expected
+ actual
  one
- 2
+ two
  three
  
## deep
not equal
both are shown as {
  deep = { { { { { {…} } } } } },
  list = { 1, 2, 3 },
  name = "a",
  text = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
}
at deep[1][1][1][1][1][1].leaf: 1 instead of 2
## cycles
not equal
expected: { n = 2, self = <cycle> }
  actual: { n = 1, self = <cycle> }
at n: 1 instead of 2
## missing
not equal
expected: { a = 1, b = false }
  actual: { a = 1 }
at b: nothing instead of false
## nan
passed
## kinds
not equal
expected: 1
  actual: "1"
## functions
not equal
expected: { f = function: ADDRESS }
  actual: { f = function: ADDRESS }
at f: function: ADDRESS instead of function: ADDRESS
## pattern
the letters: nothing matches "^c" in
a
b
## error
not equal
expected: 2
  actual: 1
## no error
no error was raised
## another kind
the error is of another kind
expected: "git"
  actual: "io"
cannot read `nowhere`: no such file or directory
## another message
the error says something else
expected: "there"
  actual: "cannot read `nowhere`: no such file or directory"
## colon
`t.equal` is called with a dot, not with a colon
## unknown
`t` has no `equals`
"#;

#[test]
fn differences_are_shown_where_they_are() {
    let home = Home::new();
    cases(
        &home,
        "x_test.lua",
        r#"
test.case("text", function(t) t.equal("one\ntwo\nthree\n", "one\n2\nthree\n") end)
test.case("deep", function(t)
  local function tree(leaf)
    local t = { name = "a", list = { 1, 2, 3 }, text = ("x"):rep(60) }
    t.deep = { { { { { { { leaf = leaf } } } } } } }
    return t
  end
  t.equal(tree(1), tree(2))
end)
test.case("cycles", function(t)
  local a, b = { n = 1 }, { n = 1 }
  a.self, b.self = a, b
  t.equal(a, b)
  b.n = 2
  t.equal(a, b)
end)
test.case("missing", function(t) t.equal({ a = 1 }, { a = 1, b = false }) end)
test.case("nan", function(t) t.equal({ 0/0, 1.0 }, { 0/0, 1 }) end)
test.case("kinds", function(t) t.equal("1", 1) end)
test.case("functions", function(t) t.equal({ f = print }, { f = pcall }) end)
test.case("pattern", function(t) t.match("a\nb", "^c", "the letters") end)
test.case("error", function(t)
  local e = t.error(function() agent.query { prompt = "x", model = 3 } end, { kind = "usage" })
  t.contains(e.message, "model")
  t.error(function() error("plain") end, "plain")
  t.error(function() t.equal(1, 2) end)
end)
test.case("no error", function(t) t.error(function() end) end)
test.case("another kind", function(t) t.error(function() fs.read("nowhere") end, { kind = "git" }) end)
test.case("another message", function(t) t.error(function() fs.read("nowhere") end, "there") end)
test.case("colon", function(t) t:equal(1, 1) end)
test.case("unknown", function(t) t.equals(1, 1) end)
"#,
    );
    let (code, report) = json(&home, &["x_test.lua"]);
    assert_eq!(code, 1);
    let cases = report["files"][0]["cases"].as_array().expect("cases");
    let mut told = String::new();
    for case in cases {
        let message = case["error"]["message"].as_str().unwrap_or("passed");
        let _ = writeln!(told, "## {}\n{message}", case["name"].as_str().expect("a name"));
    }
    let address = regex::Regex::new("0x[0-9a-f]+").expect("a pattern");
    assert_eq!(address.replace_all(&told, "ADDRESS"), DIFFERENCES);
}

#[test]
fn what_a_check_is_given_to_say_is_not_said_twice() {
    let home = Home::new();
    home.write(
        "loud.lua",
        "for i = 1, 30 do io.stderr:write('line ' .. i .. '\\n') end os.exit(3)\n",
    );
    cases(
        &home,
        "loud_test.lua",
        r#"
test.case("what a run has written", function(t)
  local run = t.run { "loud.lua" }
  t.equal(run.code, 0, run.stderr)
end)
test.case("nothing", function(t) t.equal(1, 2, "") end)
test.case("other lines", function(t)
  t.equal(1, 2, t.repo {}:sh("seq 30").stdout)
end)
"#,
    );
    let report = home.run(&["test"]).stdout;
    for once in ["\n    line 1\n", "\n    line 30\n"] {
        assert_eq!(report.matches(once).count(), 1, "{once}: {report}");
    }
    assert_eq!(report.matches("\n  not equal\n").count(), 3, "{report}");
    let after = report.split("other lines").last().expect("a part");
    let shown = after.split("…\n").nth(1).expect("what is shown");
    assert!(shown.starts_with("    19\n") && shown.contains("\n    30\n"), "{report}");
    let (expected, cut) = (after.find("expected: 2"), after.find("…"));
    assert!(expected.is_some() && expected < cut, "{report}");
}

#[test]
fn a_file_that_goes_wrong_fails_alone() {
    let home = Home::new();
    home.write("a_test.lua", "local x = = 1");
    cases(&home, "b_test.lua", "test.case('one', function() end)\nerror('after it')");
    cases(&home, "c_test.lua", "test.case('ends', function() os.exit(0) end)\nprint('not here')");
    cases(&home, "d_test.lua", "test.case('dies', function() sh('kill -9 $PPID') end)");
    cases(&home, "e_test.lua", "test.case('two', function() end)");
    home.write("f_test.lua", "os.exit(4)");
    let (code, report) = json(&home, &[]);
    assert_eq!(code, 1);
    let (passed, failed) = (&report["passed"], &report["failed"]);
    assert_eq!((passed.as_u64(), failed.as_u64()), (Some(2), Some(5)), "{report:#}");
    let files = report["files"].as_array().expect("files");
    let status: Vec<_> = files.iter().map(|file| file["status"].as_str().unwrap_or("")).collect();
    assert_eq!(status, ["failed", "failed", "failed", "failed", "passed", "failed"]);
    let told = |file: usize, case: Option<usize>| {
        let file = &files[file];
        let holder = case.map_or(file, |case| &file["cases"][case]);
        let text = |name: &str| holder["error"][name].as_str().unwrap_or_default().to_owned();
        (text("message"), text("at"))
    };
    let pair = |message: &str, at: &str| (message.to_owned(), at.to_owned());
    assert_eq!(told(0, None), pair("unexpected symbol near '='", "a_test.lua:1"));
    assert_eq!(told(1, None), pair("after it", "b_test.lua:3"));
    assert_eq!(told(2, Some(0)), pair("it called `os.exit(0)`", "c_test.lua:2"));
    assert_eq!(told(3, Some(0)), pair("it was ended by signal 9", "d_test.lua:2"));
    assert_eq!(told(5, None).0, "it ended with exit code 4");
    let ran = home.run(&["test", "b_test.lua"]);
    let told = "failures\n\nb_test.lua\n  error: after it\n    at b_test.lua:3\n    \
                3 | error('after it')\n      | ^^^^^\n\n1 passed, 1 failed in 1 file (TIME)\n";
    assert!(timeless(&ran.stdout).ends_with(told), "{}", ran.stdout);
}

#[test]
fn a_file_that_takes_too_long_is_ended_and_its_case_named() {
    let home = Home::new();
    cases(
        &home,
        "slow_test.lua",
        "test.case('quick', function() end)\n\
         test.case('endless', function() print('begun') agent.sleep(600) end)\n",
    );
    let (code, report) = json(&home, &["--timeout", "10"]);
    assert_eq!(code, 1, "{report:#}");
    let cases = &report["files"][0]["cases"];
    assert_eq!(cases[0]["status"], "passed");
    assert_eq!(cases[1]["error"]["message"], "it was not done after 10 s (see `--timeout`)");
    assert_eq!(cases[1]["error"]["at"], "slow_test.lua:3");
    let output = cases[1]["output"].as_str().expect("output");
    assert!(output.starts_with("begun\n"), "{output}");
}

#[test]
fn a_filter_picks_cases_by_name() {
    let home = Home::new();
    cases(
        &home,
        "a_test.lua",
        "test.case('tea [hot]', function() end)\ntest.case('pot', function(t) t.fail() end)\n",
    );
    cases(&home, "b_test.lua", "test.case('cup', function(t) t.fail() end)\n");
    let ran = home.run(&["test", "--filter", "tea ["]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("tea [hot]") && !ran.stdout.contains("b_test"), "{}", ran.stdout);
    assert!(ran.stdout.contains("1 passed"), "{}", ran.stdout);
    let ran = home.run(&["test", "--filter", "coffee"]);
    assert_eq!(ran.code, 2, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("no case in 2 files has `coffee` in its name"), "{}", ran.stderr);
}

#[test]
fn fail_fast_stops_at_the_first_failure() {
    let home = Home::new();
    cases(
        &home,
        "a_test.lua",
        "test.case('bad', function(t) t.fail() end)\ntest.case('next', function() end)\n",
    );
    cases(&home, "b_test.lua", "test.case('late', function() end)\n");
    let (code, report) = json(&home, &["--fail-fast", "--jobs", "1"]);
    assert_eq!(code, 1);
    assert_eq!(report["files"][0]["cases"][1]["status"], "not_run", "{report:#}");
    assert_eq!(report["files"][1]["status"], "not_run", "{report:#}");
    assert_eq!((report["failed"].as_u64(), report["not_run"].as_u64()), (Some(1), Some(2)));
}

#[test]
fn nothing_to_run_is_a_usage_error_that_says_where_it_looked() {
    let home = Home::new();
    home.write("main.lua", "");
    home.write("deep/x.lua", "");
    let ran = home.run(&["test"]);
    assert_eq!(ran.code, 2);
    let here = home.path("").display().to_string();
    let here = here.trim_end_matches('/');
    assert!(ran.stderr.contains(&format!("no `*_test.lua` beneath `{here}`")), "{}", ran.stderr);
    let ran = home.run(&["test", "deep", "nowhere"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("cannot read `nowhere`"), "{}", ran.stderr);
    for wrong in [&["--jobs", "0"][..], &["--timeout", "0"], &["--frob"]] {
        assert_eq!(home.run(&[&["test"], wrong].concat()).code, 2, "{wrong:?}");
    }
}

#[test]
fn files_are_found_once_and_not_where_git_ignores_them() {
    let home = Home::new();
    for name in ["a_test.lua", "deep/b_test.lua", "out/c_test.lua", ".hidden/d_test.lua", "no.lua"]
    {
        home.write(name, "");
    }
    home.write(".gitignore", "out/\n");
    home.repository();
    let paths = |args: &[&str]| {
        let (code, report) = json(&home, args);
        assert_eq!(code, 0, "{report:#}");
        let files = report["files"].as_array().expect("files").clone();
        files.iter().map(|file| file["path"].as_str().unwrap_or("").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(paths(&[]), ["a_test.lua", "deep/b_test.lua"]);
    assert_eq!(paths(&["deep", "./deep/b_test.lua"]), ["deep/b_test.lua"]);
    // What is named is run, whatever its name and whoever ignores it.
    assert_eq!(paths(&["out/c_test.lua", "no.lua"]), ["no.lua", "out/c_test.lua"]);
}

#[test]
fn files_and_runs_see_nothing_of_the_user() {
    let home = Home::new();
    home.write("see.lua", "return { home = os.getenv 'HOME', key = os.getenv 'OPENAI_API_KEY', \
        model = os.getenv 'AGENTLUA_MODEL', mine = os.getenv 'MINE', mark = sh('env').stdout:find 'AGENTLUA_[ET]', \
        cwd = sh.check('pwd').stdout, stdin = io.read('a') }");
    cases(
        &home,
        "x_test.lua",
        r##"
test.case("seclusion", function(t)
  local repo = t.repo { ["src/a.txt"] = "a\n", ["bin/go"] = "#!/bin/sh\necho gone\n" }
  t.equal(repo:check("bin/go").stdout, "gone\n")
  t.equal(repo:check("git log --format='%an <%ae> %s'").stdout, "Tester <tester@localhost> start\n")
  t.equal(repo:read("src/a.txt"), "a\n")
  repo:write("new/b.txt", "b\n")
  t.equal(repo:sh("git status --porcelain && exit 3").code, 3)
  for _, seen in ipairs {
    t.run { "see.lua", repo = repo, env = { MINE = "1" }, stdin = "said" }.result,
    { home = os.getenv "HOME", key = os.getenv "OPENAI_API_KEY", model = os.getenv "AGENTLUA_MODEL" },
  } do
    t.falsy(seen.key, "a key")
    t.falsy(seen.model, "a setting")
    t.falsy(seen.mark, "the mark")
    t.truthy(seen.home ~= os.getenv "USERS_HOME" and seen.home:find "agentlua%-test", seen.home)
    if seen.mine then
      t.equal(seen, { home = seen.home, mine = "1", cwd = repo.path .. "\n", stdin = "said" })
    end
  end
  print("PATH OF THE REPOSITORY " .. repo.path)
  t.fail("to show it")
end)
test.case("a run that is refused", function(t)
  local run = t.run { "see.lua", flags = { "--frobnicate" } }
  t.equal({ run.code, run.status, run.agents }, { 2, "failed", {} })
  t.contains(run.stderr, "--frobnicate")
  local broken = t.run { "-", stdin = "x = = 1" }
  t.equal({ broken.code, broken.status, broken.error.kind }, { 2, "failed", "usage" })
  t.error(function() return run.stduot end, { kind = "usage", message = "stduot" })
  t.error(function() t.run { "nowhere.lua" } end, { kind = "usage", message = "no script `nowhere.lua`" })
  t.error(function() t.run { "see.lua", modle = "x" } end, { kind = "usage", message = "modle" })
  t.falsy(run.stderr:find "Usage: exe")
end)
"##,
    );
    let mut command = home.command(&["test", "--json"]);
    command.env("OPENAI_API_KEY", "k").env("AGENTLUA_MODEL", "openai/dear");
    let ran = Ran::of(&mut command);
    let report: Value = serde_json::from_str(&ran.stdout).expect("a report");
    let cases = &report["files"][0]["cases"];
    assert_eq!(cases[0]["error"]["message"], "to show it", "{report:#}");
    assert_eq!(cases[1]["status"], "passed", "{report:#}");
    let output = cases[0]["output"].as_str().expect("output");
    let path = output.split("PATH OF THE REPOSITORY ").nth(1).expect("a path").trim();
    assert!(!Path::new(path).exists(), "`{path}` is left");
    assert!(!Path::new(path.split("/0/").next().expect("the folder")).exists());
}

#[test]
fn what_a_case_starts_ends_with_it() {
    let home = Home::new();
    cases(
        &home,
        "x_test.lua",
        r#"
local ended = {}
for _, how in ipairs { "well", "badly" } do
  test.case("ends " .. how, function(t)
    agent.spawn(function()
      local mark <close> = setmetatable({}, { __close = function() ended[how] = true end })
      agent.sleep(how == "well" and 0.01 or 600)
    end)
    agent.sleep(0)
    if how == "badly" then t.fail() end
  end)
end
test.case("nothing is left", function(t) t.equal(ended, { well = true, badly = true }) end)
test.case("cases do not nest", function(t)
  t.error(function() test.case("inner", print) end, { kind = "usage", message = "still runs" })
end)
local made = 0
test.setup(function(t) made = made + 1; t.number = made end)
test.case("setup", function(t) t.equal(t.number, 1) end)
test.case("setup again", function(t) t.equal(t.number, 2) end)
"#,
    );
    let (_, report) = json(&home, &[]);
    let cases = report["files"][0]["cases"].as_array().expect("cases");
    let failed: Vec<_> = cases.iter().filter(|case| case["status"] != "passed").collect();
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert_eq!(failed[0]["name"], "ends badly");
}

#[test]
fn a_file_of_cases_is_a_script_too() {
    let home = Home::new();
    cases(
        &home,
        "x_test.lua",
        "test.case('good', function(t) t.truthy(t.repo{}.path) end)\n\
         test.case('skipped', function(t) t.skip('no moon') end)\n\
         test.case('bad', function(t) t.equal(1, 2, 'one') end)\nprint('not here')\n",
    );
    let temporary = home.beside("tmp");
    std::fs::create_dir(&temporary).expect("a folder");
    let ran = Ran::of(home.command(&["run", "x_test.lua"]).env("TMPDIR", &temporary));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(std::fs::read_dir(&temporary).expect("it is there").count(), 0, "something is left");
    assert_eq!(timeless(&ran.stdout), "ok    good (TIME)\nskip  skipped: no moon (TIME)\n");
    assert!(ran.stderr.contains("one: not equal") && ran.stderr.contains("at x_test.lua:4"));
}

#[test]
fn an_interrupt_calls_everything_off() {
    let home = Home::new();
    cases(
        &home,
        "x_test.lua",
        "test.case('waits', function() fs.write('begun', tostring(os.getenv 'HOME')) agent.sleep(600) end)\n",
    );
    let mut command: Command = home.command(&["test"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let begun = home.path("begun");
    let until = std::time::Instant::now() + Duration::from_mins(1);
    while !begun.exists() && std::time::Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    let folder = std::fs::read_to_string(&begun).expect("the case has begun");
    let ran = Ran::of(home.command_of(Path::new("kill")).args(["-INT", &child.id().to_string()]));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = Ran::from(child.wait_with_output().expect("it ends"));
    assert_eq!(ran.code, 130, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("not run waits"), "{}", ran.stdout);
    assert!(!Path::new(&folder).exists(), "`{folder}` is left");
}
