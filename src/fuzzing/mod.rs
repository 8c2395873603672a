//! What must hold of whatever strangers send, as functions that take any bytes and panic when it does not hold.
//!
//! `fuzz/` hands them to libFuzzer; the tests run each over its corpus and over mutations of that, the same every time.
//! Compiled for tests and with the feature `fuzzing` only.

use crate::{
    auth, domain, http,
    inbound::providers,
    prospecting,
    realtime::{session, transports::socket_io},
};

#[cfg(test)]
mod mutate;
#[cfg(test)]
mod tests;

/// What is to hold of some bytes: it panics if it does not.
pub type Target = fn(&[u8]);

/// Every target: its name, which its corpus and its fuzzer have as well, and what is to hold.
pub const TARGETS: &[(&str, Target)] = &[
    ("signature", providers::fuzz::signature),
    ("meta", providers::fuzz::meta),
    ("unipile", providers::fuzz::unipile),
    ("prospecting", providers::fuzz::prospecting),
    ("tokens", auth::fuzz::tokens),
    ("heads", http::fuzz::heads),
    ("frames", session::fuzz::frames),
    ("websocket", session::fuzz::websocket),
    ("socket_io", socket_io::fuzz::packets),
    ("engine_io", socket_io::fuzz::requests),
    ("positions", domain::fuzz::positions),
    ("websites", prospecting::fuzz::websites),
];

/// Runs a target.
///
/// # Panics
/// If there is none of this name, or what it asserts does not hold.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    let (_, target) = target.unwrap_or_else(|| panic!("there is no target `{name}`"));
    target(data);
}
