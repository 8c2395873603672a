//! Clients that come, subscribe and go away, each time in another way.

use std::{rc::Rc, time::Duration};

use super::{
    Ring,
    raw::{CLOSE, Raw, frame, handshake},
    tally::{Ending, Kind},
};

/// How one of them goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// With a close frame.
    Politely,
    /// The connection ends.
    Silently,
    /// The connection is reset.
    Abruptly,
    /// As soon as it has asked to subscribe.
    BeforeTheAnswer,
    /// As soon as it has asked for a WebSocket.
    BeforeTheHandshake,
}

const WAYS: [Way; 5] = [Way::Politely, Way::Silently, Way::Abruptly, Way::BeforeTheAnswer, Way::BeforeTheHandshake];

/// Comes and goes for as long as it is polled.
pub(super) async fn flap(ring: Rc<Ring>, number: usize, every: Duration) {
    let mut turns = tokio::time::interval(every);
    // A turn that took too long is not made up for.
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for way in WAYS.into_iter().cycle().skip(number) {
        turns.tick().await;
        let ending = come_and_go(&ring, way).await.err().unwrap_or(Ending::Left);
        ring.tally.borrow_mut().ended(Kind::Flapping, ending);
    }
}

async fn come_and_go(ring: &Ring, way: Way) -> Result<(), Ending> {
    let login = format!("Authorization: Bearer {}\r\n", ring.token);
    let mut raw = Raw::connect(ring.address, false).await?;
    if way == Way::BeforeTheHandshake {
        return raw.write(handshake(&login).as_bytes()).await;
    }
    raw.upgrade(&login).await?;
    if way == Way::BeforeTheAnswer {
        return raw.send(&format!(r#"{{"type":"subscribe","room":"{}"}}"#, ring.room())).await;
    }
    raw.subscribe(&ring.room(), |text| ring.judge(text, true)).await?;
    match way {
        Way::Politely => raw.write(&frame(CLOSE, &1000_u16.to_be_bytes())).await?,
        Way::Abruptly => raw.io.set_zero_linger().map_err(|_| Ending::Cut)?,
        _ => {}
    }
    Ok(())
}
