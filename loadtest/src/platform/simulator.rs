//! The simulator's server: a thread with an actix system of its own, so that it runs beside any other runtime.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use actix_web::{App, HttpServer, dev::ServerHandle};

use super::{
    graph,
    page::Page,
    state::{Shared, State},
};

/// How the simulator runs.
#[derive(Debug, Clone)]
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
    address: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Simulator {
    /// Starts it; when this returns, it answers.
    ///
    /// # Errors
    /// If the address can't be listened on, or the thread can't be started.
    pub fn start(settings: Settings) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(settings.latency));
        let (started, wait) = mpsc::channel();
        let state = Arc::clone(&shared);
        let thread =
            thread::Builder::new().name("simulator".to_owned()).spawn(move || serve(&state, &settings, &started))?;
        let (address, handle) = wait.recv().map_err(|_| io::Error::other("the simulator's thread ended at once"))??;
        Ok(Self { shared, address, handle, thread: Some(thread) })
    }

    /// What to set as the Graph API's URL: `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
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
    pub fn stop(mut self) {
        self.shut_down();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.lock()
    }

    fn shut_down(&mut self) {
        if let Some(thread) = self.thread.take() {
            // The command is sent by the call itself; the future only waits, and so does the join.
            drop(self.handle.stop(false));
            let _ = thread.join();
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.shut_down();
    }
}

type Started = io::Result<(SocketAddr, ServerHandle)>;

fn serve(shared: &Arc<Shared>, settings: &Settings, started: &mpsc::Sender<Started>) {
    let (data, bind, workers) = (graph::data(shared), settings.bind, settings.workers);
    actix_web::rt::System::new().block_on(async move {
        let app = move || App::new().app_data(data.clone()).configure(graph::routes);
        let server = HttpServer::new(app)
            .workers(workers)
            .keep_alive(Duration::from_mins(1))
            .shutdown_timeout(0)
            .disable_signals()
            .bind(bind);
        let server = match server {
            Ok(server) => server,
            Err(error) => return drop(started.send(Err(error))),
        };
        let address = server.addrs().first().copied().unwrap_or(bind);
        let running = server.run();
        if started.send(Ok((address, running.handle()))).is_ok()
            && let Err(error) = running.await
        {
            tracing::error!(%error, "the simulator's server ended");
        }
    });
}
