//! Rules about paths, servers, hosts and agents, and their names.

use super::*;

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
