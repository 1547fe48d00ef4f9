//! `agent.args`: what is typed after a script, through the binary.

#[path = "support/home.rs"]
#[expect(dead_code, reason = "shared with tests that need a repository")]
mod home;

use home::{Home, Ran};
use insta::assert_snapshot;

const SCRIPT: &str = r#"
local args = agent.args {
  about = "Reviews every open pull request.",
  { "branches", many = true, help = "local branches to review instead" },
  { "--post", "boolean", help = "post the reviews" },
  { "--color", "boolean", default = true, help = "colour the table" },
  { "-n", "--limit", "integer", default = 10, help = "how many at most" },
  { "--share", "number", metavar = "PART" },
  { "--strategy", { "merge", "squash" }, default = "merge", help = "how they land" },
  { "--config", "file" },
  { "--into", "directory" },
  { "--tag", many = true, default = { "new" } },
  { "--dry-run", "boolean" },
}
print(json.encode(args))
"#;

/// Runs a script with what is typed after it, and returns what it wrote.
fn typed(source: &str, args: &[&str]) -> Ran {
    let home = Home::new();
    home.write("review.lua", source);
    home.write("folder/file", "");
    home.run(&[&["run", "review.lua"], args].concat())
}

fn answers(args: &[&str]) -> serde_json::Value {
    let ran = typed(SCRIPT, args);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{args:?}: {}", ran.stderr);
    serde_json::from_str(&ran.stdout).expect("an object")
}

/// Returns the message and the hint of a usage error, each on a line.
fn refused(source: &str, args: &[&str]) -> String {
    let ran = typed(source, args);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{args:?}: {}", ran.stderr);
    let told = |start: &str| {
        let line = ran.stderr.lines().find_map(|line| line.strip_prefix(start));
        line.map(|text| format!("{text}\n")).unwrap_or_default()
    };
    format!("{}{}", told("error: "), told("hint: "))
}

#[test]
fn nothing_typed_leaves_the_defaults() {
    assert_snapshot!(answers(&[]), @r#"{"branches":[],"color":true,"dry_run":false,"limit":10,"post":false,"strategy":"merge","tag":["new"]}"#);
}

#[test]
fn all_that_follows_the_script_is_its_own() {
    let args = "a b -n -3 --post --no-color --share 0.5 --strategy=squash --config folder/file \
                --into folder --tag x --tag y --dry-run -- --quiet";
    let args: Vec<&str> = args.split_whitespace().collect();
    assert_snapshot!(answers(&args), @r#"{"branches":["a","b","--quiet"],"color":false,"config":"folder/file","dry_run":true,"into":"folder","limit":-3,"post":true,"share":0.5,"strategy":"squash","tag":["x","y"]}"#);
    assert_eq!(answers(&["--no-color", "--color"])["color"], true);
}

#[test]
fn a_number_below_zero_is_a_value_however_it_is_written() {
    let source = r#"
        local args = agent.args {
          { "delta", "number" },
          { "names", many = true },
          { "--share", "number" },
          { "--limit", "integer" },
          { "--level", { "-1", "0", "1" } },
        }
        print(json.encode(args))
    "#;
    let args = "-1e-3 -4 --share -.5 --limit -7 --level -1";
    let ran = typed(source, &args.split(' ').collect::<Vec<_>>());
    let values = r#"{"delta":-0.001,"level":"-1","limit":-7,"names":["-4"],"share":-0.5}"#;
    assert_eq!(ran.stdout.trim_end(), values, "{}", ran.stderr);
    assert_snapshot!(refused(source, &["--limit", "-1e-3"]), @"
    `--limit` takes a whole number, not `-1e-3`
    agentlua run review.lua --help
    ");
    assert_snapshot!(refused(source, &["--level", "-2"]), @"
    `--level` takes `-1`, `0` or `1`, not `-2`
    agentlua run review.lua --help
    ");
    assert_snapshot!(refused("agent.args {}", &["-.5"]), @"
    `review.lua` takes no arguments: `-.5` is too many
    agentlua run review.lua --help
    ");
}

#[test]
fn the_help_is_that_of_the_script() {
    let ran = typed(SCRIPT, &["--help"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_snapshot!(ran.stdout, @"
    Reviews every open pull request.

    Usage: agentlua run review.lua [OPTIONS] [BRANCHES]...

    Arguments:
      [BRANCHES]...  local branches to review instead

    Options:
          --post                 post the reviews
          --color                colour the table [default: on; --no-color turns it off]
      -n, --limit <LIMIT>        how many at most [default: 10]
          --share <PART>
          --strategy <STRATEGY>  how they land [default: merge] [possible values: merge, squash]
          --config <CONFIG>
          --into <INTO>
          --tag <TAG>            [default: new]
          --dry-run
      -h, --help                 Print help
    ");
    assert_eq!(typed(SCRIPT, &["a", "-h"]).stdout, ran.stdout);
    let plain = typed("agent.args {}", &["--help"]);
    assert_snapshot!(plain.stdout, @"
    Usage: agentlua run review.lua

    Options:
      -h, --help  Print help
    ");
}

#[test]
fn what_is_typed_wrong_is_said_in_a_line_with_the_next_thing_to_type() {
    let cases: [&[&str]; 20] = [
        &["--pots"],
        &["--zzz"],
        &["-x"],
        &["--limit", "x"],
        &["--limit", "1.5"],
        &["--limit"],
        &["--limit="],
        &["-n", "1", "--limit", "2"],
        &["--share", "nan"],
        &["--strategy", "mrege"],
        &["--strategy"],
        &["--post=1"],
        &["--config", "nothing"],
        &["--config", "folder"],
        &["--into", "nothing"],
        &["--into", "folder/file"],
        &["--tag"],
        &["--no-post"],
        &["--help=x"],
        &["--dry_run"],
    ];
    let said: Vec<String> = cases.iter().map(|args| refused(SCRIPT, args)).collect();
    assert_snapshot!(said.join("\n"), @"
    `review.lua` has no option `--pots`
    did you mean `--post`?

    `review.lua` has no option `--zzz`
    agentlua run review.lua --help

    `review.lua` has no option `-x`
    agentlua run review.lua --help

    `--limit` takes a whole number, not `x`
    agentlua run review.lua --help

    `--limit` takes a whole number, not `1.5`
    agentlua run review.lua --help

    `--limit` needs a value
    agentlua run review.lua --help

    `--limit` needs a value
    agentlua run review.lua --help

    `--limit` is given twice
    agentlua run review.lua --help

    `--share` takes a number, not `nan`
    agentlua run review.lua --help

    `--strategy` takes `merge` or `squash`, not `mrege`
    did you mean `merge`?

    `--strategy` needs a value: `merge` or `squash`
    agentlua run review.lua --help

    `--post` takes no value, and `1` is one
    agentlua run review.lua --help

    `--config` takes a file, and there is no `nothing`
    agentlua run review.lua --help

    `--config` takes a file, and `folder` is a directory
    agentlua run review.lua --help

    `--into` takes a directory, and there is no `nothing`
    agentlua run review.lua --help

    `--into` takes a directory, and `folder/file` is a file
    agentlua run review.lua --help

    `--tag` needs a value
    agentlua run review.lua --help

    `review.lua` has no option `--no-post`
    agentlua run review.lua --help

    `--help` takes no value, and `x` is one
    agentlua run review.lua --help

    `review.lua` has no option `--dry_run`
    did you mean `--dry-run`?
    ");
    let needs = r#"agent.args { { "task", required = true }, { "--repo", required = true } }"#;
    assert_snapshot!(refused(needs, &[]), @"
    `review.lua` needs `--repo` and `TASK`
    agentlua run review.lua --help
    ");
    assert_snapshot!(refused(needs, &["a", "--repo", "b", "c"]), @"
    `review.lua` takes no more arguments: `c` is too many
    agentlua run review.lua --help
    ");
    assert_snapshot!(refused("agent.args {}", &["c"]), @"
    `review.lua` takes no arguments: `c` is too many
    agentlua run review.lua --help
    ");
}

#[test]
fn it_is_nobodys_line_that_is_to_blame_for_what_was_typed() {
    let home = Home::new();
    home.write("review.lua", SCRIPT);
    let ran = home.run(&["run", "--output-format", "json", "review.lua", "--pots"]);
    assert_eq!(ran.code, 2);
    let last: serde_json::Value = serde_json::from_str(&ran.stdout).expect("an object");
    assert_eq!(last["error"]["kind"], "usage");
    assert_eq!(last["error"]["hint"], "did you mean `--post`?");
    assert!(last["error"]["at"].is_null());
    let ran = home.run(&["run", "review.lua", "--pots"]);
    let whole = "error: `review.lua` has no option `--pots`\n\nhint: did you mean `--post`?\n";
    assert_eq!(ran.stderr, whole);
    let caught = typed(
        "local ok, e = pcall(agent.args, { { '--n', 'integer' } }) print(ok, e.kind, e.at, e.hint)",
        &["--n=x"],
    );
    assert_eq!(caught.stdout, "false\tusage\tnil\tagentlua run review.lua --help\n");
}

#[test]
fn an_argument_that_nobody_declared_is_a_mistake() {
    let read = |field: &str| {
        let source = "local args = agent.args { { '--dry-run', 'boolean' }, { '--limit' } }\nprint";
        refused(&format!("{source}(args.{field})"), &[])
    };
    assert_snapshot!(read("dryrun"), @"
    no argument `dryrun` is declared
    did you mean `dry_run`?
    ");
    assert_snapshot!(read("zzz"), @"
    no argument `zzz` is declared
    declare it in `agent.args { … }`
    ");
}

#[test]
fn arguments_are_declared_once_also_by_a_module() {
    let home = Home::new();
    home.write(
        "lib/options.lua",
        "local args = agent.args { { '--limit', 'integer' } }\nreturn args",
    );
    home.write("main.lua", "local args = require 'lib.options'\nprint(args.limit)\nagent.args {}");
    let ran = home.run(&["run", "main.lua", "--limit", "7"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, "7\n"));
    let said = "error: `agent.args` was called before, at lib/options.lua:1";
    assert!(ran.stderr.starts_with(said), "{}", ran.stderr);
    assert!(ran.stderr.contains("main.lua:3"), "{}", ran.stderr);
}

#[test]
fn bytes_that_are_no_text_reach_the_script() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let home = Home::new();
    home.write(
        "main.lua",
        "local args = agent.args { { 'file' } } print(#args.file, args.file:byte(2))",
    );
    let mut command = home.command(&["run", "main.lua"]);
    let ran = Ran::of(command.arg(OsStr::from_bytes(b"a\xffb")));
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "3\t255\n"), "{}", ran.stderr);
}

#[test]
fn a_run_that_is_resumed_has_the_arguments_of_then() {
    let home = Home::new();
    home.repository();
    home.write(
        "main.lua",
        r#"
        local args = agent.args { { "--word" } }
        agent.query { prompt = "x", model = agent.model { reply = function() return "done" end } }
        print(args.word)
        if not fs.exists "again" then
          fs.write("again", "")
          error "once more"
        end
        "#,
    );
    let first = home.run(&["run", "main.lua", "--word", "hello"]);
    assert_eq!((first.code, first.stdout.as_str()), (1, "hello\n"), "{}", first.stderr);
    let second = home.run(&["resume"]);
    assert_eq!((second.code, second.stdout.as_str()), (0, "hello\n"), "{}", second.stderr);
}
