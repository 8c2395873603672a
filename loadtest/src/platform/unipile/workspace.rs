//! A workspace as tests hold it.

use std::{
    io,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

use actix_web::web::ServiceConfig;
use serde_json::Value;
use tokio::sync::mpsc;

use super::{
    super::served::Served,
    deliver::{self, Post, Progress},
    routes,
    state::{State, Trouble},
};

/// Webhooks that may wait to be sent.
const QUEUE: usize = 100_000;

/// What the routes share.
pub(super) struct Shared {
    state: Mutex<State>,
    posts: mpsc::Sender<Post>,
    progress: Arc<Progress>,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happens: messages are kept, and whoever has asked for it is told.
    pub(super) fn happen(&self, body: &Value) {
        let mut state = self.lock();
        if body["event"] == "message_received" {
            state.keep(body);
        }
        for webhook in state.receivers(body) {
            self.progress.under_way.send_modify(|count| *count += 1);
            if self.posts.try_send((webhook, body.clone())).is_err() {
                self.progress.under_way.send_modify(|count| *count -= 1);
                self.progress.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// A running simulator of Unipile's API, for one workspace. It stops when it is dropped.
pub struct Workspace {
    shared: Arc<Shared>,
    served: Served,
}

impl Workspace {
    /// Starts one that this key opens.
    ///
    /// # Errors
    /// If there is no port, or no thread.
    pub fn start(key: &str) -> io::Result<Self> {
        let state = State { key: key.to_owned(), page: 250, ..State::default() };
        let (posts, receiver) = mpsc::channel(QUEUE);
        let progress = Arc::new(Progress::default());
        let shared = Arc::new(Shared { state: Mutex::new(state), posts, progress: Arc::clone(&progress) });
        let data = actix_web::web::Data::from(Arc::clone(&shared));
        let routes = move |config: &mut ServiceConfig| {
            config.app_data(data.clone());
            routes::routes(config);
        };
        let beside = move || drop(actix_web::rt::spawn(deliver::run(receiver, progress)));
        let served = Served::start((Ipv4Addr::LOCALHOST, 0).into(), 1, routes, beside)?;
        Ok(Self { shared, served })
    }

    /// What to give as the DSN: `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn dsn(&self) -> String {
        self.served.url()
    }

    /// Lists have so many things on a page at most; 250 at first.
    pub fn set_page(&self, most: usize) {
        self.shared.lock().page = most;
    }

    /// Another key opens it from now on.
    pub fn set_key(&self, key: &str) {
        key.clone_into(&mut self.shared.lock().key);
    }

    /// From now on every call goes like this; `None`: well.
    pub fn set_trouble(&self, trouble: Option<Trouble>) {
        self.shared.lock().trouble = trouble;
    }

    /// Numbers what it makes from here on, so that nothing has the id of what an earlier one made.
    pub fn count_from(&self, first: u64) {
        self.shared.lock().made = first;
    }

    /// Registers a webhook by another's hand; its id.
    #[must_use]
    pub fn register(&self, webhook: Value) -> String {
        self.shared.lock().register(webhook)
    }

    /// The registered webhooks, the oldest first.
    #[must_use]
    pub fn webhooks(&self) -> Vec<Value> {
        self.shared.lock().webhooks.clone()
    }

    /// Changes a registered webhook.
    pub fn change_webhook(&self, id: &str, change: impl FnOnce(&mut Value)) {
        if let Some(webhook) = self.shared.lock().webhooks.iter_mut().find(|webhook| webhook["id"] == id) {
            change(webhook);
        }
    }

    /// From now on lists show what is of any account, whichever is asked for.
    pub fn mix_accounts(&self) {
        self.shared.lock().mixes_accounts = true;
    }

    /// Something happens, a body of [`Connected`](super::Connected): messages are in the lists from now on, and
    /// whoever has registered for it is told.
    pub fn happen(&self, body: &Value) {
        self.shared.happen(body);
    }

    /// A message is in the lists, and nobody is told.
    pub fn keep(&self, body: &Value) {
        self.shared.lock().keep(body);
    }

    /// Changes what the lists show of a message.
    pub fn change_message(&self, id: &str, change: impl FnOnce(&mut Value)) {
        if let Some(message) = self.shared.lock().messages.iter_mut().find(|message| message["id"] == id) {
            change(message);
        }
    }

    /// Changes what the lists show of a chat.
    pub fn change_chat(&self, id: &str, change: impl FnOnce(&mut Value)) {
        if let Some(chat) = self.shared.lock().chats.get_mut(id) {
            change(chat);
        }
    }

    /// The messages in the lists.
    #[must_use]
    pub fn messages(&self) -> Vec<Value> {
        self.shared.lock().messages.clone()
    }

    /// `METHOD path?query` of the calls so far that begin like this.
    #[must_use]
    pub fn calls(&self, beginning: &str) -> Vec<String> {
        self.shared.lock().calls.iter().filter(|call| call.starts_with(beginning)).cloned().collect()
    }

    /// Webhooks that were given up after the last retry.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.shared.progress.lost.load(Ordering::Relaxed)
    }

    /// Waits until no webhook is under way; `false` if that takes longer than `patience`.
    pub async fn settle(&self, patience: Duration) -> bool {
        let mut under_way = self.shared.progress.under_way.subscribe();
        let settled = under_way.wait_for(|count| *count == 0);
        tokio::time::timeout(patience, settled).await.is_ok_and(|settled| settled.is_ok())
    }
}
