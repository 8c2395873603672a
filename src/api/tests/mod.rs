//! The routes over a store in a temporary folder.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::{Actor, Handler, ResponseFuture};
use actix_web::{
    App, Error,
    body::MessageBody,
    dev::{Service, ServiceResponse},
    http::{Method, StatusCode, header},
    test,
    web::Data,
};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};

use super::*;
use crate::{
    auth::{Authenticator, Options, Origins, OwnTokens, keys, password},
    config::Settings,
    domain::{
        AccountId, AgencyId, Role, SourceId, clock,
        directory::Directory,
        envelope::{Envelope, Position},
        send::{Outgoing, Reason, SendState},
    },
    erasure::Eraser,
    exports,
    http::{Pace, Proxies},
    inbox::Inbox,
    outbox, prospecting,
    realtime::{Publish, PublishError},
    sending::{Desk, Read, Wake},
    store::{NewUser, Store, Vault},
    telemetry::Metrics,
};

mod audit;
mod chats;
mod costs;
mod endpoints;
mod erasure;
mod leads;
mod login;
mod prospects;
mod sends;
mod sync;

const PASSWORD: &str = "correct horse battery";

/// Remembers what was published, and knows one thing that needs attention.
#[derive(Default)]
struct Dashboards(Mutex<Vec<Envelope>>);

impl Publisher for Dashboards {
    fn publish(&self, envelope: Envelope) -> BoxFuture<'_, Result<(), Unpublished>> {
        self.0.lock().unwrap().push(envelope);
        Box::pin(async { Ok(()) })
    }
}

impl AttentionSource for Dashboards {
    fn items(&self, accounts: Vec<AccountId>) -> BoxFuture<'_, Result<Vec<AttentionItem>, String>> {
        let item = |account| AttentionItem {
            kind: "parked".into(),
            account,
            source: None,
            reason: "the token was refused".into(),
            count: 2,
            oldest: Some(clock::from_micros(0)),
        };
        Box::pin(async move { Ok(accounts.into_iter().map(item).collect()) })
    }
}

/// In the sender's place: whatever is to be sent is said to be sent, unless its text names what is to become of it.
struct Platform {
    store: Store,
    seen: Arc<Dashboards>,
    outcomes: broadcast::Sender<Outgoing>,
}

impl Actor for Platform {
    type Context = actix::Context<Self>;
}

impl Handler<Publish> for Platform {
    type Result = Result<Position, PublishError>;

    fn handle(&mut self, publish: Publish, _: &mut Self::Context) -> Self::Result {
        self.seen.0.lock().unwrap().push(publish.envelope);
        Ok(Position { epoch: 1, count: 1 })
    }
}

impl Handler<Wake> for Platform {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Wake(source): Wake, _: &mut Self::Context) -> Self::Result {
        let (store, outcomes) = (self.store.clone(), self.outcomes.clone());
        Box::pin(async move {
            for open in store.open_sends(source).await.unwrap() {
                let Some(claimed) = store.claim_send(open.account, open.id).await.unwrap() else { continue };
                let mut send = Outgoing { state: SendState::Sent, updated_at: clock::now(), ..claimed };
                match send.text.strip_prefix("fails: ") {
                    Some(code) => {
                        (send.state, send.reason) = (SendState::Failed, Some(Reason::new(code, "It failed.")));
                    }
                    None => send.platform_id = Some("p_1".to_owned()),
                }
                store.settle_send(&send).await.unwrap();
                outcomes.send(send).unwrap();
            }
        })
    }
}

impl Handler<Read> for Platform {
    type Result = ();

    fn handle(&mut self, _: Read, _: &mut Self::Context) {}
}

/// In the dispatcher's place: delivers nothing.
struct Asleep;

impl Actor for Asleep {
    type Context = actix::Context<Self>;
}

impl Handler<prospecting::Wake> for Asleep {
    type Result = ();

    fn handle(&mut self, _: prospecting::Wake, _: &mut Self::Context) {}
}

impl Handler<outbox::Wake> for Asleep {
    type Result = ();

    fn handle(&mut self, _: outbox::Wake, _: &mut Self::Context) {}
}

impl Syncer for Dashboards {
    fn sync(&self, source: SourceId, chat: Option<String>, full: bool) -> BoxFuture<'_, Result<SyncStats, NotSynced>> {
        let outcome = match (chat.as_deref(), full) {
            (Some("c1"), true) => Ok(SyncStats { messages: 5, new_messages: 2 }),
            (None, false) if source == SourceId::derive(&[b"reads"]) => Ok(SyncStats { messages: 3, new_messages: 0 }),
            (None, _) => Err(NotSynced::Failed("the platform answered 500".to_owned())),
            _ => Err(NotSynced::NotNow("it is being read".to_owned())),
        };
        Box::pin(async move { outcome })
    }

    fn sources(&self, accounts: &[AccountId]) -> Vec<SourceId> {
        let names: &[&[u8]] = &[b"reads", b"fails"];
        names[..accounts.len().min(2)].iter().map(|name| SourceId::derive(&[name])).collect()
    }
}

struct Hub {
    state: ApiState,
    seen: Arc<Dashboards>,
    agency: AgencyId,
    account: AccountId,
    second: AccountId,
    foreign: AccountId,
    _folder: tempfile::TempDir,
    newest: watch::Sender<Option<Arc<Directory>>>,
}

async fn sqlite(folder: &tempfile::TempDir) -> Store {
    let url = format!("sqlite://{}", folder.path().join("store.sqlite3").display());
    let store = Store::open(&url, 2, Duration::from_secs(10), Vault::new([1; 32])).await.unwrap();
    store.migrate().await.unwrap();
    store
}

/// Allowed to post to this machine; nobody delivers.
fn outbox_desk(store: Store) -> outbox::Desk {
    let settings = Settings::parse("outbox.allow_private = [\"127.0.0.0/8\"]").unwrap().outbox;
    outbox::Desk {
        client: outbox::Client::new(settings.timeout, &settings.allow_private).unwrap(),
        settings: Arc::new(settings),
        store,
        wake: Asleep.start().recipient(),
        pauses: outbox::Pauses::default(),
        metrics: Arc::new(Metrics::new()),
        tests: outbox::Tests::default(),
    }
}

impl Hub {
    /// An agency with two accounts and Ada, who has this role in the first; another agency with one account.
    async fn new(role: Role) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = sqlite(&folder).await;
        let agency = store.add_agency("North").await.unwrap().id;
        let account = store.add_account(agency, "Bakery").await.unwrap().id;
        let second = store.add_account(agency, "Garage").await.unwrap().id;
        let other = store.add_agency("South").await.unwrap().id;
        let foreign = store.add_account(other, "Florist").await.unwrap().id;
        let password_hash = password::hash(&PASSWORD.into()).unwrap();
        let user = NewUser { agency, email: "ada@example.com".into(), name: "Ada".into(), password_hash };
        let user = store.add_user(user).await.unwrap();
        store.set_membership(user, account, Some(role)).await.unwrap();
        for (role, secret) in [(Role::Viewer, "lw_viewer"), (Role::Agent, "lw_agent"), (Role::Manager, "lw_manager")] {
            store.add_api_key(agency, None, role, "test", keys::hash(secret), None).await.unwrap();
        }
        store.add_api_key(other, None, Role::Owner, "test", keys::hash("lw_foreign"), None).await.unwrap();
        store.add_api_key(agency, Some(account), Role::Agent, "test", keys::hash("lw_narrow"), None).await.unwrap();
        let (sender, directory) = watch::channel(Some(Arc::new(store.load_directory().await.unwrap())));
        let seen = Arc::new(Dashboards::default());
        let auth = Authenticator::new(Options {
            directory: directory.clone(),
            revocations: Arc::new(store.clone()),
            tokens: OwnTokens::hs256(&[7; 32]),
            token_ttl: Duration::from_hours(1),
            jwks_ttl: Duration::from_mins(1),
            login_attempts: 3,
            origins: Origins::new(&[], None, proxies()),
            anonymous: None,
        });
        let (publisher, attention, syncer) = (seen.clone(), seen.clone(), seen.clone());
        let outcomes = broadcast::Sender::new(16);
        let platform = Platform { store: store.clone(), seen: seen.clone(), outcomes: outcomes.clone() }.start();
        let desk = Desk {
            settings: Arc::new(Settings::parse("").unwrap().sending),
            store: store.clone(),
            directory: directory.clone(),
            publish: platform.clone().recipient(),
            wake: platform.clone().recipient(),
            read: platform.recipient(),
            outcomes,
        };
        let outbox = outbox_desk(store.clone());
        let prospecting = prospecting::Desk { wake: Asleep.start().recipient() };
        let state = ApiState {
            eraser: Eraser::new(store.clone(), Inbox::open(&folder.path().join("inbox.sqlite3"), 16).unwrap()),
            store,
            auth: auth.unwrap(),
            directory,
            desk,
            outbox,
            exports: exports::Desk::default(),
            prospecting,
            publisher,
            attention,
            syncer,
            proxies: proxies(),
            pace: Pace::configured(&Settings::parse("").unwrap().server),
        };
        Self { state, seen, agency, account, second, foreign, _folder: folder, newest: sender }
    }

    async fn ask(&self, request: test::TestRequest) -> Reply {
        let app = App::new().app_data(Data::new(self.state.clone())).configure(configure);
        let app = test::init_service(app).await;
        Reply::of(&app, request).await
    }

    /// Asks with an API key.
    async fn by(&self, key: &str, method: Method, path: &str, body: Value) -> Reply {
        let request = test::TestRequest::with_uri(path).method(method);
        let request = request.insert_header((header::AUTHORIZATION, format!("Bearer {key}")));
        self.ask(if body.is_null() { request } else { request.set_json(body) }).await
    }

    async fn create(&self, body: Value) -> Value {
        let mut body = body;
        body["account"] = json!(self.account);
        let reply = self.by("lw_agent", Method::POST, "/api/leads/create", body).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        reply.body["data"].clone()
    }

    fn told(&self) -> Vec<Envelope> {
        std::mem::take(&mut self.seen.0.lock().unwrap())
    }
}

/// Those that the tests' requests come from.
fn proxies() -> Proxies {
    Proxies::new(&["127.0.0.0/8".parse().unwrap()])
}

struct Reply {
    status: StatusCode,
    headers: header::HeaderMap,
    body: Value,
}

impl Reply {
    async fn of<S, B>(app: &S, request: test::TestRequest) -> Self
    where
        S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
        B: MessageBody,
    {
        let request = request.peer_addr(([127, 0, 0, 1], 4711).into());
        let response = test::call_service(app, request.to_request()).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = test::read_body(response).await;
        Self { status, headers, body: serde_json::from_slice(&body).unwrap_or_default() }
    }

    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The origin's error shape, with this status; answers with the text.
    fn refusal(&self, status: u16) -> String {
        assert_eq!((self.status.as_u16(), &self.body["success"]), (status, &json!(false)), "{}", self.body);
        self.body["error"].as_str().unwrap().to_owned()
    }
}

#[actix_web::test]
async fn attention_is_for_those_who_manage() {
    let hub = Hub::new(Role::Agent).await;
    let managed = hub.by("lw_manager", Method::GET, "/api/attention", Value::Null).await;
    let items = managed.body["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!((&items[0]["count"], &items[0]["oldest"]), (&json!(2), &json!("1970-01-01T00:00:00.000Z")));
    let refused = hub.by("lw_agent", Method::GET, "/api/attention", Value::Null).await;
    assert_eq!((refused.status.as_u16(), refused.header(header::CONTENT_TYPE)), (403, "application/problem+json"));
}

#[actix_web::test]
async fn colleagues_are_those_on_the_callers_accounts() {
    let hub = Hub::new(Role::Agent).await;
    let seen = hub.by("lw_viewer", Method::GET, "/api/people", Value::Null).await;
    let ada = &seen.body["items"][0];
    assert_eq!((seen.body["items"].as_array().map(Vec::len), &ada["name"]), (Some(1), &json!("Ada")));
    assert_eq!(ada["accounts"], json!([{"id": hub.account, "role": "agent"}]));
    let foreign = hub.by("lw_foreign", Method::GET, "/api/people", Value::Null).await;
    assert_eq!(foreign.body, json!({"items": []}));
}

#[actix_web::test]
async fn a_store_that_is_away_is_a_503_that_says_when_to_come_back() {
    let mut hub = Hub::new(Role::Agent).await;
    let away = "postgres://u:p@127.0.0.1:9/none?sslmode=disable";
    hub.state.store = Store::open(away, 1, Duration::from_secs(1), Vault::new([1; 32])).await.unwrap();
    let create = hub.by("lw_narrow", Method::POST, "/api/leads/create", json!({"name": "Joe"})).await;
    assert!(create.refusal(503).contains("nothing was changed"));
    assert_eq!(create.header(header::RETRY_AFTER), "5");
    assert!(hub.told().is_empty());
    hub.by("lw_viewer", Method::GET, "/api/leads", Value::Null).await.refusal(503);
    assert_eq!(hub.ask(test::TestRequest::get().uri("/health")).await.body, json!({"ok": true}));
    let health = hub.ask(test::TestRequest::get().uri("/api/health")).await;
    assert_eq!(health.body, json!({"status": "ok", "service": "Leadwire"}));
}
