//! Tables of commands and what the rules say of them.

#![expect(clippy::unwrap_used, clippy::too_many_lines, reason = "tests, of tables")]

mod names;
mod reading;

use super::*;
use serde_json::json;

fn tools() -> Vec<String> {
    ["Read", "Write", "Edit", "Bash", "Glob", "Grep", "lookup"].map(str::to_owned).to_vec()
}

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|rule| (*rule).to_owned()).collect()
}

fn rules(allowed: &[&str], denied: &[&str]) -> Rules {
    let allowed = (!allowed.is_empty()).then(|| owned(allowed));
    Rules::parse(allowed.as_deref(), &owned(denied), &tools()).unwrap()
}

fn bash(rules: &Rules, command: &str) -> Verdict {
    rules.weigh("Bash", &json!({ "command": command }), Path::new("/nowhere/work"))
}

fn runs(rules: &Rules, command: &str) -> bool {
    matches!(bash(rules, command), Verdict::Allowed | Verdict::Open(Ok(())))
}

#[test]
fn rules_allow_what_they_cover_for_certain() {
    let rules = rules(
        &[
            "Bash(git diff *)",
            "Bash(npm run test:*)",
            "Bash(make)",
            "Bash(cargo * --locked)",
            "Bash(echo*)",
            "Bash(find . -name x -delete)",
            "Bash(sudo make install)",
            "Bash(cd a && make b)",
            "Bash(git commit -m 'two words')",
            "Bash(bash ci/*)",
        ],
        &[],
    );
    for command in [
        "git diff",
        "git diff HEAD~1 -- a",
        " git  diff\t",
        "npm run test",
        "npm run test x",
        "make",
        "git diff && make",
        "git diff; make;",
        "git diff || make | make",
        "git diff |& make &",
        "git diff\nmake\n\n",
        "git \\\n diff",
        "git 'diff' \"x y\"",
        "g'i't diff",
        "timeout 5 git diff",
        "timeout -k 1 --signal=TERM 5s nice -n 3 nohup git diff x",
        "nice -5 git diff",
        "time -p git diff",
        "stdbuf -oL -e 0 make",
        "command git diff",
        "noglob git diff",
        "xargs git diff",
        "LANG=C NO_COLOR=1 git diff",
        "x=1 && make",
        "git diff $X \"$Y\" *.rs {a,b} $(make)",
        "git diff `make`",
        "git diff <(make) <(git diff)",
        "(git diff)",
        "{ git diff; make; }",
        "if git diff; then make; elif make; then make; else git diff; fi",
        "for f in a b; do git diff $f; done",
        "while ! make; do git diff; done",
        "until make; do make; done",
        "case $x in a|b) make;; (*) git diff ;& c) make; esac",
        "f() { git diff; }",
        "function f { make; }",
        "f() (make)",
        "[[ -f x && $y == z* ]] && make",
        "git diff # rm x",
        "git diff 2>&1",
        "git diff > /dev/null 2>&1",
        "git diff &> /dev/null",
        "git diff <<< 'rm x'",
        "git diff <<'E'\n$(rm x)\nE\nmake",
        "git diff <<-E\n\t$(make)\n\tE\nmake",
        "git diff | head -20 | grep -v x | wc -l",
        "cargo build --release --locked",
        "echo1 2",
        "echo",
        "find . -name x -delete",
        "sudo make install",
        "cd a && make b",
        "git commit -m \"two words\"",
        "bash ci/test.sh",
        "git diff $((1 + 2))",
        "git diff ${x:-a b} ${y%.rs} ${#z} \"${z[@]}\"",
        "! git diff",
        "echo \\; rm x",
        "echo a\\\nb",
        "set -euo pipefail; make",
        "test -f x && make || true",
    ] {
        assert_eq!(bash(&rules, command), Verdict::Allowed, "{command}");
    }
    for command in [
        "git difftool",
        "git",
        "make all",
        "npm run testing",
        "cargo build --locked x",
        "git diff; rm -rf x",
        "git diff && rm x",
        "git diff || rm x",
        "git diff | sh",
        "git diff |& sh",
        "git diff & rm x",
        "git diff\nrm x",
        "git diff > f",
        "git diff >> f",
        "git diff >| f",
        "git diff &> f",
        "git diff &>> f",
        "git diff >& f",
        "git diff 1<> f",
        "git diff {fd}> f",
        "> f git diff",
        "git diff < /etc/passwd",
        "git diff $(rm x)",
        "git diff \"$(rm x)\"",
        "git diff \"${x:-$(rm x)}\"",
        "git diff `rm x`",
        "git diff \"`rm x`\"",
        "git diff <(rm x)",
        "git diff >(rm x)",
        "git diff <<E\n$(rm x)\nE",
        "git diff <<E\n`rm x`\nE",
        "git diff <<E\nE\nrm x",
        "git diff <<E\nx",
        "(git diff; rm x)",
        "{ git diff; rm x; }",
        "if rm x; then make; fi",
        "if make; then rm x; fi",
        "if make; then make; else rm x; fi",
        "for f in $(rm x); do make; done",
        "for f in a; do rm x; done",
        "for PATH in a; do make; done",
        "while rm x; do make; done",
        "case x in x) rm x;; esac",
        "case $(rm x) in x) make;; esac",
        "f() { rm x; }",
        "f() { make; }; f",
        "git() { rm x; }; git diff",
        "[[ -f $(rm x) ]] && make",
        "[[ $x -eq 1 ]] && make",
        "make $((x))",
        "x='a[$(rm x)]'; make $((x))",
        "make ${x@P}",
        "make ${!x}",
        "make ${x:=y}",
        "make ${x:y}",
        "make ${ rm x; }",
        "make $[1]",
        "$x diff",
        "$(echo git) diff",
        "gi? diff",
        "{git,x} diff",
        "'git diff'",
        "\"git diff\" x",
        "git\\ diff",
        "./git diff",
        "/usr/bin/git diff",
        "PATH=. git diff",
        "PATH=.; git diff",
        "LD_PRELOAD=x make",
        "GIT_PAGER=x git diff",
        "GIT_EXTERNAL_DIFF=x git diff",
        "export PATH=.; git diff",
        "env git diff",
        "env X=1 git diff",
        "sudo git diff",
        "sudo make",
        "watch git diff",
        "setsid git diff",
        "ionice git diff",
        "flock f git diff",
        "doas git diff",
        "sh -c 'git diff'",
        "bash -c 'git diff'",
        "bash -lc ci/x",
        "bash",
        "echo x | bash",
        "bash < ci/x",
        "eval git diff",
        "exec git diff",
        "exec > f; make",
        "source ci/x",
        ". ci/x",
        "xargs -n1 git diff",
        "timeout --unknown 5 git diff",
        "timeout 5",
        "find . -exec git diff {} +",
        "find . -name y -delete",
        "coproc make",
        "trap 'rm x' EXIT; make",
        "git diff 'x",
        "git diff \"x",
        "git diff $(make",
        "git diff )",
        "git diff &&",
        "| make",
        "make;;",
        "make & & make",
        "if make",
        "for",
        "((x))",
        "((x)) && make",
        "$'\\147it' diff",
        "a=(make) b=$(rm x) make",
        "ls",
        "make | tee f",
        "make && cat /etc/passwd",
        "make && ls",
        "make && grep -r x",
        "make && sort -o f",
        "cd / && make",
        "cd .. && make",
        "cd $x && make",
        "",
        "# make",
    ] {
        assert!(matches!(bash(&rules, command), Verdict::Open(Err(_))), "{command}");
    }
    let long = format!("git diff {}", "x ".repeat(6000));
    assert!(!runs(&rules, &long), "a long command is only allowed to the letter");
    for deep in ["$(", "\"$(", "( ", "if ", "{ ", "((", "${x:-", "`", "[[ ( ", "f() { ", "<("] {
        assert!(!runs(&rules, &deep.repeat(1500)), "{deep}");
        assert!(!runs(&rules, &format!("make; {}make", deep.repeat(200))), "{deep}");
    }
}

#[test]
fn a_pattern_lets_nobody_remove_everything() {
    let rules = rules(&["Bash(rm *)", "Bash(rmdir:*)", "Bash(rm -r /srv)"], &[]);
    for command in [
        "rm x",
        "rm -rf target/x",
        "rm ../x/y",
        "rm *",
        "rm /a/b",
        "rm ~/x",
        "rm -r /srv",
        "rm \"$x\"",
    ] {
        assert_eq!(bash(&rules, command), Verdict::Allowed, "{command}");
    }
    for command in [
        "rm -rf /",
        "rm -rf /*",
        "rm -r ~",
        "rm -rf ~/",
        "rm -rf ~/*",
        "rm -rf \"$HOME\"",
        "rm -r ..",
        "rmdir ../..",
        "rm -r /usr",
        "rm -r ./",
    ] {
        assert!(matches!(bash(&rules, command), Verdict::Open(Err(_))), "{command}");
    }
}

#[test]
fn what_is_denied_is_found_wherever_it_hides() {
    let rules = rules(&["Bash", "Read"], &["Bash(rm *)", "Bash(git push:*)", "Bash(make)", "Read"]);
    assert!(!rules.offers("Read") && rules.offers("Bash") && !rules.offers("Write"));
    for command in [
        "ls -l",
        "git log",
        "git status && npm test",
        "echo rm x",
        "echo 'a; rm x'",
        "make all",
        "grep rm x",
        "rmdir x",
        "echo $HOME",
        "find . -exec grep x {} +",
        "sudo ls",
        "sh -c 'ls; echo rm'",
        "bash scripts/rm.sh",
        "git commit -m 'rm x'",
        "cat <<'E'\nrm x\nE",
        "i=$((i + 1))",
        "X=1 npm test",
        "ls | xargs -n1 grep x",
    ] {
        assert_eq!(bash(&rules, command), Verdict::Allowed, "{command}");
    }
    for command in [
        "rm x",
        "rm",
        "ls; rm x",
        "ls | rm x",
        "ls & rm x",
        "ls\nrm x",
        "(rm x)",
        "{ rm x; }",
        "echo $(rm x)",
        "echo \"$(rm x)\"",
        "echo `rm x`",
        "cat <(rm x)",
        "cat <<E\n$(rm x)\nE",
        "f() { rm x; }; f",
        "for x in a; do rm $x; done",
        "/bin/rm x",
        "./rm x",
        "\"rm\" x",
        "'rm' x",
        "r\\m x",
        "r''m x",
        "\\rm x",
        "A=1 rm x",
        "PATH=. LD_PRELOAD=y rm x",
        "env rm x",
        "env -i A=1 rm x",
        "sudo rm x",
        "sudo -u me rm x",
        "doas rm x",
        "timeout 5 rm x",
        "timeout --weird 5 rm x",
        "time rm x",
        "nice rm x",
        "nohup rm x &",
        "command rm x",
        "builtin rm x",
        "exec rm x",
        "eval rm x",
        "eval 'rm x'",
        "eval \"r\"m x",
        "xargs rm",
        "ls | xargs -n1 rm",
        "ls | xargs -I{} rm {}",
        "find . -exec rm {} +",
        "find . -exec sh -c 'rm \"$1\"' _ {} \\;",
        "sh -c 'rm x'",
        "sh -c 'ls; rm x'",
        "bash -lc \"rm x\"",
        "bash -c \"sh -c 'rm x'\"",
        "watch 'rm x'",
        "watch rm x",
        "flock f rm x",
        "setsid rm x",
        "trap 'rm x' EXIT",
        "! rm x",
        "if true; then rm x; fi",
        "case a in a) rm x;; esac",
        "$X x",
        "$(echo rm) x",
        "`echo rm` x",
        "r$X x",
        "r? x",
        "{rm,-rf,x}",
        "$'rm' x",
        "$'\\x72m' x",
        "> f rm x",
        "2>/dev/null rm x",
        "{fd}>x rm y",
        "git push",
        "git push origin main",
        "git -C /x push",
        "git -c alias.x=push x origin",
        "git -c 'alias.x=!git push' x",
        "git --config-env=alias.x=Y x",
        "git -c include.path=y x",
        "echo 'rm x' | sh",
        "echo 'rm x' | bash -s -",
        "bash <<'E'\nrm x\nE",
        "bash <<< 'rm x'",
        "sh < f",
        "git -c a=b --no-pager push",
        "/usr/bin/git push",
        "git $X",
        "git pu\"$X\"",
        "sudo git -C x push",
        "make",
        "ls && make",
        "rm 'x",
        "ls 'x",
        "ls $(",
        "coproc ls",
    ] {
        assert!(matches!(bash(&rules, command), Verdict::Denied(_)), "{command}");
    }
    let many = format!("xargs -n1 {}", "x ".repeat(4000));
    assert!(matches!(bash(&rules, &many), Verdict::Denied(_)), "too many words to look at");
}
