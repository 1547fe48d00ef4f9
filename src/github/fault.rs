//! Answers that are none, as errors that say what to do.

use serde_json::{Value, json};

use crate::error::{Error, Kind};

/// What was asked, for messages.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Method and path, such as `GET /repos/octo/hello/pulls`.
    pub what: String,
    /// The path alone.
    pub path: String,
    /// The API's host, with its port.
    pub host: String,
    /// Whether a token went with it.
    pub has_token: bool,
    /// Whether it changes nothing.
    pub looks: bool,
}

impl Asked {
    /// Makes the error of a connection that failed.
    pub fn unreachable(&self, why: &str) -> Error {
        let Self { what, host, .. } = self;
        let error = io(format!("cannot ask GitHub at `{host}` for `{what}`: {why}"));
        self.unsure(error)
    }

    /// Makes the error of an answer that nobody can use.
    pub fn unusable(&self, what: &str) -> Error {
        let Self { what: asked, host, .. } = self;
        io(format!("`{host}` answered `{asked}` with {what}"))
            .hint("is GITHUB_API_URL the address of a GitHub API? of an Enterprise host it ends with `/api/v3`")
    }

    /// Makes the error of a redirect to another host, or of one too many.
    pub fn astray(&self, to: &str) -> Error {
        let Self { what, host, .. } = self;
        io(format!("`{host}` answered `{what}` with a redirect to `{to}`, which is not followed"))
    }

    /// Makes the error of a limit that ends later than anybody waits.
    pub fn limited(&self, seconds: u64) -> Error {
        let minutes = seconds.div_ceil(60);
        let why = format!("GitHub's rate limit is spent, for {minutes} more minutes");
        let error = Error::new(Kind::Timeout, why).with("reason", json!("rate_limit"));
        if self.has_token {
            return error.hint("go on later with `agentlua resume`");
        }
        error.hint("set GITHUB_TOKEN: with a token there are 5000 requests an hour, without 60")
    }

    /// Makes the error of a refusal, without the token that went with the question.
    pub fn refused(&self, status: u16, body: &[u8], token: Option<&str>) -> Error {
        let Self { what, path, host, .. } = self;
        let said = said(body, token);
        let told = said.as_deref().map(|said| format!(": {said}")).unwrap_or_default();
        let error = match status {
            401 if self.has_token => io(format!("GitHub does not know the token{told}"))
                .hint("is GITHUB_TOKEN still valid, and of the host that GITHUB_API_URL names?"),
            401 => io(format!("`{what}` needs a token{told}")).hint("set GITHUB_TOKEN"),
            403 if self.has_token => io(format!("the token may not `{what}`{told}")).hint(
                "give the token in GITHUB_TOKEN that permission, and access to the repository",
            ),
            403 => io(format!("`{what}` is not allowed{told}")).hint("set GITHUB_TOKEN"),
            404 if self.has_token => {
                io(format!("there is no `{path}` at GitHub, or the token may not see it"))
                    .hint("check the name; a private repository needs a token with access to it")
            }
            404 => io(format!("there is no `{path}` at GitHub that everybody may see"))
                .hint("check the name; a private repository needs a token: set GITHUB_TOKEN"),
            410 => io(format!("`{path}` is gone or turned off at GitHub{told}")),
            422 => io(format!("GitHub cannot do `{what}`{told}")),
            500.. => {
                self.unsure(io(format!("GitHub at `{host}` failed at `{what}` ({status}){told}")))
            }
            _ => io(format!("GitHub refused `{what}` ({status}){told}")),
        };
        error.with("status", json!(status))
    }

    /// Says of what may have happened that it may have.
    fn unsure(&self, error: Error) -> Error {
        if self.looks {
            error
        } else {
            error.hint("it may have happened all the same: look before you do it again")
        }
    }
}

fn io(message: String) -> Error {
    Error::new(Kind::Io, message)
}

/// Returns what GitHub says went wrong: its message, and those of its list of errors. Where that repeats
/// the token, as proxies on the way do, the token is left out.
fn said(body: &[u8], token: Option<&str>) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let message = body["message"].as_str().map(|text| text.trim().trim_end_matches('.').to_owned());
    let errors = body["errors"].as_array().into_iter().flatten().filter_map(|error| {
        let text = error.as_str().or(error["message"].as_str()).map(str::to_owned);
        text.or_else(|| {
            let (field, code) = (error["field"].as_str()?, error["code"].as_str()?);
            Some(format!("`{field}` is {}", code.replace('_', " ")))
        })
    });
    let said: Vec<String> = message.into_iter().chain(errors).take(5).collect();
    let mut text = said.join(": ");
    if let Some(token) = token {
        text = text.replace(token, "…");
    }
    (!said.is_empty()).then(|| text.chars().take(500).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_github_says_is_one_line() {
        // From the reference text of "Create a pull request" and "Validation failed".
        let exists = br#"{"message":"Validation Failed","errors":[{"resource":"PullRequest",
            "code":"custom","message":"A pull request already exists for octocat:new-topic."}],
            "documentation_url":"https://docs.github.com/rest"}"#;
        assert_eq!(
            said(exists, None).as_deref(),
            Some("Validation Failed: A pull request already exists for octocat:new-topic.")
        );
        let field =
            br#"{"message":"Validation Failed","errors":[{"resource":"Issue","field":"title",
            "code":"missing_field"}]}"#;
        assert_eq!(
            said(field, None).as_deref(),
            Some("Validation Failed: `title` is missing field")
        );
        assert_eq!(
            said(
                br#"{"message":"Unprocessable Entity","errors":["Line must be part of the diff"]}"#,
                None
            )
            .as_deref(),
            Some("Unprocessable Entity: Line must be part of the diff")
        );
        let echo = br#"{"message":"bad ghp\u005fsecret, of Bearer ghp_secret"}"#;
        assert_eq!(said(echo, Some("ghp_secret")).as_deref(), Some("bad …, of Bearer …"));
        assert_eq!(said(b"<html>", None), None);
        assert_eq!(said(b"[]", None), None);
    }
}
