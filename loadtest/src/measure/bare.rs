//! The baselines, each a process of its own: the least that anything doing the hub's work must do.

use std::{
    io::{self, BufRead, ErrorKind, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use anyhow::{Context, Result, bail};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use super::{frames, sessions};
use crate::hub::APP_SECRET;

/// A bare actix-web endpoint: reads the body, verifies its signature, parses it and answers 200. Nothing is kept.
///
/// # Errors
/// If it can't listen.
pub fn endpoint(workers: usize) -> Result<()> {
    actix_web::rt::System::new().block_on(async {
        let app = || App::new().route("/webhook", web::post().to(receive));
        let server = HttpServer::new(app).workers(workers).bind((Ipv4Addr::LOCALHOST, 0))?;
        announce(server.addrs().first().copied().context("no address")?)?;
        Ok(server.run().await?)
    })
}

fn announce(address: SocketAddr) -> io::Result<()> {
    println!("listening {address}");
    io::stdout().flush()
}

async fn receive(request: HttpRequest, body: web::Bytes) -> HttpResponse {
    if !is_authentic(&request, &body) {
        return HttpResponse::Unauthorized().finish();
    }
    match serde_json::from_slice::<Value>(&body) {
        Ok(_) => HttpResponse::Ok().body("EVENT_RECEIVED"),
        Err(_) => HttpResponse::BadRequest().finish(),
    }
}

fn is_authentic(request: &HttpRequest, body: &[u8]) -> bool {
    let signature = request.headers().get("x-hub-signature-256").and_then(|value| value.to_str().ok());
    let signature = signature.and_then(|text| hex::decode(text.strip_prefix("sha256=")?).ok());
    let (Some(signature), Ok(mac)) = (signature, Hmac::<Sha256>::new_from_slice(APP_SECRET.as_bytes())) else {
        return false;
    };
    mac.chain_update(body).verify_slice(&signature).is_ok()
}

/// A bare loop: accepts `sessions` sockets and then, for each line `<number>` on stdin, does one non-blocking `send(2)` of
/// a frame of `bytes` to each of them, and says `sent`.
///
/// # Errors
/// If a socket can't be had, or takes less than a whole frame.
pub fn sender(sessions: usize, bytes: usize) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    announce(listener.local_addr()?)?;
    let mut sockets = Vec::with_capacity(sessions);
    while sockets.len() < sessions {
        let (socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        sockets.push(socket);
    }
    println!("accepted");
    for line in io::stdin().lock().lines() {
        let number: u64 = line?.trim().parse().context("a line is the number of an envelope")?;
        let frame = frames::text(&sessions::sample(number, bytes));
        sockets.iter().try_for_each(|socket| send(socket, &frame))?;
        println!("sent {number}");
    }
    Ok(())
}

fn send(mut socket: &TcpStream, frame: &[u8]) -> Result<()> {
    match socket.write(frame) {
        Ok(sent) if sent == frame.len() => Ok(()),
        Ok(_) => bail!("a socket took only a part of a frame"),
        Err(error) if error.kind() == ErrorKind::WouldBlock => bail!("a socket is full: the gap is too short"),
        Err(error) => Err(error.into()),
    }
}
