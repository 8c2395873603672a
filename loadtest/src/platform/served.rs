//! A server on a thread with an actix system of its own, so that it runs beside any other runtime.

use std::{
    io,
    net::SocketAddr,
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use actix_web::{App, HttpServer, dev::ServerHandle, web::ServiceConfig};

/// A running server. It stops when it is dropped.
pub(super) struct Served {
    /// One at least.
    addresses: Vec<SocketAddr>,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// Starts it; when this returns, it answers. `beside` is called on its thread and may spawn what runs as long.
    pub(super) fn start(
        bind: SocketAddr,
        workers: usize,
        routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
        beside: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        Self::start_at(vec![bind], workers, routes, beside)
    }

    /// Starts it at several addresses.
    pub(super) fn start_at(
        bind: Vec<SocketAddr>,
        workers: usize,
        routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
        beside: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let (started, wait) = mpsc::channel();
        let serve = move || serve(&bind, workers, routes, beside, &started);
        let thread = thread::Builder::new().name("simulator".to_owned()).spawn(serve)?;
        let (addresses, handle) =
            wait.recv().map_err(|_| io::Error::other("the simulator's thread ended at once"))??;
        Ok(Self { addresses, handle, thread: Some(thread) })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// The same, where it listens at several.
    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// `http://127.0.0.1:<port>`
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // The command is sent by the call itself; the future only waits, and so does the join.
            drop(self.handle.stop(false));
            let _ = thread.join();
        }
    }
}

type Started = io::Result<(Vec<SocketAddr>, ServerHandle)>;

fn serve(
    bind: &[SocketAddr],
    workers: usize,
    routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    beside: impl FnOnce(),
    started: &mpsc::Sender<Started>,
) {
    actix_web::rt::System::new().block_on(async move {
        let server = HttpServer::new(move || App::new().configure(routes.clone()))
            .workers(workers)
            .keep_alive(Duration::from_mins(1))
            .shutdown_timeout(0)
            .disable_signals()
            .bind(bind);
        let server = match server {
            Ok(server) => server,
            Err(error) => return drop(started.send(Err(error))),
        };
        beside();
        let addresses = server.addrs();
        let running = server.run();
        if started.send(Ok((addresses, running.handle()))).is_ok()
            && let Err(error) = running.await
        {
            tracing::error!(%error, "the simulator's server ended");
        }
    });
}
