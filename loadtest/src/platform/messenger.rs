//! Messenger's Send API over HTTP: `POST /{version}/me/messages`, and the echo webhook that follows a message.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, http::header, rt, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    failure::{Failure, GraphError},
    graph, meta,
    page::{Behaviour, Page},
    state::Shared,
    wire,
};

/// As long as the platform waits for an answer to its webhooks.
const PATIENCE: Duration = Duration::from_secs(20);

/// A message that the platform has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The person.
    pub to: String,
    /// What it says.
    pub text: String,
    /// The platform's id of it.
    pub mid: String,
}

/// Where the platform tells of what a page has sent.
#[derive(Debug, Clone)]
pub struct Echo {
    /// The hub's webhook.
    pub url: String,
    /// Signs it.
    pub app_secret: String,
    /// How long after the message.
    pub delay: Duration,
}

/// What a page has sent, and how sending goes.
#[derive(Default)]
pub(super) struct Outbox {
    pub sent: Vec<Sent>,
    /// People who were told that what they wrote was read.
    pub seen: Vec<String>,
    pub calls: u32,
    /// Calls that do nothing.
    pub behaviour: Behaviour,
    /// Calls that are done, and whose answer is lost in some way.
    pub losses: Behaviour,
    pub echo: Option<Echo>,
    /// Numbers begin after it.
    pub first: u64,
}

impl Page {
    /// Numbers what it sends from here on, so that nothing has the id of what an earlier one sent.
    pub fn count_from(&self, first: u64) {
        self.outbox(|outbox| outbox.first = first);
    }

    /// How sending goes: calls that fail do nothing. A latency comes before the answer, after what was done.
    pub fn behave_sending(&self, behaviour: Behaviour) {
        self.outbox(|outbox| outbox.behaviour = behaviour);
    }

    /// Which answers are lost: what was asked for is done, and answered in this way.
    pub fn lose_answers(&self, losses: Behaviour) {
        self.outbox(|outbox| outbox.losses = losses);
    }

    /// Tells of every message that is sent from now on; `None`: of none.
    pub fn echo_to(&self, echo: Option<Echo>) {
        self.outbox(|outbox| outbox.echo = echo);
    }

    /// What the page has sent, in that order.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        self.outbox(|outbox| outbox.sent.clone())
    }

    /// Who was told that what they wrote was read, in that order.
    #[must_use]
    pub fn seen(&self) -> Vec<String> {
        self.outbox(|outbox| outbox.seen.clone())
    }

    /// How often it was asked to send something.
    #[must_use]
    pub fn send_calls(&self) -> u32 {
        self.outbox(|outbox| outbox.calls)
    }

    fn outbox<T>(&self, change: impl FnOnce(&mut Outbox) -> T) -> T {
        change(&mut self.shared.lock().page(self.id).outbox)
    }
}

#[derive(Deserialize)]
pub(super) struct Parameters {
    appsecret_proof: Option<String>,
}

/// What the call does, decided at once.
struct Decided {
    page: u64,
    delay: Duration,
    done: Done,
    failure: Option<Failure>,
}

/// What was done; the answer to it may be lost.
enum Done {
    Nothing,
    Sent(Sent, Option<Echo>),
    /// Whom it told.
    Seen(String),
}

/// The handler.
pub(super) async fn send(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    parameters: web::Query<Parameters>,
    body: web::Json<Value>,
    shared: web::Data<Shared>,
) -> HttpResponse {
    let (_, sender) = path.into_inner();
    let bearer = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = bearer.and_then(|value| value.strip_prefix("Bearer "));
    let decided = match decide(&shared, token, parameters.appsecret_proof.as_deref(), &sender, &body) {
        Ok(decided) => decided,
        Err(error) => return refuse(&error),
    };
    if let Done::Sent(sent, Some(echo)) = &decided.done {
        let (body, echo) = (echo_body(decided.page, sent), echo.clone());
        rt::spawn(async move {
            tokio::time::sleep(echo.delay).await;
            // Who is not there is told again by nobody here.
            let _ = meta::post(&wire::near(PATIENCE), &echo.url, body, &echo.app_secret).await;
        });
    }
    tokio::time::sleep(decided.delay).await;
    match (decided.failure, decided.done) {
        (Some(Failure::Hang), _) => std::future::pending().await,
        (Some(failure), _) => match failure.graph_error(decided.page) {
            Some(error) => refuse(&error),
            None => graph::broken(failure),
        },
        (None, Done::Sent(sent, _)) => {
            HttpResponse::Ok().json(json!({"recipient_id": sent.to, "message_id": sent.mid}))
        }
        (None, Done::Seen(whom)) => HttpResponse::Ok().json(json!({"recipient_id": whom})),
        (None, Done::Nothing) => HttpResponse::InternalServerError().finish(),
    }
}

fn decide(
    shared: &Shared,
    token: Option<&str>,
    proof: Option<&str>,
    sender: &str,
    body: &Value,
) -> Result<Decided, GraphError> {
    let mut state = shared.lock();
    let page = state.sender(token, proof)?;
    let outbox = &mut state.page(page).outbox;
    if sender != "me" && sender != page.to_string() {
        return Err(GraphError::new(100, "(#100) No matching user found"));
    }
    if let (Some(whom), Some("mark_seen")) = (body["recipient"]["id"].as_str(), body["sender_action"].as_str()) {
        outbox.seen.push(whom.to_owned());
        return Ok(Decided { page, delay: Duration::ZERO, done: Done::Seen(whom.to_owned()), failure: None });
    }
    outbox.calls += 1;
    let (to, text) = (body["recipient"]["id"].as_str(), body["message"]["text"].as_str());
    let (Some(to), Some(text)) = (to, text.filter(|text| (1..=2000).contains(&text.chars().count()))) else {
        return Err(GraphError::new(100, "(#100) Length of param message[text] must be less than or equal to 2000"));
    };
    let delay = outbox.behaviour.delay().or(outbox.losses.delay()).unwrap_or_default();
    if let Some(failure) = outbox.behaviour.next_failure() {
        return Ok(Decided { page, delay, done: Done::Nothing, failure: Some(failure) });
    }
    let mid = format!("m_sent_{page}_{}", outbox.first + outbox.sent.len() as u64 + 1);
    let sent = Sent { to: to.to_owned(), text: text.to_owned(), mid };
    outbox.sent.push(sent.clone());
    let failure = outbox.losses.next_failure();
    Ok(Decided { page, delay, done: Done::Sent(sent, outbox.echo.clone()), failure })
}

fn refuse(error: &GraphError) -> HttpResponse {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    HttpResponse::build(status).content_type("text/javascript; charset=UTF-8").body(wire::ascii(&error.body(0)))
}

/// The page's own message, as its webhook has it.
fn echo_body(page: u64, sent: &Sent) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let now = u64::try_from(now).unwrap_or(u64::MAX);
    let instagram = page.to_string().starts_with("17841") && page.to_string().len() == 17;
    wire::ascii(&json!({
        "object": if instagram { "instagram" } else { "page" },
        "entry": [{"id": page.to_string(), "time": now, "messaging": [{
            "sender": {"id": page.to_string()}, "recipient": {"id": sent.to}, "timestamp": now,
            "message": {"is_echo": true, "app_id": 1_517_776_481_860_111_u64, "mid": sent.mid, "text": sent.text},
        }]}],
    }))
}
