//! Addresses of remotes as git takes them: URLs, and `user@host:path` of ssh.

/// Where a remote is, if that is on another machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The host, in small letters, without user and port.
    pub host: String,
    /// The path there, without slashes around it and without `.git`.
    pub path: String,
    /// What stands before the path.
    prefix: String,
}

impl Address {
    /// Reads an address; nothing for a folder of this machine.
    pub fn read(url: &str) -> Option<Self> {
        let (start, path) = match url.split_once("://") {
            Some(("file", _)) => return None,
            Some((scheme, rest)) => {
                let host = rest.find('/')?;
                (scheme.len() + 3, scheme.len() + 3 + host + 1)
            }
            None => {
                let colon = url.find(':')?;
                // Git takes it for a path if a slash comes first.
                if url[..colon].contains('/') {
                    return None;
                }
                (0, colon + 1)
            }
        };
        let authority = url[start..path].trim_end_matches(['/', ':']);
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let host = match host.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => host,
        };
        let (prefix, path) = url.split_at(path);
        let path = path.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        if host.is_empty() || path.is_empty() {
            return None;
        }
        let host = host.to_ascii_lowercase();
        Some(Self { host, path: path.to_owned(), prefix: prefix.to_owned() })
    }

    /// Returns the address of another repository at the same host, reached in the same way.
    pub fn beside(&self, path: &str) -> String {
        format!("{}{path}.git", self.prefix)
    }

    /// Tells whether it leads to a path; letters count as the same in either case, as GitHub has it.
    pub fn leads_to(&self, path: &str) -> bool {
        self.path.eq_ignore_ascii_case(path)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_however_git_writes_them() {
        for url in [
            "https://github.com/octo/hello.git",
            "https://github.com/octo/hello",
            "https://github.com/octo/hello/",
            "https://x-access-token:secret@github.com/octo/hello.git",
            "ssh://git@GitHub.com:22/octo/hello.git",
            "git@github.com:octo/hello.git",
            "git@github.com:/octo/hello",
            "github.com:octo/hello",
        ] {
            let address = Address::read(url).unwrap();
            assert_eq!((&*address.host, &*address.path), ("github.com", "octo/hello"), "{url}");
        }
        let ports = Address::read("https://ghe.example:8443/octo/hello.git").unwrap();
        assert_eq!(ports.host, "ghe.example");
        assert_eq!(ports.beside("up/hello"), "https://ghe.example:8443/up/hello.git");
        let scp = Address::read("git@github.com:octo/hello.git").unwrap();
        assert_eq!(scp.beside("up/hello"), "git@github.com:up/hello.git");
        assert!(scp.leads_to("Octo/Hello"));
    }

    #[test]
    fn folders_of_this_machine_are_no_addresses() {
        for url in
            ["/srv/octo/hello.git", "../hello", "file:///srv/octo/hello.git", "hello", "./a:b"]
        {
            assert_eq!(Address::read(url), None, "{url}");
        }
    }
}
