//! The names of servers' tools as models are told them: `mcp__server__tool`, within what providers
//! take (letters, digits, `_` and `-`, 64 of them).

/// The longest name that providers take.
const LONGEST: usize = 64;

/// Returns the name of a server's tool; one that is too long ends with a mark of the whole.
pub(super) fn offered(server: &str, tool: &str) -> String {
    let name = plain(server, tool);
    if name.len() > LONGEST { marked(server, tool) } else { name }
}

/// Returns the name with a mark that tells it from others that look the same.
pub(super) fn marked(server: &str, tool: &str) -> String {
    let mark = format!("_{:08x}", fingerprint(&format!("{server}\0{tool}")));
    let mut name = plain(server, tool);
    name.truncate(LONGEST - mark.len());
    name + &mark
}

fn plain(server: &str, tool: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    format!("mcp__{server}__{tool}").chars().map(fits).collect()
}

/// FNV-1a: scripts write these names into rules, so they must be the same in every version.
fn fingerprint(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_providers_take_and_distinct() {
        assert_eq!(offered("files", "read_file"), "mcp__files__read_file");
        assert_eq!(offered("files", "read.file ü"), "mcp__files__read_file__");
        assert_ne!(marked("files", "read.file"), marked("files", "read_file"));
        let (one, two) = (format!("{}1", "x".repeat(80)), format!("{}2", "x".repeat(80)));
        assert_eq!(offered("s", &one).len(), LONGEST);
        assert_ne!(offered("s", &one), offered("s", &two));
        assert_eq!(marked("s", "t"), "mcp__s__t_c72cbb96");
    }
}
