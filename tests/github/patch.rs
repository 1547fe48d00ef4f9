//! `github.diff`: GitHub's patch, read as git would have told it.

use crate::stage::Stage;

#[test]
fn a_patch_is_read_back_as_git_tells_it() {
    let stage = Stage::new();
    let long: String = "line\n".repeat(40);
    for (path, text) in [
        ("gone.txt", "a\n-- b\n"),
        ("long.txt", &long),
        ("tab\there \"ä\".txt", "x\n"),
        ("mode.sh", "#!/bin/sh\n"),
        ("last.txt", "no line break"),
    ] {
        stage.repo.write(path, text);
    }
    stage.repo.write("picture.png", b"\x89PNG\0\0");
    stage.repo.commit("before");
    stage.repo.git(&["rm", "--quiet", "gone.txt"]);
    stage.repo.git(&["mv", "long.txt", "renamed name.txt"]);
    stage.repo.write("renamed name.txt", format!("{long}more\n"));
    stage.repo.write("tab\there \"ä\".txt", "-- x\n++ y\n");
    stage.repo.write("picture.png", b"\x89PNG\0\x01");
    stage.repo.write("last.txt", "no line break, still");
    stage.repo.write(".github/workflows/ci.yml", "on: push\n");
    stage.repo.write("empty", "");
    stage.repo.git(&["update-index", "--chmod=+x", "mode.sh"]);
    stage.repo.git(&["config", "core.fileMode", "false"]);
    stage.repo.commit("after");
    let patch = stage.repo.git(&["diff", "--src-prefix=a/", "--dst-prefix=b/", "HEAD~", "HEAD"]);
    stage.open(1, false);
    stage.server.hub().patch = format!("{patch}\n").into_bytes();
    let printed = stage.print(
        "local there, here = github.diff(1), git.diff('HEAD~', 'HEAD')
         assert(tostring(there) == tostring(here), 'the patch')
         assert(there.additions == here.additions and there.deletions == here.deletions, 'the sums')
         for i, file in ipairs(here.files) do
           local read = there.files[i]
           for name, value in pairs(file) do
             local is = json.encode({ v = read[name] }) == json.encode({ v = value })
             assert(is, file.path .. ': ' .. name .. ' is ' .. json.encode({ v = read[name] }) .. ', not ' .. json.encode({ v = value }))
           end
         end
         print(#there.files, #here.files, #there.flags, there.summary == here.summary)",
    );
    assert_eq!(printed, "8\t8\t2\ttrue\n");
}

#[test]
fn a_large_one_is_fetched_by_git() {
    let stage = Stage::new();
    stage.open(1, false);
    let body = "{\"message\":\"Sorry, the diff exceeded the maximum number of lines (20000)\",\"errors\":[{\"resource\":\"PullRequest\",\"field\":\"diff\",\"code\":\"too_large\"}]}";
    stage.server.fail("/repos", crate::server::Fault::new(406, &[], body));
    let error = stage.error("github.diff(1)");
    assert!(error.contains("git.diff(github.pull(1)) fetches it"), "{error}");
}
