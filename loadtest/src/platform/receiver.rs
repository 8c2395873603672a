//! Whoever gets the hub's own webhooks: keeps what comes, and answers as it is told.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    rt,
    web::{self, Bytes, Data, ServiceConfig},
};
use serde_json::Value;

use super::served::Served;

/// A webhook as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// Of the URL.
    pub path: String,
    /// By their names in lower case; those that are no text are empty.
    pub headers: HashMap<String, String>,
    /// As it came.
    pub body: Bytes,
    /// When.
    pub at: SystemTime,
}

impl Received {
    /// A header, or nothing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }

    /// What receivers know it by.
    #[must_use]
    pub fn id(&self) -> String {
        self.header("webhook-id").to_owned()
    }

    /// The body; `null` if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// How one webhook is answered.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    header: Option<(&'static str, String)>,
    after: Duration,
}

impl Answer {
    /// At once, with this status.
    #[must_use]
    pub const fn of(status: u16) -> Self {
        Self { status, header: None, after: Duration::ZERO }
    }

    /// With a header as well.
    #[must_use]
    pub fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        Self { header: Some((name, value.into())), ..self }
    }

    /// After a while.
    #[must_use]
    pub fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    answers: HashMap<String, VecDeque<Answer>>,
}

/// Runs until it is dropped.
pub struct Receiver {
    state: Arc<Mutex<State>>,
    served: Served,
}

impl Receiver {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// If there is none.
    pub fn start() -> io::Result<Self> {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Data::from(Arc::clone(&state));
        let routes = move |config: &mut ServiceConfig| {
            config.app_data(shared.clone()).default_service(web::to(receive));
        };
        Ok(Self { state, served: Served::start((Ipv4Addr::LOCALHOST, 0).into(), 1, routes, || {})? })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.served.address()
    }

    /// A URL of it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.served.url())
    }

    /// The next webhooks at this path are answered so; those after them with 200.
    pub fn answer(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        lock(&self.state).answers.entry(path.to_owned()).or_default().extend(answers);
    }

    /// What came at this path so far.
    #[must_use]
    pub fn received(&self, path: &str) -> Vec<Received> {
        lock(&self.state).received.iter().filter(|one| one.path == path).cloned().collect()
    }

    /// How many came so far, at all paths.
    #[must_use]
    pub fn count(&self) -> usize {
        lock(&self.state).received.len()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn receive(state: Data<Mutex<State>>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let (path, at) = (request.path().to_owned(), SystemTime::now());
    let text = |value: &actix_web::http::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers = request.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let answer = {
        let mut state = lock(&state);
        let next = state.answers.get_mut(&path).and_then(VecDeque::pop_front).unwrap_or(Answer::of(200));
        state.received.push(Received { path, headers, body, at });
        next
    };
    if !answer.after.is_zero() {
        rt::time::sleep(answer.after).await;
    }
    let mut response = HttpResponse::build(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK));
    if let Some(header) = answer.header {
        response.insert_header(header);
    }
    response.body("noted")
}
