//! The environment of agents' commands: an allow-list, because nobody can list every secret.
//!
//! What a build needs to find its tools passes; keys and tokens, `GIT_*` and the settings of
//! agentlua and of model providers do not. A location that carries a password does not either.

use std::collections::BTreeMap;

/// Who, where, and on what terminal.
const USER: &str = "\
    PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TERM COLORTERM NO_COLOR TMPDIR CI \
    XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME";

/// Where builds find their tools and caches.
const TOOLCHAINS: &str = "\
    ANDROID_HOME ANDROID_SDK_ROOT ASDF_DATA_DIR ASDF_DIR BUN_INSTALL BUNDLE_PATH CARGO_HOME CC \
    CONDA_DEFAULT_ENV CONDA_PREFIX COREPACK_HOME CPATH CXX DENO_DIR DOTNET_ROOT FNM_DIR \
    FNM_MULTISHELL_PATH GEM_HOME GEM_PATH GOBIN GOCACHE GOMODCACHE GOPATH GOPROXY GOROOT \
    GOTOOLCHAIN GRADLE_HOME GRADLE_USER_HOME HOMEBREW_CELLAR HOMEBREW_PREFIX \
    HOMEBREW_REPOSITORY JAVA_HOME JDK_HOME LD_LIBRARY_PATH LIBRARY_PATH LUA_CPATH LUA_PATH \
    M2_HOME MAVEN_HOME MISE_DATA_DIR NIX_PATH NIX_PROFILES NVM_BIN NVM_DIR PIPX_HOME \
    PKG_CONFIG_PATH PNPM_HOME POETRY_HOME PYENV_ROOT PYENV_VERSION PYTHONPATH RBENV_ROOT \
    RBENV_VERSION RUSTUP_HOME RUSTUP_TOOLCHAIN SDKMAN_DIR UV_CACHE_DIR VIRTUAL_ENV VOLTA_HOME";

/// How the network is reached.
const NETWORK: &str = "\
    ALL_PROXY CURL_CA_BUNDLE HTTPS_PROXY HTTP_PROXY NIX_SSL_CERT_FILE NODE_EXTRA_CA_CERTS \
    NO_PROXY REQUESTS_CA_BUNDLE SSL_CERT_DIR SSL_CERT_FILE all_proxy http_proxy https_proxy \
    no_proxy";

/// Returns what of the host's environment an agent's commands get.
pub fn allowed(inherited: impl Iterator<Item = (String, String)>) -> BTreeMap<String, String> {
    inherited.filter(|(name, value)| passes(name) && !has_credentials(value)).collect()
}

/// Reports whether a variable is let through by its name.
pub fn passes(name: &str) -> bool {
    let listed = [USER, TOOLCHAINS, NETWORK];
    name.starts_with("LC_") || listed.iter().any(|list| list.split(' ').any(|word| word == name))
}

/// Reports whether `value` holds a URL, or `user@host` in the way of proxies, with a user in it.
fn has_credentials(value: &str) -> bool {
    value.split([',', ' ', '|']).any(|part| {
        let rest = part.split_once("://").map_or(part, |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        authority.contains('@')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_listed_passes() {
        let inherited = [
            ("PATH", "/bin"),
            ("LC_ALL", "C"),
            ("CARGO_HOME", "/c"),
            ("ANTHROPIC_API_KEY", "k"),
            ("OPENAI_API_KEY", "k"),
            ("AGENTLUA_MODEL", "m"),
            ("GITHUB_TOKEN", "t"),
            ("GIT_DIR", "/x"),
            ("AWS_SECRET_ACCESS_KEY", "k"),
            ("BASH_ENV", "/x"),
            ("LD_PRELOAD", "/x"),
            ("NODE_OPTIONS", "-r x"),
        ];
        let passed = allowed(inherited.map(|(a, b)| (a.to_owned(), b.to_owned())).into_iter());
        assert_eq!(passed.keys().collect::<Vec<_>>(), ["CARGO_HOME", "LC_ALL", "PATH"]);
    }

    #[test]
    fn a_proxy_with_a_password_does_not_pass() {
        for (value, secret) in [
            ("http://proxy:3128", false),
            ("proxy:3128/@", false),
            ("http://me:secret@proxy:3128", true),
            ("me:secret@proxy:3128", true),
            ("https://ok.example,https://u:p@goproxy.example", true),
        ] {
            assert_eq!(has_credentials(value), secret, "{value}");
        }
    }
}
