//! The command, and the check before a run.

use super::home::{Home, Ran};

#[test]
fn findings_are_blocks_lines_or_json() {
    let home = Home::new();
    home.write("main.lua", "local o = agent.query {\n  promt = 'x',\n}\nprint(o.result)\n");
    let ran = home.run(&["check", "main.lua"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert_eq!(ran.stderr, "");
    for part in [
        "error: `agent.query` has no option `promt`\n",
        "main.lua:2",
        "2 |   promt = 'x',\n",
        "  ^^^^^\n",
        "hint: did you mean `prompt`?\n",
        "looked at 1 file: 1 error\n",
    ] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    let ran = home.run(&["check", "--short", "main.lua"]);
    let line =
        "main.lua:2:3: error: `agent.query` has no option `promt` (did you mean `prompt`?)\n";
    assert_eq!((ran.code, &*ran.stdout), (2, line));
    let ran = home.run(&["check", "--json", "main.lua"]);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(
        json,
        serde_json::json!([{
            "file": "main.lua",
            "line": 2,
            "column": 3,
            "end_column": 8,
            "severity": "error",
            "message": "`agent.query` has no option `promt`",
            "hint": "did you mean `prompt`?",
        }])
    );
}

#[test]
fn files_folders_and_standard_input() {
    let home = Home::new();
    home.repository();
    home.write("good.lua", "print 'x'\n");
    home.write("sub/warns.lua", "print(gone)\n");
    home.write("sub/bad.lua", "gone()\n");
    home.write("built/bad.lua", "gone()\n");
    home.write(".gitignore", "built/\n");
    let ran = home.run(&["check", "good.lua"]);
    assert_eq!((ran.code, &*ran.stdout), (0, "looked at 1 file: nothing is wrong\n"));
    let ran = home.run(&["check", "--short", "sub/warns.lua"]);
    assert_eq!(
        (ran.code, &*ran.stdout),
        (0, "sub/warns.lua:1:7: warning: `gone` is not defined\n")
    );
    let ran = home.run(&["check", "--short", ".", "sub/bad.lua"]);
    let both = "sub/bad.lua:1:1: error: `gone` is not defined\n\
                sub/warns.lua:1:7: warning: `gone` is not defined\n";
    assert_eq!((ran.code, &*ran.stdout), (2, both));
    let ran = home.run(&["check", "--json", "good.lua"]);
    assert_eq!((ran.code, &*ran.stdout), (0, "[]\n"));
    home.write("in", "gone()\n");
    let mut command = home.command(&["check", "--short", "-"]);
    let ran = Ran::of(command.stdin(std::fs::File::open(home.path("in")).expect("a file")));
    assert_eq!((ran.code, &*ran.stdout), (2, "stdin:1:1: error: `gone` is not defined\n"));
    for (args, why) in [
        (&["check", "missing.lua"][..], "cannot read `missing.lua`"),
        (&["check", "/dev/null"], "`/dev/null` is no file and no folder"),
        (&["check", "built"], "no `*.lua` beneath `built`"),
        (&["check"], "needs `FILE|DIR`"),
    ] {
        if args.contains(&"built") {
            std::fs::remove_file(home.path("built/bad.lua")).expect("removed");
        }
        let ran = home.run(args);
        assert_eq!((ran.code, &*ran.stdout), (2, ""), "{args:?}");
        assert!(ran.stderr.contains(why), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn a_run_is_refused_before_anything_begins() {
    let home = Home::new();
    home.repository();
    home.write(
        "model.lua",
        "fs.write('asked', 'x')\nreturn agent.model { reply = function() return 'x' end }\n",
    );
    let source = "fs.write('begun', 'x')\nagent.query 'x'\nagent.query { promt = 'x' }\ngone()\n";
    home.write("main.lua", source);
    let ran = home.run(&["run", "--model", "model.lua", "main.lua"]);
    assert_eq!((ran.code, &*ran.stdout), (2, ""), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("error: ").count(), 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: did you mean `prompt`?"), "{}", ran.stderr);
    for left in ["begun", "asked", ".git/agentlua"] {
        assert!(!home.path(left).exists(), "{left}");
    }
    // In the background, too, somebody has to hear of it.
    let ran = home.run(&["run", "--detach", "--model", "model.lua", "main.lua"]);
    assert_eq!((ran.code, &*ran.stdout), (2, ""), "{}", ran.stderr);
    let ran = home.run(&["run", "--output-format", "json", "main.lua"]);
    let last: serde_json::Value = serde_json::from_str(&ran.stdout).expect("the last line");
    assert_eq!((ran.code, &last["status"]), (2, &"failed".into()));
    assert_eq!(last["error"]["message"], "`agent.query` has no option `promt`");
    assert_eq!(last["error"]["at"], "main.lua:3");
}

#[test]
fn warnings_do_not_hold_a_run_up() {
    let home = Home::new();
    let ran = home.script("print(gone)\n");
    assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (0, "nil\n", ""));
}
