//! `WebFetch` against a real server on 127.0.0.1, which a rule has to name.

use std::net::SocketAddr;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::Redirect;
use axum::routing::get;
use serde_json::json;

use super::*;
use crate::tool::tests::Agent;

async fn server() -> SocketAddr {
    let html = [(header::CONTENT_TYPE, "text/html; charset=iso-8859-1")];
    let routes = Router::new()
        .route("/page", get(move || async move { (html, b"<h1>Caf\xe9</h1><p>text".to_vec()) }))
        .route("/plain", get(|| async { "x".repeat(40_000) }))
        .route("/json", get(|| async { axum::Json(json!({ "a": 1 })) }))
        .route("/zip", get(|| async { ([(header::CONTENT_TYPE, "application/zip")], "PK\0") }))
        .route("/pdf", get(|| async { "%PDF-1.7\nx" }))
        .route("/gone", get(|| async { (StatusCode::NOT_FOUND, "no such page") }))
        .route("/moved", get(|| async { Redirect::temporary("/page") }))
        .route("/round", get(|| async { Redirect::temporary("/round") }))
        .route("/away", get(|| async { Redirect::temporary("http://example.com/x") }))
        .route("/inside", get(|| async { Redirect::temporary("http://127.0.0.2/x") }))
        .route("/huge", get(|| async { vec![b'x'; BODY_MAX + 1] }));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

async fn fetch(tool: &WebFetch, url: &str) -> Result<String, String> {
    let agent = Agent::new();
    match tool.call(json!({ "url": url, "prompt": "the point" }), &agent.context).await {
        Ok(output) => Ok(output.text),
        Err(ToolError::Reply(text)) => Err(text),
        Err(ToolError::Fatal(error)) => panic!("{error}"),
    }
}

#[tokio::test]
async fn pages_are_text_and_the_rest_is_named() {
    let address = server().await;
    let tool = WebFetch::reaching(vec!["127.0.0.1".to_owned()]);
    let at = |path: &str| format!("http://{address}{path}");
    let page = "[you look for: the point]\n\n# Café\n\ntext";
    assert_eq!(fetch(&tool, &at("/page")).await.unwrap(), format!("[{}]\n{page}", at("/page")));
    assert_eq!(fetch(&tool, &at("/moved")).await.unwrap(), format!("[{}]\n{page}", at("/page")));
    assert!(fetch(&tool, &at("/json")).await.unwrap().ends_with("\n{\"a\":1}"));
    let long = fetch(&tool, &at("/plain")).await.unwrap();
    assert!(long.len() < 31_000 && long.ends_with("[10000 bytes left out here]"));
    for path in ["/away", "/inside"] {
        let away = fetch(&tool, &at(path)).await.unwrap();
        assert!(away.contains("redirects to another host: http://"), "{away}");
    }
    for (path, told) in [
        ("/zip", "is application/zip, 3 bytes, and no text"),
        ("/pdf", "is a PDF of 10 bytes, and this model does not take documents"),
        ("/gone", "answers 404 Not Found\nno such page"),
        ("/round", "redirects more than 5 times"),
        ("/huge", "has more than 10485760 bytes"),
    ] {
        let why = fetch(&tool, &at(path)).await.unwrap_err();
        assert!(why.contains(told), "{why}");
    }
}

#[tokio::test]
async fn what_no_rule_names_is_not_reached() {
    let address = server().await;
    let why = fetch(&WebFetch::default(), &format!("http://{address}/page")).await.unwrap_err();
    assert!(why.contains("is a private address"), "{why}");
    let other = WebFetch::reaching(vec!["example.com".to_owned()]);
    assert!(fetch(&other, &format!("http://{address}/page")).await.is_err());
    for url in ["file:///etc/passwd", "ftp://example.com/", "example.com"] {
        assert!(fetch(&WebFetch::default(), url).await.is_err(), "{url}");
    }
}
