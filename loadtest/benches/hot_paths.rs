//! What the hub does most often, part by part and without HTTP: what gets slower here gets slower for everybody.
//!
//! `cargo bench -p loadtest` measures; `-- --test` runs everything once.

use std::{
    collections::HashMap,
    io::{ErrorKind, Read},
    net::{Ipv4Addr, TcpListener, TcpStream},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, Recipient};
use actix_web::rt::System;
use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::{BoxFuture, LocalBoxFuture, try_join_all};
use leadwire::{
    auth::{AuthError, Authenticator, Leaving, Options, Origins, OwnTokens, Principal, Proof, Revocations, Subject},
    config::Settings,
    domain::{
        AccountId, AgencyId, EventId, Role, Room, SourceId, Timestamp, UserId, clock,
        directory::{Directory, Source, Watch},
        envelope::{Body, Envelope, NewLead, Origin, Position},
        event::{Scope, SourceKind},
    },
    inbound::providers::{self, Provider, proof},
    inbox::{Delivery, Inbox, LogEntry},
    platforms::meta::{self, lead_from},
    realtime::{
        Action, Actions, Deliver, SessionRegistry, Shard, Tell,
        encode::{self, Encoding},
        limits::SessionLimits,
        presence::Presence,
        protocol::Refusal,
        rooms,
        shard::{RoomName, ShardParts, ShardState, Subscribe},
        wire::Wire,
    },
    telemetry::Metrics,
};
use loadtest::platform::meta::{Change, Webhook, sign};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::watch};

/// The hub's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SECRET: &str = "app_secret_123";
const PAGE: u64 = 1001;
const SENT_AT: i64 = 1_795_000_000;
const FIRST_LEAD: u64 = 9_007_199_254_740_993;
/// Changes in a body: the usual, and the most that Meta sends at once.
const CHANGES: [u64; 2] = [1, 1000];
const SESSIONS: usize = 1000;

criterion_group!(hot_paths, signature, split, envelope, publish, commit, positions);
criterion_main!(hot_paths);

fn provider() -> &'static dyn Provider {
    providers::named("meta").expect("Meta is served")
}

/// A body with so many leads of one page.
fn body(first: u64, changes: u64) -> String {
    let leads = first..first + changes;
    Webhook::batch(SENT_AT, leads.map(|id| Change { ad_id: Some(5), ..Change::new(PAGE, id, SENT_AT) })).body()
}

/// One account with the page connected to it.
fn directory() -> (AccountId, Directory) {
    let source = Source {
        id: SourceId::generate(),
        agency: AgencyId::generate(),
        account: AccountId::generate(),
        kind: SourceKind::Meta,
        external_id: PAGE.to_string(),
        name: "Harbor Insurance".to_owned(),
        token: "token_1001".into(),
        app_secrets: Vec::new(),
        verify_token: None,
        enabled: true,
        api_url: None,
    };
    let sources = [(source.id, source.clone())].into_iter().collect();
    (source.account, Directory { sources, ..Directory::default() }.indexed())
}

fn signature(c: &mut Criterion) {
    let mut group = c.benchmark_group("verify a signature");
    for changes in CHANGES {
        let body = body(FIRST_LEAD, changes);
        let signed = sign(body.as_bytes(), SECRET);
        let header = |name: &str| (name == "x-hub-signature-256").then_some(signed.as_bytes());
        let secrets = [SECRET.into()];
        let verify = || match provider().proof(&header) {
            Some(proof::Proof::Signature(signature)) => proof::signer(&secrets, &signature, body.as_bytes()).is_some(),
            _ => false,
        };
        assert!(verify());
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(format!("{changes} changes"), |b| {
            b.iter(verify);
        });
    }
    group.finish();
}

fn split(c: &mut Criterion) {
    let (_, directory) = directory();
    let mut group = c.benchmark_group("split and translate");
    for changes in CHANGES {
        let body = body(FIRST_LEAD, changes);
        let found = provider().split(body.as_bytes(), &directory, Scope::Hub, None);
        assert_eq!(found.len() as u64, changes);
        group.throughput(Throughput::Elements(changes));
        group.bench_function(format!("{changes} changes"), |b| {
            b.iter(|| provider().split(body.as_bytes(), &directory, Scope::Hub, None));
        });
    }
    group.finish();
}

/// The platform's answer for a lead, as the Graph API gives it.
fn answer() -> Value {
    json!({
        "created_time": "2026-11-18T09:46:40+0000", "id": FIRST_LEAD.to_string(), "form_id": "456456456456456",
        "ad_id": "5", "campaign_name": "Winter offer", "platform": "fb", "is_organic": false,
        "field_data": [
            {"name": "full_name", "values": ["Zoë Ångström"]}, {"name": "email", "values": ["zoe@example.com"]},
            {"name": "phone_number", "values": ["+16195550100"]},
        ],
    })
}

fn new_lead(account: AccountId) -> Envelope {
    let now = clock::now();
    let id = FIRST_LEAD.to_string();
    let (agency, source) = (AgencyId::generate(), SourceId::generate());
    let origin = meta::Origin { agency, account, source, leadgen_id: &id, received_at: now, now };
    let lead = lead_from(&answer(), origin);
    let body = Body::NewLead(Box::new(NewLead { lead, timestamp: now, source: Origin::Webhook }));
    Envelope { id: EventId::generate(), account, timestamp: now, body }
}

fn at(count: u64) -> Position {
    Position { epoch: 1, count }
}

fn envelope(c: &mut Criterion) {
    let new_lead = new_lead(AccountId::generate());
    c.bench_function("encode an envelope", |b| {
        b.iter(|| encode::envelope(&new_lead, at(8), Some(at(7))).expect("it is JSON"));
    });
}

fn inbox() -> (TempDir, Inbox) {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = settings().inbox.commit_rows;
    let inbox = Inbox::open(&folder.path().join("inbox.sqlite3"), rows).expect("an inbox");
    (folder, inbox)
}

fn settings() -> Settings {
    Settings::parse("").expect("the defaults")
}

/// One commit that is durable when it returns, of POSTs with one lead each.
fn commit(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let (_folder, inbox) = inbox();
    let (_, directory) = directory();
    let mut next = FIRST_LEAD;
    let mut group = c.benchmark_group("commit to the inbox");
    for deliveries in [1, 64] {
        group.throughput(Throughput::Elements(deliveries));
        group.bench_function(format!("{deliveries} deliveries"), |b| {
            let fresh = || {
                next += deliveries;
                (next..next + deliveries).map(|id| delivery(id, &directory)).collect()
            };
            let accept = |batch: Vec<Delivery>| async {
                let accepted = inbox.accept(batch).await.expect("it is kept");
                assert_eq!(accepted.iter().map(|one| one.work.len() as u64).sum::<u64>(), deliveries);
            };
            b.to_async(&runtime).iter_batched(fresh, accept, BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn delivery(lead: u64, directory: &Directory) -> Delivery {
    let body = Bytes::from(body(lead, 1));
    Delivery {
        received_at: clock::now(),
        provider: "meta",
        path: String::new(),
        remote: "127.0.0.1".to_owned(),
        headers: "{}".to_owned(),
        events: provider().split(&body, directory, Scope::Hub, None),
        body,
    }
}

/// The newest position of each of 100 rooms, from a log of 10,000 envelopes.
fn positions(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let (_folder, inbox) = inbox();
    let accounts: Vec<_> = (0..100).map(|_| AccountId::generate()).collect();
    let publish = (1..=100).flat_map(|count| accounts.iter().map(move |account| (*account, count)));
    let publish = publish.map(|(account, count)| {
        let json = encode::envelope(&new_lead(account), at(count), None).expect("it is JSON").json();
        let room = Room::Account(account);
        let entry = LogEntry { account, room, position: at(count), at: clock::now(), is_late: false, envelope: json };
        let (queued, logged) = inbox.publish(entry, None);
        async {
            queued.await;
            logged.await
        }
    });
    runtime.block_on(try_join_all(publish)).expect("they are logged");
    c.bench_function("read the newest positions of 100 rooms", |b| {
        b.to_async(&runtime).iter(|| async {
            assert_eq!(inbox.top_positions().await.expect("it is read").len(), accounts.len());
        });
    });
}

/// A shard with sessions on real sockets, all of one account: from its mailbox to the last socket's kernel buffer.
fn publish(c: &mut Criterion) {
    rlimit::increase_nofile_limit(u64::MAX).expect("a limit on files");
    let system = System::new();
    let account = AccountId::generate();
    let (_folder, inbox) = inbox();
    let (_sender, directory) = watch::channel(None);
    let (shard, mut clients) = system.block_on(async {
        let metrics = Arc::new(Metrics::new());
        let registry = SessionRegistry::new(inbox.clone(), Vec::new(), 1024, Arc::clone(&metrics)).start();
        let state = shard_of(directory, inbox, registry.clone().recipient(), metrics);
        let clients = connected(&state, account);
        (Shard::new(state, registry.recipient()).start(), clients)
    });
    let envelope = Arc::new(encode::envelope(&new_lead(account), at(1), None).expect("it is JSON"));
    let mut count = 0;
    let mut group = c.benchmark_group("publish to a room");
    group.throughput(Throughput::Elements(SESSIONS as u64));
    group.bench_function(format!("{SESSIONS} sessions"), |b| {
        b.iter_custom(|times| {
            let mut spent = Duration::ZERO;
            for _ in 0..times {
                count += 1;
                let (room, types, envelope) = (Room::Account(account), rooms::ANY_TYPE, Arc::clone(&envelope));
                let delivery = Deliver { room, chat: None, types, position: at(count), prev: None, envelope };
                let began = Instant::now();
                system.block_on(shard.send(delivery)).expect("the shard is there");
                spent += began.elapsed();
                // Reading is the dashboards' work and not counted.
                assert!(clients.iter_mut().all(has_read), "a session got nothing");
            }
            spent
        });
    });
    group.finish();
}

/// Nobody asks for anything here.
struct Idle;

impl Actions for Idle {
    fn act(&self, _: Principal, _: Action) -> LocalBoxFuture<'static, Result<Value, Refusal>> {
        Box::pin(std::future::ready(Ok(Value::Null)))
    }
}

fn shard_of(directory: Watch, inbox: Inbox, registry: Recipient<Tell>, metrics: Arc<Metrics>) -> Rc<ShardState> {
    let mut settings = settings().realtime;
    let most = u32::try_from(SESSIONS).unwrap_or(u32::MAX);
    settings.sessions_per_address = most;
    settings.sessions_per_user = most;
    settings.sessions_per_account = most;
    // Nobody answers heartbeats here.
    settings.heartbeat = Duration::from_hours(24);
    let auth = Authenticator::new(Options {
        directory: directory.clone(),
        revocations: Arc::new(Nowhere),
        tokens: OwnTokens::hs256(&[7; 32]),
        token_ttl: Duration::from_hours(1),
        jwks_ttl: Duration::from_hours(1),
        login_attempts: 1,
        origins: Origins::default(),
        anonymous: None,
    });
    let (auth, limits) = (auth.expect("an HTTP client"), SessionLimits::new(&settings));
    let (presence, actions) = (Presence::new(settings.presence_users), Arc::new(Idle));
    ShardState::new(ShardParts { settings, auth, limits, directory, inbox, presence, actions, registry, metrics })
}

/// Sessions in the account's room, by the clients' ends of their sockets.
fn connected(shard: &Rc<ShardState>, account: AccountId) -> Vec<TcpStream> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let principal = Principal {
        subject: Subject::User(UserId::generate()),
        name: "Mo Manager".to_owned(),
        agency: AgencyId::generate(),
        grants: Arc::new(HashMap::from([(account, Role::Manager)])),
        expires_at: None,
        jti: None,
        proof: Proof::Key,
    };
    let connect = |_| {
        let client = TcpStream::connect(address).expect("a connection");
        let (socket, peer) = listener.accept().expect("a connection");
        client.set_nonblocking(true).and_then(|()| socket.set_nonblocking(true)).expect("sockets that don't block");
        let socket = tokio::net::TcpStream::from_std(socket).expect("a runtime");
        let limit = usize::try_from(shard.settings.max_waiting.as_u64()).unwrap_or(usize::MAX);
        let seat = shard.limits.admit_address(peer.ip()).expect("a seat");
        let key = shard.enter(Wire::new(socket, Encoding::Native, limit), seat);
        shard.identify(key, principal.clone()).expect("a seat");
        let (room, types) = (RoomName::One(Room::Account(account)), rooms::ANY_TYPE);
        let asked = Subscribe { name: String::new(), room, types, since: None, reference: None };
        shard.subscribe(key, asked).expect("a member");
        client
    };
    (0..SESSIONS).map(connect).collect()
}

/// Reads all there is; whether there was anything.
fn has_read(client: &mut TcpStream) -> bool {
    let (mut buffer, mut all) = ([0; 4096], 0);
    loop {
        match client.read(&mut buffer) {
            Ok(0) => return false,
            Ok(read) => all += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return all > 0,
            Err(error) => panic!("a session's socket: {error}"),
        }
    }
}

/// Nobody signs out here.
struct Nowhere;

impl Revocations for Nowhere {
    fn revoke<'a>(&'a self, _: &'a str, _: Timestamp, _: Leaving) -> BoxFuture<'a, Result<(), AuthError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
