//! Tables of commands and what the rules say of them.

#![expect(clippy::unwrap_used, clippy::too_many_lines, reason = "tests, of tables")]

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

#[test]
fn reading_commands_only_read() {
    let rules = rules(&[], &[]).read_only();
    for command in [
        "ls -la src | head -5",
        "cat a b 2>/dev/null",
        "cd src && grep -rn 'x y' . | sort -u | uniq -c",
        "find . -name '*.rs' -not -path './target/*' -print0 | xargs -0 wc -l",
        "git status --short",
        "git log --oneline -5 -- src",
        "git --no-pager diff HEAD~1",
        "git -C sub show HEAD:a",
        "git branch -a",
        "git branch --list 'x*'",
        "git branch --contains HEAD",
        "git tag -l",
        "git tag",
        "git remote -v",
        "git stash list",
        "git config --get user.name",
        "git reflog",
        "git grep -n x",
        "git blame a | cat",
        "rg -n x src",
        "for f in a b; do echo \"$f\"; wc -l \"$f\"; done",
        "test -f x && echo yes || echo no",
        "[ \"$a\" = b ] && echo yes",
        "while read -r line; do echo \"$line\"; done < a",
        "x=$(cat a); echo \"$x\"",
        "sort ./*.txt",
        "uniq a",
        "date +%s",
        "which git; command -v git",
        "git diff -- \"$x\"",
        "timeout 5 cat a",
        "LC_ALL=C sort a",
        "cat <<'E'\n$(rm)\nE",
        "git rev-parse HEAD",
        "git ls-files | xargs cat",
        "diff <(sort a) <(sort b)",
        "jq .a x.json",
        "printf '%s\\n' \"$x\"",
    ] {
        assert_eq!(bash(&rules, command), Verdict::Open(Ok(())), "{command}");
    }
    for command in [
        "touch x",
        "echo x > f",
        "cat a >> f",
        "cat a | tee f",
        "ls > /dev/tcp/host/80",
        "cat < /dev/tcp/host/80",
        "git commit -m x",
        "git checkout x",
        "git branch x",
        "git branch -D x",
        "git branch --edit-description",
        "git branch -v x",
        "git branch $x",
        "git tag x",
        "git tag -d x",
        "git diff --output=f",
        "git diff --outp f",
        "git log --output f",
        "git diff $x",
        "git diff --ext-diff",
        "git grep -O x",
        "git grep -nOless x",
        "git grep --open-files x",
        "git -c alias.log='!rm x' log",
        "git -c core.pager=x log",
        "git --exec-path=. log",
        "git --git-dir=x log",
        "git -C $x log",
        "git config x y",
        "git config --get x --unset y",
        "git remote add x y",
        "git remote show x",
        "git ls-remote x",
        "git stash",
        "git stash drop",
        "git reflog expire --all",
        "git worktree add x",
        "git notalias",
        "GIT_PAGER=x git log",
        "GIT_EXTERNAL_DIFF=x git diff",
        "LD_PRELOAD=x ls",
        "PATH=. ls",
        "PATH=.; ls",
        "sort -o f a",
        "sort -uo f a",
        "sort --outp=f a",
        "sort --compress-prog=x a",
        "sort $x",
        "sort *",
        "uniq a b",
        "uniq a $x",
        "echo x | uniq - f",
        "echo x | uniq -- - f",
        "uniq -- -a f",
        "env '-Stouch x'",
        "env -S 'touch x'",
        "env --split-string='touch x'",
        "find . -delete",
        "find . -exec cat {} +",
        "find . -fprint f",
        "find . -fls f",
        "find . -ok x \\;",
        "find . $x",
        "rg --pre x y",
        "rg --pre=x y",
        "rg --hostname-bin x",
        "rg -z x",
        "tree -o f",
        "file -C -m x",
        "fd -x rm",
        "fd x --exec rm",
        "sed -n p a",
        "sed -i s/a/b/ x",
        "awk '{print}' a",
        "xargs rm",
        "xargs sort",
        "xargs -I{} sh -c {}",
        "xargs -a f rm",
        "env ls",
        "sudo ls",
        "sh -c ls",
        "bash x",
        "eval ls",
        "exec ls",
        "date -s x",
        "date 01010101",
        "hostname x",
        "test -v 'a[$(rm)]'",
        "[ $op x ]",
        "printf -v PATH x",
        "printf $x y",
        "read PATH",
        "read 'a[$(rm)]'",
        "echo $((x))",
        "ls $(touch x)",
        "ls `touch x`",
        "cat <<E\n$(touch x)\nE",
        "f() { touch x; }",
        "if ls; then touch x; fi",
        "export X=1",
        "alias ls=rm",
        "set -o allexport",
        "xxd a b",
        "./ls",
        "$x",
        "ls 'x",
        "npm test",
        "python -c 1",
        "time touch x",
        "nice -n 5 touch x",
    ] {
        assert!(matches!(bash(&rules, command), Verdict::Denied(_)), "{command}");
    }
    assert!(!rules.offers("Write") && !rules.offers("Edit") && rules.offers("Bash"));
    assert!(rules.offers_custom("lookup") && !rules.offers("mcp__files__write"));
}

#[test]
fn paths_are_judged_as_gitignore_would() {
    let home = std::env::home_dir().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    std::fs::create_dir(root.join("src")).unwrap();
    std::fs::write(root.join(".env"), "x").unwrap();
    std::os::unix::fs::symlink(root.join(".env"), root.join("src/link")).unwrap();
    let rules = rules(
        &[
            "Edit(src/**)",
            "Edit(/notes.md)",
            "Edit(~/x)",
            "Read",
            "Bash(npm test *)",
            "Grep(./src)",
        ],
        &["Read(.env)", "Edit(*.lock)", "Edit(//etc/**)", "Write(src/gen/)"],
    );
    let weigh =
        |tool: &str, field: &str, path: &str| rules.weigh(tool, &json!({ field: path }), &root);
    let at = |path: &str| root.join(path).display().to_string();
    assert!(
        rules.offers("Edit")
            && rules.offers("Write")
            && rules.offers("Grep")
            && !rules.offers("Glob")
    );
    for (tool, path) in [
        ("Edit", at("src/a/b.rs")),
        ("Write", at("src/new.rs")),
        ("Edit", "src/a.rs".to_owned()),
        ("Edit", at("notes.md")),
        ("Edit", home.join("x").display().to_string()),
        ("Read", at("src/a.rs")),
        ("Edit", at("x/../src/a.rs")),
    ] {
        assert_eq!(weigh(tool, "file_path", &path), Verdict::Allowed, "{tool} {path}");
    }
    for (tool, path) in [
        ("Edit", at("lib/a.rs")),
        ("Edit", at("sub/notes.md")),
        ("Write", at("src/../lib/a.rs")),
        ("Edit", at("src/link")),
    ] {
        assert!(matches!(weigh(tool, "file_path", &path), Verdict::Open(Err(_))), "{tool} {path}");
    }
    for (tool, path) in [
        ("Read", at(".env")),
        ("Read", at("sub/.env")),
        ("Read", at("src/link")),
        ("Read", at("src/./../.env")),
        ("Edit", at("src/Cargo.lock")),
        ("Write", at("src/a.lock")),
        ("Edit", at("src/gen/x/y.rs")),
        ("Edit", "/etc/passwd".to_owned()),
    ] {
        assert!(matches!(weigh(tool, "file_path", &path), Verdict::Denied(_)), "{tool} {path}");
    }
    assert_eq!(weigh("Grep", "path", &at("src")), Verdict::Allowed);
    assert!(matches!(weigh("Grep", "path", &at(".env")), Verdict::Denied(_)));
    assert!(
        matches!(weigh("Grep", "pattern", "x"), Verdict::Open(Err(_))),
        "a search of everything"
    );
    let command = |command: &str| rules.weigh("Bash", &json!({ "command": command }), &root);
    for allowed in [
        "npm test > src/out",
        "npm test < src/a",
        "cd src && npm test > src/out",
        "npm test && cat src/a",
    ] {
        assert_eq!(command(allowed), Verdict::Allowed, "{allowed}");
    }
    for open in [
        "npm test > lib/out",
        "npm test > ~/y",
        "npm test > $x",
        "npm test; cat ../x",
        "cd src && npm test > out",
        "npm test | xargs cat",
        "npm test && ls /",
        "npm test && cat ~root/x",
        "npm test < ~root/x",
        "npm test > ~+/src/x",
        "cd ~root && npm test",
    ] {
        assert!(matches!(command(open), Verdict::Open(Err(_))), "{open}");
    }
    for denied in [
        "npm test < .env",
        "cat .env",
        "cd src && cat ../.env",
        "cat src/link",
        "git show HEAD:.env",
        "cp .env x",
        "grep x --file=.env",
        "npm test > src/a.lock",
        "rm Cargo.lock",
        "sed -i s/a/b/ src/gen/x",
        "cd src; touch gen/x",
    ] {
        assert!(matches!(command(denied), Verdict::Denied(_)), "{denied}");
    }
}

#[test]
fn servers_hosts_and_agents_have_rules_of_their_own() {
    let rules = rules(
        &[
            "mcp__docs__*",
            "mcp__files__read",
            "mcp__git",
            "WebFetch(domain:Example.com)",
            "Agent(reviewer)",
        ],
        &["mcp__git__push", "mcp__docs__delete*"],
    );
    for (name, offered) in [
        ("mcp__docs__search", true),
        ("mcp__docs__delete_all", false),
        ("mcp__files__read", true),
        ("mcp__files__readme", false),
        ("mcp__git__log", true),
        ("mcp__git__push", false),
        ("mcp__gitlab__log", false),
        ("WebFetch", true),
        ("Agent", true),
        ("Read", false),
    ] {
        assert_eq!(rules.offers(name), offered, "{name}");
    }
    let fetch = |url: &str| rules.weigh("WebFetch", &json!({ "url": url }), Path::new("/"));
    assert_eq!(fetch("https://example.com/x"), Verdict::Allowed);
    for url in [
        "https://evil.com",
        "https://example.com@evil.com",
        "https://sub.example.com",
        "x",
        "https://example.com.evil.com",
    ] {
        assert!(matches!(fetch(url), Verdict::Open(Err(_))), "{url}");
    }
    let agent =
        |name: &str| rules.weigh("Agent", &json!({ "subagent_type": name }), Path::new("/"));
    assert_eq!(agent("reviewer"), Verdict::Allowed);
    assert!(matches!(agent("other"), Verdict::Open(Err(_))));
    let default = super::tests::rules(&[], &[]);
    assert!(default.offers("mcp__x__y") && !default.offers("WebFetch") && !default.offers("Agent"));
    assert!(default.reading_by_default().offers("mcp__x__y"));
}

#[test]
fn names_are_checked() {
    let parse = |rule: &str| Rules::parse(Some(&owned(&[rule])), &[], &tools()).unwrap_err();
    assert_eq!(parse("Raed").hint.unwrap(), "did you mean `Read`?");
    for rule in [
        "",
        "Bash(git",
        "Bash()",
        "Bash(:*)",
        "Read(../x)",
        "Read(!x)",
        "Read(/)",
        "lookup(x)",
        "mcp__",
        "mcp__*",
        "mcp__a b",
        "mcp__a(x)",
        "WebFetch(example.com)",
        "WebFetch(domain:a/b)",
        "git *",
    ] {
        assert_eq!(parse(rule).kind, crate::error::Kind::Usage, "{rule}");
    }
    assert!(runs(&rules(&["Bash(*)"], &[]), "a; b"));
    assert!(!rules(&[], &["Bash(*)"]).offers("Bash"));
}

#[test]
fn reading_is_the_default_without_a_worktree() {
    let rules = rules(&[], &[]).reading_by_default();
    assert!(rules.offers("Grep") && !rules.offers("Bash") && !rules.offers("Edit"));
    assert!(super::tests::rules(&[], &[]).read_only().reading_by_default().offers("Bash"));
    assert!(super::tests::rules(&[], &[]).offers("Bash"));
}
