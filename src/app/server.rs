//! The HTTP servers, the public one and that of whoever runs the hub: every route on one screen, and the way for upgrade
//! requests past them.

use std::{
    net::{Shutdown, SocketAddr, TcpListener},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use actix::{Actor, Recipient};
use actix_codec::Framed;
use actix_http::{Extensions, HttpService, KeepAlive, Request, h1};
use actix_rt::net::TcpStream;
use actix_server::{Server, ServerBuilder};
use actix_service::{fn_factory, fn_service, map_config};
use actix_web::{
    App,
    dev::AppConfig,
    middleware::{Compress, from_fn},
    web::{self, Data},
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::{
    Hub,
    front::{self, Front},
    probes::{self, Probed},
    requests,
};
use crate::{
    api::{self, ApiState},
    config::Settings,
    dashboard,
    http::{Connections, Pace, Proxies},
    inbound::{self, Ingester},
    realtime::{
        AddShard, Shard,
        shard::{Joined, ShardParts, ShardState},
        transports::{
            line::Line,
            socket_io::{self, Sessions, Talk},
            sse, websocket,
        },
    },
    telemetry::Metrics,
};

/// Connections that the kernel may hold until they are accepted.
const BACKLOG: i32 = 4096;
/// Platforms reuse their connections.
const IDLE: Duration = Duration::from_secs(75);

/// Binds and starts the workers.
#[expect(clippy::too_many_lines, reason = "what the public server is made of stands on one screen, in its order")]
pub(super) fn start(settings: &Settings, hub: &Hub) -> anyhow::Result<(SocketAddr, Server)> {
    let (address, listener) = bind("server.bind", settings.server.bind)?;
    let probed = Data::new(Probed::new(hub));
    let (api_state, receiver) = (Data::new(hub.api(settings)), Data::from(Arc::clone(&hub.receiver)));
    let telemetry = (api_state.clone(), probed.clone());
    let shard = shard_parts(settings, hub);
    let (registry, proxies) = (hub.registry.clone().recipient(), Proxies::new(&settings.server.trusted_proxies));
    let ingester = (hub.inbox.clone(), hub.supervisors.clone().recipient(), Arc::clone(&hub.metrics));
    let (request_timeout, pace) = (settings.server.request_timeout, Pace::configured(&settings.server));
    let talks = Sessions::<Talk>::default();
    let front = Data::new(Front::new(&settings.server));
    let door = Door::new(settings, &proxies, &hub.metrics);
    let builder = Server::build();
    let stopping = builder.graceful_shutdown_signal();
    let builder = builder
        .workers(settings.server.worker_count())
        .max_concurrent_connections(settings.server.max_connections)
        .shutdown_timeout(settings.server.shutdown_timeout.as_secs())
        .disable_signals()
        .listen("hub", listener, move || {
            let (registry, stopping, door) = (registry.clone(), stopping.clone(), door.clone());
            let state = ShardState::new(shard.clone());
            let talks = Data::new(socket_io::service(Rc::clone(&state), talks.clone(), proxies.clone(), pace));
            let socket_io = Data::clone(&talks);
            let upgrade = fn_factory(move || {
                let (registry, talks) = (registry.clone(), Data::clone(&talks));
                async move { Ok::<_, ()>(start_shard(registry, talks).await) }
            });
            let (api_state, receiver, probed) = (api_state.clone(), receiver.clone(), probed.clone());
            let (inbox, arrived, metrics) = ingester.clone();
            let app = App::new()
                .wrap(from_fn(front::guarded))
                .app_data(front.clone())
                .app_data(Data::new(Ingester::new(inbox, arrived, metrics)))
                .app_data(api_state)
                .app_data(receiver)
                .app_data(probed)
                .app_data(Data::new(state))
                .app_data(Data::new(proxies.clone()))
                .app_data(socket_io)
                .configure(inbound::configure)
                .configure(probes::configure)
                // Not compressed: an event must not wait for the next.
                .configure(sse::configure)
                .configure(socket_io::configure::<Talk>(socket_io::PATH))
                .configure(people)
                .default_service(web::to(front::not_found));
            HttpService::build()
                .keep_alive(KeepAlive::Timeout(IDLE))
                .client_request_timeout(request_timeout)
                // Zero closes at once; with a short wait connections often stay open for a second.
                .client_disconnect_timeout(Duration::ZERO)
                .tcp_nodelay(true)
                .on_connect_ext(move |io: &TcpStream, connection: &mut Extensions| door.admit(io, connection))
                // Connections without a request in flight are closed when the hub stops, instead of waited for.
                .graceful_shutdown_signal(move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                })
                .upgrade(upgrade)
                .finish(map_config(app, |()| AppConfig::default()))
                .tcp()
        })?;
    let builder = match settings.telemetry.bind.and_then(bind_telemetry) {
        Some(listener) => listen_telemetry(builder, listener, telemetry, request_timeout)?,
        None => builder,
    };
    Ok((address, builder.run()))
}

/// Serves whoever runs the hub.
fn listen_telemetry(
    builder: ServerBuilder,
    listener: TcpListener,
    (state, probed): (Data<ApiState>, Data<Probed>),
    request_timeout: Duration,
) -> std::io::Result<ServerBuilder> {
    builder.listen("telemetry", listener, move || {
        let app = App::new()
            .wrap(from_fn(front::guarded))
            .app_data(state.clone())
            .app_data(probed.clone())
            .configure(probes::configure_telemetry)
            .configure(api::configure_health)
            .default_service(web::to(front::not_found));
        HttpService::build()
            .client_request_timeout(request_timeout)
            .finish(map_config(app, |()| AppConfig::default()))
            .tcp()
    })
}

/// Lets connections in.
#[derive(Clone)]
struct Door {
    connections: Connections,
    patience: Duration,
    metrics: Arc<Metrics>,
}

impl Door {
    fn new(settings: &Settings, proxies: &Proxies, metrics: &Arc<Metrics>) -> Self {
        let connections = Connections::new(settings.server.connections_per_address, proxies.clone());
        Self { connections, patience: settings.server.write_timeout, metrics: Arc::clone(metrics) }
    }

    /// Counts a connection for its address for as long as it carries HTTP; one too many is closed at once. A client that
    /// takes nothing of its answers is cut by the kernel.
    fn admit(&self, io: &TcpStream, connection: &mut Extensions) {
        let socket = SockRef::from(io);
        // Without it the client is cut only when its connection ends.
        let _ = socket.set_tcp_user_timeout(Some(self.patience));
        if let Some(counted) = io.peer_addr().ok().and_then(|peer| self.connections.admit(peer.ip())) {
            connection.insert(counted);
        } else {
            self.metrics.refused_connections.inc();
            // What is left of it ends with the next read.
            let _ = socket.shutdown(Shutdown::Both);
        }
        Line::note(io, connection);
    }
}

/// What people and their programs ask for.
fn people(app: &mut web::ServiceConfig) {
    let scope = web::scope("").wrap(Compress::default()).wrap(from_fn(requests::measured));
    app.service(scope.configure(api::configure).configure(dashboard::configure));
}

fn bind(setting: &str, address: SocketAddr) -> anyhow::Result<(SocketAddr, TcpListener)> {
    let listener = listen(address).map_err(|error| anyhow::anyhow!("{setting} = {address}: {error}"))?;
    Ok((listener.local_addr()?, listener))
}

/// As the standard library listens, but with our backlog: its own is so short that of many who come back at once some wait for
/// seconds until they are let in.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A hub that starts again must not wait for what is left of connections of the last one.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// A hub without metrics is better than none.
fn bind_telemetry(address: SocketAddr) -> Option<TcpListener> {
    match bind("telemetry.bind", address) {
        Ok((address, listener)) => {
            tracing::info!(%address, "serving /metrics");
            Some(listener)
        }
        Err(error) => {
            tracing::error!(%error, "/metrics is not served: give this hub a telemetry.bind of its own");
            None
        }
    }
}

/// What the workers' shards are made of.
fn shard_parts(settings: &Settings, hub: &Hub) -> ShardParts {
    ShardParts {
        settings: settings.realtime.clone(),
        auth: hub.auth.clone(),
        limits: hub.limits.clone(),
        directory: hub.directory.clone(),
        inbox: hub.inbox.clone(),
        presence: hub.presence.clone(),
        actions: hub.actions(settings),
        registry: hub.registry.clone().recipient(),
        metrics: Arc::clone(&hub.metrics),
    }
}

/// Starts the shard of this thread and waits until it takes part; returns the service that takes its upgrade requests.
async fn start_shard(
    registry: Recipient<AddShard>,
    talks: Data<socket_io::Service<Talk>>,
) -> impl actix_service::Service<
    (Request, Framed<TcpStream, h1::Codec>),
    Response = (),
    Error = actix_web::Error,
    Future = impl Future<Output = Result<(), actix_web::Error>>,
> {
    // Connections are taken when this has ended. A shard that has failed ends the hub.
    let _ = Shard::new(Rc::clone(&talks.shared), registry).start().send(Joined).await;
    fn_service(move |(request, framed): (Request, _)| {
        let talks = Data::clone(&talks);
        async move {
            if request.path().trim_end_matches('/') == socket_io::PATH.trim_end_matches('/') {
                socket_io::upgrade(request, framed, talks).await
            } else {
                websocket::upgrade(request, framed, Rc::clone(&talks.shared), talks.proxies.clone()).await
            }
        }
    })
}
