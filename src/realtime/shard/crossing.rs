//! Whatever users subscribe, gain and lose: no session sees an envelope of a room that is not its user's at that moment,
//! and each sees those that it subscribed and may see, once.

use std::collections::{BTreeSet, HashMap};

use proptest::{collection::vec, prelude::*};
use tokio::sync::watch;

use super::{
    deaf::{Deaf, Nowhere},
    *,
};
use crate::{
    auth::{Options, Origins, OwnTokens, Proof, Subject, grants_of},
    domain::{
        AccountId, AgencyId, ChatId, EventId, LeadId, Role, SourceId, UserId,
        directory::{Account, Directory, User},
        envelope::{Body, Envelope, LeadUpdated, SourceHealth, SourceState},
        message::MessageChange,
    },
    inbox::LogEntry,
    realtime::{
        encode::Encoding,
        rooms::{ANY_TYPE, type_bit},
    },
};

/// Two agencies with as many accounts each; users 0 and 1 belong to the first, 2 and 3 to the second.
const ACCOUNTS: usize = 4;
const USERS: usize = 4;
const ROLES: [Role; 4] = [Role::Viewer, Role::Agent, Role::Manager, Role::Owner];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Dashboard,
    AllOperators,
    Account(usize),
    Operators(usize),
    Chat(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Lead,
    Health,
    Message,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Enter {
        user: usize,
    },
    Leave {
        session: usize,
    },
    Subscribe {
        session: usize,
        target: Target,
    },
    Unsubscribe {
        session: usize,
        target: Target,
    },
    /// A membership changes; also in accounts of the other agency, which must count for nothing.
    Grant {
        user: usize,
        account: usize,
        role: Option<Role>,
    },
    Disable {
        user: usize,
        disabled: bool,
    },
    Publish {
        account: usize,
        what: What,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (user, account, session) = (0..USERS, 0..ACCOUNTS, 0..8_usize);
    let target = prop_oneof![
        Just(Target::Dashboard),
        Just(Target::AllOperators),
        account.clone().prop_map(Target::Account),
        account.clone().prop_map(Target::Operators),
        account.clone().prop_map(Target::Chat)
    ];
    let role = prop::option::of(prop::sample::select(&ROLES[..]));
    prop_oneof![
        2 => user.clone().prop_map(|user| Step::Enter { user }),
        1 => session.clone().prop_map(|session| Step::Leave { session }),
        5 => (session.clone(), target.clone()).prop_map(|(session, target)| Step::Subscribe { session, target }),
        1 => (session, target).prop_map(|(session, target)| Step::Unsubscribe { session, target }),
        3 => (user.clone(), account.clone(), role)
            .prop_map(|(user, account, role)| Step::Grant { user, account, role }),
        1 => (user, any::<bool>()).prop_map(|(user, disabled)| Step::Disable { user, disabled }),
        6 => (account, prop::sample::select(&[What::Lead, What::Health, What::Message][..]))
            .prop_map(|(account, what)| Step::Publish { account, what }),
    ]
}

/// A session and what the rules say that it asked for.
struct Watcher {
    key: usize,
    user: usize,
    wire: Rc<Wire>,
    asked: BTreeSet<Target>,
}

/// A shard with users and accounts of two agencies, and no socket.
pub(super) struct World {
    pub(super) state: Rc<ShardState>,
    users: Vec<User>,
    accounts: Vec<Account>,
    newest: watch::Sender<Option<Arc<Directory>>>,
    watchers: Vec<Watcher>,
    published: u64,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(&folder.path().join("inbox.sqlite3"), 16).unwrap();
        let agencies = [AgencyId::generate(), AgencyId::generate()];
        let account = |place| Account { id: AccountId::generate(), agency: agencies[place / 2], name: String::new() };
        let user = |place: usize| User {
            id: UserId::generate(),
            agency: agencies[place / 2],
            email: format!("{place}@example.com"),
            name: String::new(),
            password_hash: "".into(),
            disabled: false,
            token_epoch: 0,
            memberships: HashMap::new(),
        };
        let (newest, directory) = watch::channel(None);
        let settings = crate::config::Settings::parse("").unwrap().realtime;
        let auth = Authenticator::new(Options {
            directory: directory.clone(),
            revocations: Arc::new(Nowhere),
            tokens: OwnTokens::hs256(&[7; 32]),
            token_ttl: Duration::from_mins(1),
            jwks_ttl: Duration::from_mins(1),
            login_attempts: 1,
            origins: Origins::default(),
            anonymous: None,
        });
        let state = ShardState::new(ShardParts {
            limits: SessionLimits::new(&settings),
            presence: Presence::new(settings.presence_users),
            settings,
            auth: auth.unwrap(),
            directory,
            inbox,
            actions: Arc::new(crate::realtime::actions::Idle),
            registry: Deaf.start().recipient(),
            metrics: Arc::new(Metrics::new()),
        });
        let (users, accounts) = ((0..USERS).map(user).collect(), (0..ACCOUNTS).map(account).collect());
        let world = Self { state, users, accounts, newest, watchers: Vec::new(), published: 0, _folder: folder };
        world.renew();
        world
    }

    /// With one session of a user who may see the first account.
    pub(super) fn with_a_member() -> Self {
        let mut world = Self::new();
        world.take(Step::Grant { user: 0, account: 0, role: Some(Role::Owner) });
        world.enter(0);
        world
    }

    /// The key of the first session.
    pub(super) fn key(&self) -> usize {
        self.watchers[0].key
    }

    /// The next envelope of the first account.
    pub(super) fn encoded(&mut self) -> Deliver {
        let body = Body::LeadUpdated(LeadUpdated::deleted(LeadId::generate()));
        self.envelope(0, body)
    }

    /// Puts an envelope into the log.
    pub(super) async fn log(&self, delivery: &Deliver) {
        let entry = LogEntry {
            account: delivery.room.account(),
            room: delivery.room,
            position: delivery.position,
            at: clock::now(),
            is_late: false,
            envelope: delivery.envelope.json(),
        };
        self.state.inbox.publish(entry, None).1.await.unwrap();
    }

    /// The positions of the envelopes that the first session was told since it was looked at last.
    pub(super) fn told(&self) -> Vec<Position> {
        #[derive(serde::Deserialize)]
        struct Told {
            #[serde(rename = "payload")]
            _payload: serde::de::IgnoredAny,
            position: Position,
        }
        let frames = std::iter::from_fn(|| self.watchers[0].wire.pull());
        let envelope = |frame: Bytes| {
            let json = &frame[frame.iter().position(|&byte| byte == b'{')?..];
            let Told { position, .. } = serde_json::from_slice(json).ok()?;
            Some(position)
        };
        frames.filter_map(envelope).collect()
    }

    fn directory(&self) -> Directory {
        let users = self.users.iter().map(|user| (user.id, user.clone())).collect();
        let accounts = self.accounts.iter().map(|account| (account.id, account.clone())).collect();
        Directory { accounts, users, ..Directory::default() }.indexed()
    }

    /// A newer directory reaches the shard.
    fn renew(&self) {
        self.newest.send_replace(Some(Arc::new(self.directory())));
        self.state.keys().into_iter().for_each(|key| self.state.refresh(key));
    }

    /// What a user may do in an account by the rules, told without the code under test.
    fn role(&self, user: usize, account: usize) -> Option<Role> {
        let user = &self.users[user];
        let ours = !user.disabled && user.agency == self.accounts[account].agency;
        user.memberships.get(&self.accounts[account].id).copied().filter(|_| ours)
    }

    fn may(&self, user: usize, target: Target) -> bool {
        match target {
            Target::Dashboard | Target::AllOperators => true,
            Target::Account(account) | Target::Chat(account) => self.role(user, account).is_some(),
            Target::Operators(account) => {
                matches!(self.role(user, account), Some(Role::Manager | Role::Owner))
            }
        }
    }

    fn room(&self, target: Target) -> RoomName {
        let room = match target {
            Target::Dashboard => return RoomName::Dashboard,
            Target::AllOperators => return RoomName::Operators,
            Target::Account(account) => Room::Account(self.accounts[account].id),
            Target::Operators(account) => Room::Operators(self.accounts[account].id),
            Target::Chat(account) => Room::Chat(self.accounts[account].id, chat_of(account)),
        };
        RoomName::One(room)
    }

    fn enter(&mut self, user: usize) {
        let directory = self.directory();
        let subject = Subject::User(self.users[user].id);
        let Some(grants) = grants_of(subject, &directory) else { return };
        let wire = Wire::pulled(Encoding::Native, 1 << 20, None);
        let key = self.state.enter(Rc::clone(&wire), self.state.limits.admit_address([127, 0, 0, 1].into()).unwrap());
        let (name, agency, proof) = (String::new(), self.users[user].agency, Proof::Token { epoch: 0, issuer: None });
        let principal = Principal { subject, name, agency, grants, expires_at: None, jti: None, proof };
        assert!(self.state.identify(key, principal).is_ok());
        self.watchers.push(Watcher { key, user, wire, asked: BTreeSet::new() });
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Enter { user } => self.enter(user),
            Step::Leave { session } if session < self.watchers.len() => {
                self.state.exit(self.watchers.swap_remove(session).key);
            }
            Step::Subscribe { session, target } if session < self.watchers.len() => {
                let (key, room) = (self.watchers[session].key, self.room(target));
                let asked = Subscribe { name: String::new(), room, types: ANY_TYPE, since: None, reference: None };
                let let_in = self.state.subscribe(key, asked).is_ok();
                assert_eq!(let_in, self.may(self.watchers[session].user, target), "{target:?}");
                if let_in {
                    self.watchers[session].asked.insert(target);
                }
            }
            Step::Unsubscribe { session, target } if session < self.watchers.len() => {
                self.state.unsubscribe(self.watchers[session].key, self.room(target));
                self.watchers[session].asked.remove(&target);
            }
            Step::Grant { user, account, role } => {
                let account = self.accounts[account].id;
                match role {
                    Some(role) => self.users[user].memberships.insert(account, role),
                    None => self.users[user].memberships.remove(&account),
                };
                self.renew();
            }
            Step::Disable { user, disabled } => {
                self.users[user].disabled = disabled;
                self.renew();
            }
            Step::Publish { account, what } => self.publish(account, what),
            Step::Leave { .. } | Step::Subscribe { .. } | Step::Unsubscribe { .. } => {}
        }
        // A session that was ended asks for nothing more; its socket's end makes it leave.
        let (over, going_on) = std::mem::take(&mut self.watchers).into_iter().partition(|one| one.wire.is_over());
        self.watchers = going_on;
        Vec::<Watcher>::into_iter(over).for_each(|watcher| self.state.exit(watcher.key));
    }

    fn envelope(&mut self, account: usize, body: Body) -> Deliver {
        let (id, timestamp) = (EventId::generate(), clock::now());
        let envelope = Envelope { id, account: self.accounts[account].id, timestamp, body };
        let room = envelope.room();
        let epoch = self.state.inbox.epoch();
        let prev = Position { epoch, count: self.published };
        self.published += 1;
        let position = Position { epoch, count: self.published };
        let prev = (prev.count > 0).then_some(prev);
        let encoded = Arc::new(encode::envelope(&envelope, position, prev).unwrap());
        Deliver {
            room,
            chat: envelope.chat(),
            types: type_bit(envelope.body.type_name()),
            position,
            prev,
            envelope: encoded,
        }
    }

    fn message_change(&self, account: usize) -> MessageChange {
        let Account { id, agency, .. } = &self.accounts[account];
        serde_json::from_value(serde_json::json!({
            "change": "deleted", "id": null, "agency_id": agency, "account_id": id, "source_id": SourceId::generate(),
            "chat_id": chat_of(account), "timestamp": "2026-11-22T12:00:00.000Z",
        }))
        .unwrap()
    }

    fn publish(&mut self, account: usize, what: What) {
        let (source, state) = (SourceId::generate(), SourceState::Healthy);
        let body = match what {
            What::Lead => Body::LeadUpdated(LeadUpdated::deleted(LeadId::generate())),
            What::Health => Body::SourceHealth(SourceHealth { source, state, reason: String::new() }),
            What::Message => Body::MessageChanged(Box::new(self.message_change(account))),
        };
        let delivery = self.envelope(account, body);
        for watcher in &self.watchers {
            while watcher.wire.pull().is_some() {}
        }
        self.state.deliver(std::slice::from_ref(&delivery));
        let named = if what == What::Health { Target::Operators(account) } else { Target::Account(account) };
        let others = match what {
            What::Health => &[Target::AllOperators][..],
            What::Lead => &[Target::Dashboard],
            What::Message => &[Target::Dashboard, Target::Chat(account)],
        };
        for watcher in &self.watchers {
            let wants = watcher.asked.contains(&named) || others.iter().any(|one| watcher.asked.contains(one));
            let expected = usize::from(wants && self.may(watcher.user, named));
            let mut got = 0;
            while let Some(frame) = watcher.wire.pull() {
                assert_eq!(&frame, delivery.envelope.frame(Encoding::Native));
                got += 1;
            }
            assert_eq!(got, expected, "{named:?} to user {} who asked for {:?}", watcher.user, watcher.asked);
        }
    }
}

fn chat_of(account: usize) -> ChatId {
    ChatId::derive(&[&account.to_be_bytes()])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_envelope_crosses_accounts_whatever_users_ask_gain_and_lose(steps in vec(step(), 1..120)) {
        actix_rt::System::new().block_on(async {
            let mut world = World::new();
            for step in steps {
                world.take(step);
            }
        });
    }
}
