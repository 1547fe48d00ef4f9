//! Names of repositories.

use std::fmt;
use std::str::FromStr;

/// A repository at GitHub: `owner/name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slug {
    owner: String,
    name: String,
}

impl Slug {
    /// Returns who has it.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Tells whether both name one repository; letters count as the same in either case.
    pub fn is(&self, other: &Self) -> bool {
        self.owner.eq_ignore_ascii_case(&other.owner) && self.name.eq_ignore_ascii_case(&other.name)
    }

    /// Returns the path of something of it in the API: `/repos/owner/name/…`.
    pub fn path(&self, rest: &str) -> String {
        format!("/repos/{self}/{rest}")
    }
}

impl FromStr for Slug {
    /// What is wrong with it: a clause.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = |part: &str| {
            !matches!(part, "" | "." | "..")
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        match text.split_once('/') {
            Some((owner, name)) if fits(owner) && fits(name) => {
                Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
            }
            _ => Err(format!("must be a repository as `owner/name`, not `{text}`")),
        }
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_two_plain_names() {
        assert!("octo-org/Hello.World_2".parse::<Slug>().is_ok());
        for text in ["hello", "a/b/c", "/b", "a/", "a/..", "a/b?x", "https://github.com/a/b"] {
            assert!(text.parse::<Slug>().is_err(), "{text}");
        }
    }
}
