//! Whatever is written, the check ends, and says something only of lines that there are.

use agentlua::check::check;
use proptest::prelude::*;

use super::look;

const SCRIPT: &str = "local jobs <const> = { 'a', b = 5 }\n\
    for key, outcome, e in agent.iter { x = { prompt = 'p', worktree = { sparse = {} } } } do\n\
      if outcome and not e then print(key .. outcome.result) else goto done end\n\
    end\n\
    ::done::\n\
    local function f(self, ...) return f(...), agent.query { prompt = [[x]], max_turns = 1 } end\n\
    git.merge { branch = 'x', on_conflict = { prompt = 'y' } }\n\
    function jobs.g.h:i() return self, #jobs, -1 // 2, pcall(f) end\n\
    repeat local x = sh('ls', { cwd = '.' }) until x.ok\n";

/// What may come in a place: pieces of the language, in any order.
const PIECES: [&str; 24] = [
    "",
    " ",
    "\n",
    "(",
    ")",
    "{",
    "}",
    "=",
    ",",
    ".",
    ":",
    "'",
    "[[",
    "end",
    "local ",
    "function ",
    "return ",
    "agent",
    ".query",
    "nil",
    "5",
    "...",
    "\u{1d11e}",
    "--[[",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mutant_breaks_it(
        cuts in prop::collection::vec((0..SCRIPT.len(), 0..12_usize, 0..PIECES.len()), 1..4),
    ) {
        let mut source = SCRIPT.to_owned();
        for (at, length, piece) in cuts {
            let at = at.min(source.len());
            let end = (at + length).min(source.len());
            if source.is_char_boundary(at) && source.is_char_boundary(end) {
                source.replace_range(at..end, PIECES[piece]);
            }
        }
        let lines = source.lines().count().max(1);
        for finding in look(&source) {
            prop_assert!(finding.line <= lines && finding.column >= 1, "{finding:?} of {lines}");
            prop_assert!(finding.end_column > finding.column, "{finding:?}");
        }
    }

    #[test]
    fn no_bytes_break_it(source in prop::collection::vec(any::<u8>(), 0..60)) {
        let script = agentlua::check::Script { name: "x.lua".to_owned(), source, dir: "nowhere".into() };
        prop_assert!(check(vec![script]).is_ok());
    }
}
