//! Meta's simulator as tests and measurements hold it.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use actix_web::web::ServiceConfig;

use super::{
    graph,
    page::Page,
    served::Served,
    state::{Shared, State},
};

/// How the simulator runs.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Where it listens; with port 0, the default, on a free port of the loopback address.
    pub bind: SocketAddr,
    /// Worker threads.
    pub workers: usize,
    /// How long a call takes at first, unless a [`Behaviour`](super::Behaviour) says otherwise;
    /// [`Simulator::set_latency`] changes it.
    pub latency: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { bind: (Ipv4Addr::LOCALHOST, 0).into(), workers: 1, latency: Duration::ZERO }
    }
}

/// A running simulator of Meta's Graph API. It stops when it is dropped.
pub struct Simulator {
    shared: Arc<Shared>,
    served: Served,
}

impl Simulator {
    /// Starts it; when this returns, it answers.
    ///
    /// # Errors
    /// If the address can't be listened on, or the thread can't be started.
    pub fn start(settings: Settings) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(settings.latency));
        let data = graph::data(&shared);
        let routes = move |config: &mut ServiceConfig| {
            config.app_data(data.clone());
            graph::routes(config);
        };
        let served = Served::start(settings.bind, settings.workers, routes, || {})?;
        Ok(Self { shared, served })
    }

    /// What to set as the Graph API's URL: `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        self.served.url()
    }

    /// The page with this id; made, without a token, when it is not there.
    #[must_use]
    pub fn page(&self, id: u64) -> Page {
        self.lock().page(id);
        Page { shared: Arc::clone(&self.shared), id }
    }

    /// A page with a token.
    #[must_use]
    pub fn add_page(&self, id: u64, token: &str) -> Page {
        let page = self.page(id);
        page.set_token(token);
        page
    }

    /// From now on a call takes this long unless a [`Behaviour`](super::Behaviour) says otherwise. Calls under way keep
    /// the time they began with.
    pub fn set_latency(&self, latency: Duration) {
        self.lock().latency = latency;
    }

    /// How often this object was asked for, by whomever and with whatever outcome.
    #[must_use]
    pub fn calls_for(&self, object: u64) -> u32 {
        self.lock().calls_for(object)
    }

    /// How often anything was asked for.
    #[must_use]
    pub fn calls(&self) -> u64 {
        *self.shared.watch_calls().borrow()
    }

    /// Waits until this object was asked for `calls` times; `false` if that takes longer than `patience`.
    pub async fn wait_for_calls(&self, object: u64, calls: u32, patience: Duration) -> bool {
        let mut changes = self.shared.watch_calls();
        let enough = changes.wait_for(|_| self.lock().calls_for(object) >= calls);
        tokio::time::timeout(patience, enough).await.is_ok()
    }

    /// Stops it; calls under way end without an answer.
    pub fn stop(self) {
        drop(self.served);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.lock()
    }
}
