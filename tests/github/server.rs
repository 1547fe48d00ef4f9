//! GitHub, as far as a client of its REST API can tell: pages, links, refusals in its words, and whatever
//! a test lets go wrong. It stands at `/api/v3`, as on an Enterprise host.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::{self, Runtime};

use crate::shapes;

/// A request that came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Value,
}

/// An answer in the place of the right one.
#[derive(Clone, Debug)]
pub struct Fault {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Fault {
    pub fn new(status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Self { status, headers: headers.collect(), body: body.to_owned() }
    }
}

/// What is at GitHub.
#[derive(Debug, Default)]
pub struct Hub {
    pub pulls: Vec<Value>,
    pub issues: Vec<Value>,
    pub comments: Vec<Value>,
    pub reviews: Vec<Value>,
    /// The patch of every pull request.
    pub patch: Vec<u8>,
    /// What the next requests whose path begins so are answered with.
    pub faults: VecDeque<(String, Fault)>,
    pub seen: Vec<Seen>,
    /// The most items of a page, if fewer than GitHub gives.
    pub most: usize,
}

/// A server, for as long as it is held.
pub struct Server {
    pub port: u16,
    hub: Arc<Mutex<Hub>>,
    _runtime: Runtime,
}

impl Server {
    pub fn start() -> Self {
        let runtime =
            runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let hub: Arc<Mutex<Hub>> = Arc::default();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new().fallback(answer).with_state((Arc::clone(&hub), port));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { port, hub, _runtime: runtime }
    }

    pub fn hub(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap()
    }

    pub fn api(&self) -> String {
        format!("http://127.0.0.1:{}/api/v3", self.port)
    }

    /// Lets the next request whose path begins so go wrong.
    pub fn fail(&self, path: &str, fault: Fault) {
        self.hub().faults.push_back((path.to_owned(), fault));
    }

    /// Returns the requests of a method, by their paths.
    pub fn paths(&self, method: &str) -> Vec<String> {
        let hub = self.hub();
        hub.seen.iter().filter(|seen| seen.method == method).map(|seen| seen.path.clone()).collect()
    }
}

async fn answer(State((hub, port)): State<(Arc<Mutex<Hub>>, u16)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let seen = Seen {
        method: parts.method.to_string(),
        path: parts.uri.path().trim_start_matches("/api/v3").to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let mut hub = hub.lock().unwrap();
    hub.seen.push(seen.clone());
    let fault = hub.faults.iter().position(|(path, _)| seen.path.starts_with(path.as_str()));
    if let Some((_, fault)) = fault.and_then(|at| hub.faults.remove(at)) {
        let mut response = Response::builder().status(fault.status);
        for (name, value) in &fault.headers {
            response = response.header(name, value.replace("PORT", &port.to_string()));
        }
        return response.body(Body::from(fault.body)).unwrap();
    }
    if !parts.uri.path().starts_with("/api/v3/") {
        return said(404, "Not Found");
    }
    hub.answer(&seen, port)
}

fn said(status: u16, message: &str) -> Response {
    let body = json!({ "message": message, "documentation_url": "https://docs.github.com/rest", "status": status.to_string() });
    whole(status, &body)
}

fn whole(status: u16, body: &Value) -> Response {
    Response::builder()
        .status(StatusCode::from_u16(status).unwrap())
        .header("content-type", "application/json; charset=utf-8")
        .header("x-ratelimit-limit", "5000")
        .header("x-ratelimit-remaining", "4987")
        .body(Body::from(body.to_string()))
        .unwrap()
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

impl Hub {
    fn answer(&mut self, seen: &Seen, port: u16) -> Response {
        let path: Vec<&str> = seen.path.trim_matches('/').split('/').collect();
        let number = |text: &str| text.parse::<u64>().unwrap_or_default();
        match (&*seen.method, &path[..]) {
            ("GET", ["user"]) => whole(200, &json!({ "login": "ada", "id": 1 })),
            ("GET", ["repos", _, "hello"]) => {
                whole(200, &json!({ "full_name": "octo/hello", "default_branch": "main" }))
            }
            ("GET", ["repos", _, "hello", "pulls"]) => {
                let state = parameter(&seen.query, "state").unwrap_or("open");
                let head = parameter(&seen.query, "head")
                    .map(|head| head.replace("%3A", ":").replace("%2F", "/"));
                let is_wanted = |pull: &&Value| {
                    (state == "all" || pull["state"] == state)
                        && head.as_ref().is_none_or(|head| pull["head"]["label"] == **head)
                };
                let found = self.pulls.iter().filter(is_wanted).cloned().collect();
                page(found, seen, (port, self.most))
            }
            ("GET", ["repos", _, "hello", "pulls", n]) => {
                let found = self.pulls.iter().find(|pull| pull["number"] == number(n));
                let accept = seen.headers.get("accept").map(|accept| accept.to_str().unwrap());
                match found {
                    Some(_) if accept == Some("application/vnd.github.diff") => {
                        Response::new(Body::from(self.patch.clone()))
                    }
                    Some(pull) => whole(200, pull),
                    None => said(404, "Not Found"),
                }
            }
            ("GET", ["repos", _, "hello", "issues"]) => {
                page(self.issues.clone(), seen, (port, self.most))
            }
            ("GET", ["repos", _, "hello", "issues", _, "comments"]) => {
                page(self.comments.clone(), seen, (port, self.most))
            }
            ("GET", ["repos", _, "hello", "pulls", _, "reviews"]) => {
                page(self.reviews.clone(), seen, (port, self.most))
            }
            ("POST", _) if !seen.headers.contains_key("authorization") => {
                said(401, "Requires authentication")
            }
            ("POST", ["repos", _, "hello", "issues", n, "comments"]) => {
                let id = self.comments.len() as u64 + 1;
                let comment = shapes::comment((number(n), id), "ada", &seen.body);
                self.comments.push(comment.clone());
                whole(201, &comment)
            }
            ("POST", ["repos", _, "hello", "pulls", n, "reviews"]) => {
                let review = shapes::review(number(n), &seen.body);
                self.reviews.push(review.clone());
                whole(200, &review)
            }
            ("POST", ["repos", _, "hello", "pulls"]) => self.open(&seen.body),
            ("DELETE", ["repos", ..]) => {
                Response::builder().status(204).body(Body::empty()).unwrap()
            }
            _ => said(404, "Not Found"),
        }
    }

    fn open(&mut self, body: &Value) -> Response {
        let head = body["head"].as_str().unwrap();
        let label = if head.contains(':') { head.to_owned() } else { format!("octo:{head}") };
        if self.pulls.iter().any(|pull| pull["head"]["label"] == *label) {
            return whole(
                422,
                &json!({
                    "message": "Validation Failed",
                    "errors": [{
                        "resource": "PullRequest", "code": "custom",
                        "message": format!("A pull request already exists for {label}."),
                    }],
                    "documentation_url": "https://docs.github.com/rest/pulls/pulls#create-a-pull-request",
                    "status": "422",
                }),
            );
        }
        let number = self.pulls.len() as u64 + 1;
        let (_, branch) = label.split_once(':').unwrap();
        let mut pull = shapes::pull(number, branch, &"1".repeat(40), &"2".repeat(40));
        pull["title"] = body["title"].clone();
        pull["head"]["label"] = json!(label);
        pull["draft"] = body["draft"].clone();
        self.pulls.push(pull.clone());
        whole(201, &pull)
    }
}

/// Answers with a page of a list, and links as GitHub writes them.
fn page(items: Vec<Value>, seen: &Seen, (port, most): (u16, usize)) -> Response {
    let number = |name: &str, default: usize| {
        parameter(&seen.query, name).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (size, page) =
        (number("per_page", 30).min(if most == 0 { 100 } else { most }), number("page", 1));
    let last = items.len().div_ceil(size).max(1);
    let shown: Vec<Value> = items.into_iter().skip((page - 1) * size).take(size).collect();
    let mut response = whole(200, &json!(shown));
    let link = |page: usize, rel: &str| {
        format!(
            "<http://127.0.0.1:{port}/api/v3{}?per_page={size}&page={page}>; rel=\"{rel}\"",
            seen.path
        )
    };
    let mut links = Vec::new();
    if page > 1 {
        links.extend([link(page - 1, "prev"), link(1, "first")]);
    }
    if page < last {
        links.extend([link(page + 1, "next"), link(last, "last")]);
    }
    if !links.is_empty() {
        response.headers_mut().insert("link", links.join(", ").parse().unwrap());
    }
    response
}
