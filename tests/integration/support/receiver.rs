//! A receiver of webhooks: keeps what it gets, and answers as it is told.

use std::{
    collections::{HashMap, VecDeque},
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::StatusCode,
    web::{self, Bytes, Data},
};
use anyhow::{Context, Result};
use serde_json::Value;

/// A webhook as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub path: String,
    pub headers: HashMap<String, String>,
    pub body: Bytes,
    pub at: Instant,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }

    /// What receivers know it by.
    pub fn id(&self) -> String {
        self.header("webhook-id").to_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// How one webhook is answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub header: Option<(&'static str, String)>,
    pub after: Duration,
}

impl Answer {
    pub const fn of(status: u16) -> Self {
        Self { status, header: None, after: Duration::ZERO }
    }

    pub fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        Self { header: Some((name, value.into())), ..self }
    }

    pub fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    answers: HashMap<String, VecDeque<Answer>>,
}

/// Runs in a thread of its own until it is dropped.
pub struct Receiver {
    state: Arc<Mutex<State>>,
    address: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    pub fn start() -> Result<Self> {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Data::from(Arc::clone(&state));
        let (started, wait) = mpsc::channel();
        let serve = move || {
            actix_web::rt::System::new().block_on(async move {
                let app = move || App::new().app_data(shared.clone()).default_service(web::to(receive));
                let server = HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(0);
                let server = server.bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                let address = server.addrs()[0];
                let server = server.run();
                started.send((address, server.handle())).unwrap();
                server.await.unwrap();
            });
        };
        let thread = thread::spawn(serve);
        let (address, handle) = wait.recv().context("the receiver did not start")?;
        Ok(Self { state, address, handle, thread: Some(thread) })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next webhooks at this path are answered so; those after them with 200.
    pub fn answer(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        self.state.lock().unwrap().answers.entry(path.to_owned()).or_default().extend(answers);
    }

    /// What came at this path so far.
    pub fn received(&self, path: &str) -> Vec<Received> {
        self.state.lock().unwrap().received.iter().filter(|one| one.path == path).cloned().collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn receive(state: Data<Mutex<State>>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let (path, at) = (request.path().to_owned(), Instant::now());
    let text = |value: &actix_web::http::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers = request.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let answer = {
        let mut state = state.lock().unwrap();
        let next = state.answers.get_mut(&path).and_then(VecDeque::pop_front).unwrap_or(Answer::of(200));
        state.received.push(Received { path, headers, body, at });
        next
    };
    actix_web::rt::time::sleep(answer.after).await;
    let mut response = HttpResponse::build(StatusCode::from_u16(answer.status).unwrap());
    if let Some(header) = answer.header {
        response.insert_header(header);
    }
    response.body("noted")
}
