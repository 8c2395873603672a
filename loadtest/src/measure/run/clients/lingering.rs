//! Clients that stay and read too little: slowly, or not at all. When the hub has cut one, it comes back.

use std::{fs, rc::Rc, time::Duration};

use super::{
    Ring,
    raw::{Piece, Raw},
    tally::{Ending, Kind},
};

/// A slow one reads so many bytes in each turn.
const MOUTHFUL: usize = 1024;
const TURN: Duration = Duration::from_millis(250);
/// A stalled one looks this often whether it was cut.
const LOOK: Duration = Duration::from_millis(50);
/// Between two attempts to come back.
const AGAIN: Duration = Duration::from_millis(200);

/// The most bytes that the kernels of both sides hold for a connection whose client reads nothing.
pub(super) fn in_the_kernel() -> u64 {
    let sending = fs::read_to_string("/proc/sys/net/ipv4/tcp_wmem").unwrap_or_default();
    let most = sending.split_whitespace().nth(2).and_then(|most| most.parse().ok());
    most.unwrap_or(4 << 20) + (64 << 10)
}

impl Ring {
    /// A session of the first account's user that has subscribed.
    async fn session(&self) -> Result<Raw, Ending> {
        let mut raw = Raw::connect(self.address, true).await?;
        raw.upgrade(&format!("Authorization: Bearer {}\r\n", self.token)).await?;
        raw.subscribe(&self.room(), |text| self.judge(text, true)).await?;
        Ok(raw)
    }
}

/// Reads a few KiB a second, for as long as it is polled.
pub(super) async fn slow(ring: Rc<Ring>) {
    loop {
        let ending = match ring.session().await {
            Ok(mut raw) => {
                ring.tally.borrow_mut().slow += 1;
                let ending = sip(&ring, &mut raw).await;
                ring.tally.borrow_mut().slow -= 1;
                ending
            }
            Err(ending) => ending,
        };
        ring.tally.borrow_mut().ended(Kind::Slow, ending);
        tokio::time::sleep(AGAIN).await;
    }
}

async fn sip(ring: &Ring, raw: &mut Raw) -> Ending {
    loop {
        while let Some(piece) = raw.take() {
            match piece {
                Piece::Text(text) => ring.judge(&text, true),
                Piece::Close(code) => return Ending::Closed(code),
                Piece::Ping(_) | Piece::Other => {}
            }
        }
        if !raw.more(MOUTHFUL).await {
            return Ending::Cut;
        }
        tokio::time::sleep(TURN).await;
    }
}

/// Subscribes and reads nothing more.
pub(super) async fn stalled(ring: Rc<Ring>, number: usize) {
    loop {
        match ring.session().await {
            Ok(raw) => {
                ring.tally.borrow_mut().stalled(number, ring.passed());
                let restarts = ring.restarts();
                // Not by reading: what the kernel holds stays there. Nor does the kernel tell who doesn't read of a hub
                // that is gone.
                while matches!(raw.io.take_error(), Ok(None)) && ring.restarts() == restarts {
                    tokio::time::sleep(LOOK).await;
                }
                ring.tally.borrow_mut().cut(number, ring.passed());
            }
            Err(ending) => ring.tally.borrow_mut().ended(Kind::Stalled, ending),
        }
        tokio::time::sleep(AGAIN).await;
    }
}
