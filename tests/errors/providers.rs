//! Providers that refuse: one error that names the host and what to set. The server is one that always
//! answers the same; what a real one would answer to is the business of `tests/http`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

use insta::assert_snapshot;

use crate::home::{Home, Ran};
use crate::stage::told;

/// Asks a provider that answers every request with `status` and an error of Anthropic's shape.
fn asked(status: &'static str, kind: &str, message: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let error = serde_json::json!({ "type": kind, "message": message });
    let body = serde_json::json!({ "type": "error", "error": error }).to_string();
    // It ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while stream.read_line(&mut line).unwrap() > 2 {
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            stream.read_exact(&mut vec![0; length]).unwrap();
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nx-should-retry: false\r\n\
                 connection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream.get_mut().write_all((head + &body).as_bytes());
        }
    });
    let home = Home::new();
    home.write(
        "main.lua",
        "agent.query {\n  prompt = \"x\",\n  model = \"anthropic/claude-x\",\n}",
    );
    let mut command = home.command(&["run", "--quiet", "main.lua"]);
    command.env("ANTHROPIC_API_KEY", "sk-secret");
    command.env("ANTHROPIC_BASE_URL", format!("http://{address}"));
    let told = told(&home, &Ran::of(&mut command));
    assert!(!told.contains("sk-secret"), "{told}");
    told
}

#[test]
fn what_a_provider_says_is_told_with_what_to_set() {
    for (status, kind, said) in [
        ("401 Unauthorized", "authentication_error", "invalid x-api-key"),
        ("403 Forbidden", "permission_error", "not for you"),
        ("404 Not Found", "not_found_error", "model: claude-x"),
        ("429 Too Many Requests", "rate_limit_error", "slow down"),
        ("500 Internal Server Error", "api_error", "it broke"),
    ] {
        let told = asked(status, kind, said);
        assert!(told.contains(said) && told.contains("\nhint: "), "{told}");
    }
    assert_snapshot!(asked("401 Unauthorized", "authentication_error", "invalid x-api-key"), @r"
        error: `127.0.0.1:PORT` does not accept the key: invalid x-api-key
          at main.lua:1
          1 | agent.query {
            | ^^^^^^^^^^^

        hint: check ANTHROPIC_API_KEY
        [exit 1]
    ");
    assert_snapshot!(asked("404 Not Found", "not_found_error", "model: claude-x"), @r#"
        error: `127.0.0.1:PORT` does not know the model `anthropic/claude-x`: model: claude-x
          at main.lua:1
          1 | agent.query {
          ⋮
          3 |   model = "anthropic/claude-x",
            |           ^^^^^^^^^^^^^^^^^^^^

        hint: choose another --model, or check ANTHROPIC_BASE_URL
        [exit 1]
    "#);
    assert_snapshot!(asked("429 Too Many Requests", "rate_limit_error", "slow down"), @r"
        error: `127.0.0.1:PORT` says that there are too many requests: slow down
          at main.lua:1
          1 | agent.query {
            | ^^^^^^^^^^^

        hint: look at how it went: agentlua logs agent-ID
        [exit 1]
    ");
    assert_snapshot!(asked("500 Internal Server Error", "api_error", "it broke"), @r"
        error: `127.0.0.1:PORT` failed with status 500: it broke
          at main.lua:1
          1 | agent.query {
            | ^^^^^^^^^^^

        hint: look at how it went: agentlua logs agent-ID
        [exit 1]
    ");
}
