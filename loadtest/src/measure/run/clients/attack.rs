//! Clients that send what no client should, and ask for what is not theirs: with the first account's login and without.

use std::{rc::Rc, time::Duration};

use tokio::time::timeout;

use super::{
    Ring,
    raw::{Piece, Raw, TEXT, frame, head},
    tally::{Ending, Kind},
};

/// How long the hub may take to end what it must not bear: it gives five seconds to a head, and to a login.
const ENDED_WITHIN: Duration = Duration::from_secs(15);
/// How long one stays and listens that the hub may let stay.
const LISTENS: Duration = Duration::from_secs(2);
/// Between two attacks of one client.
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attack {
    /// Bytes that are no HTTP.
    Noise,
    /// A head of a MiB.
    LongHead,
    /// A token that nobody issued, or that was changed.
    BadToken,
    /// The same in the first frame.
    BadTokenInFrame,
    /// Frames of bytes by chance.
    Garbage,
    Unmasked,
    /// A frame of 2^62 bytes, and as many of them as the hub takes.
    HugeLength,
    NotUtf8,
    /// Thousands of frames at once.
    Flood,
    /// The rooms of the other accounts.
    ForeignRooms,
}

const ATTACKS: [Attack; 10] = [
    Attack::ForeignRooms,
    Attack::Garbage,
    Attack::Unmasked,
    Attack::HugeLength,
    Attack::NotUtf8,
    Attack::Flood,
    Attack::BadToken,
    Attack::BadTokenInFrame,
    Attack::LongHead,
    Attack::Noise,
];

impl Attack {
    const fn name(self) -> &'static str {
        match self {
            Self::Noise => "bytes that are no HTTP",
            Self::LongHead => "a head of a MiB",
            Self::BadToken => "a bad token",
            Self::BadTokenInFrame => "a bad token in the first frame",
            Self::Garbage => "garbage for frames",
            Self::Unmasked => "a frame without a mask",
            Self::HugeLength => "a frame that announces 2^62 bytes",
            Self::NotUtf8 => "a text that is not UTF-8",
            Self::Flood => "a flood of frames",
            Self::ForeignRooms => "the rooms of other accounts",
        }
    }

    /// Whether it comes before there is a WebSocket.
    const fn is_raw(self) -> bool {
        matches!(self, Self::Noise | Self::LongHead)
    }

    /// Whether it comes with a login, when it is the turn of one with a login.
    const fn may_sign_in(self) -> bool {
        !self.is_raw() && !matches!(self, Self::BadToken | Self::BadTokenInFrame)
    }

    /// What it sends once it is connected.
    fn bytes(self, random: &mut fastrand::Rng, token: &str, others: &[String]) -> Vec<u8> {
        let mut noise = |length| std::iter::repeat_with(|| random.u8(..)).take(length).collect::<Vec<u8>>();
        match self {
            Self::Noise => noise(4096),
            Self::LongHead => format!("GET /ws HTTP/1.1\r\nHost: hub\r\nX-Long: {}", "x".repeat(1 << 20)).into_bytes(),
            Self::BadToken => Vec::new(),
            Self::BadTokenInFrame => text(&format!(r#"{{"type":"auth","token":"{}"}}"#, forged(token))),
            // With a reserved bit, so that none of it is a frame by chance.
            Self::Garbage => [vec![TEXT | 0x40], noise(4096)].concat(),
            Self::Unmasked => [&[TEXT, 2][..], b"{}"].concat(),
            Self::HugeLength => [head(TEXT, 1 << 62), noise(1 << 20)].concat(),
            Self::NotUtf8 => frame(TEXT, b"{\"type\":\"\xff\xfe\"}"),
            Self::Flood => text(r#"{"type":"ack"}"#).repeat(5000),
            Self::ForeignRooms => {
                let rooms = others
                    .iter()
                    .take(5)
                    .flat_map(|other| ["account", "user", "chat", "campaign"].map(|kind| format!("{kind}:{other}")));
                rooms.flat_map(|room| text(&format!(r#"{{"type":"subscribe","ref":"x","room":"{room}"}}"#))).collect()
            }
        }
    }
}

fn text(text: &str) -> Vec<u8> {
    frame(TEXT, text.as_bytes())
}

/// A good token with its last character but one changed: of the last, some bits count for nothing.
fn forged(token: &str) -> String {
    let mut forged = token.to_owned().into_bytes();
    if let [.., byte, _] = forged.as_mut_slice() {
        *byte = if *byte == b'A' { b'B' } else { b'A' };
    }
    String::from_utf8_lossy(&forged).into_owned()
}

/// Attacks in turns for as long as it is polled; every second time round with a login.
pub(super) async fn attack(ring: Rc<Ring>, number: usize) {
    let mut random = fastrand::Rng::with_seed(number as u64);
    for turn in number.. {
        let attack = ATTACKS[turn % ATTACKS.len()];
        let signed_in = attack.may_sign_in() && (turn / ATTACKS.len()).is_multiple_of(2);
        let ending = strike(&ring, attack, signed_in, &mut random).await.unwrap_or_else(|ending| ending);
        ring.tally.borrow_mut().ended(Kind::Malicious, ending);
        // Who is somebody may ask for what is not theirs: they get no for an answer.
        if ending == Ending::Open && !(signed_in && attack == Attack::ForeignRooms) {
            ring.tally.borrow_mut().let_be(attack.name());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn strike(ring: &Ring, attack: Attack, signed_in: bool, random: &mut fastrand::Rng) -> Result<Ending, Ending> {
    let mut raw = Raw::connect(ring.address, false).await?;
    if !attack.is_raw() {
        let login = match attack {
            _ if signed_in => format!("Authorization: Bearer {}\r\n", ring.token),
            Attack::BadToken => format!("Authorization: Bearer {}\r\n", forged(&ring.token)),
            _ => String::new(),
        };
        raw.upgrade(&login).await?;
    }
    let bytes = attack.bytes(random, &ring.token, &ring.others);
    // Who sends more than the hub wants to read may be cut while it does; what it was told before that counts.
    let _ = raw.write(&bytes).await;
    let patience = if signed_in && attack == Attack::ForeignRooms { LISTENS } else { ENDED_WITHIN };
    Ok(timeout(patience, listen(ring, &mut raw, attack, signed_in)).await.unwrap_or(Ending::Open))
}

/// Reads and judges whatever comes until the connection has ended.
async fn listen(ring: &Ring, raw: &mut Raw, attack: Attack, signed_in: bool) -> Ending {
    if attack.is_raw() {
        while raw.more(4096).await {}
        return raw.status().map_or(Ending::Cut, Ending::Refused);
    }
    loop {
        match raw.next().await {
            Ok(Piece::Text(text)) => ring.judge(&text, signed_in),
            Ok(Piece::Close(code)) => return Ending::Closed(code),
            Ok(Piece::Ping(_) | Piece::Other) => {}
            Err(ending) => return ending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forged_token_differs_from_the_good_one_and_is_as_long() {
        for token in ["abc.def.ghi", "abc.def.ghAi", "x", ""] {
            assert_eq!((forged(token) == token, forged(token).len()), (token.len() < 2, token.len()));
        }
    }

    #[test]
    fn every_attack_is_in_turn_and_asks_for_the_others_rooms_only() {
        let mut random = fastrand::Rng::with_seed(1);
        for attack in ATTACKS {
            let bytes = attack.bytes(&mut random, "a.b.c", &["acc_2".to_owned()]);
            assert_eq!(bytes.is_empty(), attack == Attack::BadToken, "{attack:?}");
            assert_eq!(ATTACKS.iter().filter(|other| **other == attack).count(), 1, "{attack:?}");
        }
        let asked = Attack::ForeignRooms.bytes(&mut random, "", &["acc_2".to_owned()]);
        assert!(asked.starts_with(&text(r#"{"type":"subscribe","ref":"x","room":"account:acc_2"}"#)));
    }
}
