//! Hashes by which things are known again in another process: of the same bytes, the same for every build.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Bytes of a hash that are kept: no two things of one run share as many by chance.
const KEPT: usize = 16;

/// Returns the hash of some bytes, in hex.
pub fn digest(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(2 * KEPT);
    for byte in Sha256::digest(bytes).iter().take(KEPT) {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Returns the hash of a value, whatever the order of its members.
pub fn digest_of(value: &Value) -> String {
    let mut text = String::new();
    canonical(value, &mut text);
    digest(text.as_bytes())
}

/// Writes a value with its members sorted.
fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for item in items {
                canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (name, member) in members {
                let _ = write!(text, "{}:", Value::from(&**name));
                canonical(member, text);
                text.push(',');
            }
            text.push('}');
        }
        plain => {
            let _ = write!(text, "{plain}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_members_does_not_count_and_that_of_items_does() {
        assert_eq!(
            digest_of(&json!({ "a": 1, "b": [1, 2] })),
            digest_of(&json!({ "b": [1, 2], "a": 1 }))
        );
        assert_ne!(digest_of(&json!([1, 2])), digest_of(&json!([2, 1])));
        assert_ne!(digest_of(&json!(["ab"])), digest_of(&json!(["a", "b"])));
        assert_eq!(digest(b"").len(), 2 * KEPT);
        assert_eq!(digest(b""), "e3b0c44298fc1c149afbf4c8996fb924", "it is SHA-256");
    }
}
