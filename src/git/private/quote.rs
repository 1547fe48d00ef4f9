//! Paths where git expects several of them.

use std::fmt::Write as _;
use std::path::Path;

/// Writes a path for `info/alternates` or for the variable of the same meaning: as it is, or in quotes like
/// a string of C where a separator or a quote is in it.
pub(super) fn alternate(path: &Path) -> Vec<u8> {
    let bytes = path.as_os_str().as_encoded_bytes();
    if !bytes.iter().any(|byte| byte.is_ascii_control() || b":\"#".contains(byte)) {
        return bytes.to_vec();
    }
    let mut quoted = vec![b'"'];
    for byte in bytes {
        match byte {
            b'"' | b'\\' => quoted.extend_from_slice(&[b'\\', *byte]),
            byte if byte.is_ascii_control() => {
                let mut octal = String::new();
                let _ = write!(octal, "\\{byte:03o}");
                quoted.extend_from_slice(octal.as_bytes());
            }
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_odd_paths_are_quoted() {
        assert_eq!(alternate(Path::new("/a b/é\\")), "/a b/é\\".as_bytes());
        assert_eq!(alternate(Path::new("/a:b\n\"\\")), br#""/a:b\012\"\\""#);
    }
}
