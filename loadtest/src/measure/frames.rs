//! WebSocket frames: as many as come, with as little work as it takes to count them.

/// Puts together what comes from one socket. It holds bytes only while a frame is incomplete.
#[derive(Default)]
pub(super) struct Scanner {
    pending: Vec<u8>,
}

/// A frame of the server's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub opcode: u8,
    pub payload: &'a [u8],
}

pub(super) const TEXT: u8 = 1;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
const PONG: u8 = 10;

impl Scanner {
    /// Takes what was read and hands out each whole frame.
    pub(super) fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(Frame<'_>)) {
        if self.pending.is_empty() {
            let used = scan(bytes, &mut each);
            self.pending.extend_from_slice(&bytes[used..]);
        } else {
            self.pending.extend_from_slice(bytes);
            let used = scan(&self.pending, &mut each);
            self.pending.drain(..used);
        }
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
    }
}

/// Hands out the whole frames at the beginning; how many bytes they are.
fn scan(bytes: &[u8], each: &mut impl FnMut(Frame<'_>)) -> usize {
    let mut used = 0;
    while let Some((opcode, start, end)) = header(&bytes[used..]) {
        let Some(payload) = bytes.get(used + start..used + end) else { break };
        each(Frame { opcode, payload });
        used += end;
    }
    used
}

/// Opcode, and where the payload begins and ends; none while the header is incomplete. Servers don't mask.
fn header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let opcode = bytes.first()? & 0x0f;
    let (start, length) = match bytes.get(1)? & 0x7f {
        126 => (4, u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
        short => (2, u64::from(short)),
    };
    Some((opcode, start, start + usize::try_from(length).ok()?))
}

/// A text frame of a server's.
pub(super) fn text(payload: &str) -> Vec<u8> {
    frame(TEXT, payload.as_bytes(), None)
}

/// A text frame of a client's. The mask is zero, which the protocol allows and which leaves the payload as it is.
pub(super) fn client_text(payload: &str) -> Vec<u8> {
    frame(TEXT, payload.as_bytes(), Some([0; 4]))
}

/// A client's answer to a ping.
pub(super) fn pong(payload: &[u8]) -> Vec<u8> {
    frame(PONG, payload, Some([0; 4]))
}

fn frame(opcode: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    // The highest bit of the length says that there is a mask.
    let masked = if mask.is_some() { 128 } else { 0 };
    let mut frame = vec![0x80 | opcode];
    if let Ok(short @ 0..126) = u8::try_from(payload.len()) {
        frame.push(masked + short);
    } else if let Ok(length) = u16::try_from(payload.len()) {
        frame.push(masked + 126);
        frame.extend(length.to_be_bytes());
    } else {
        frame.push(masked + 127);
        frame.extend((payload.len() as u64).to_be_bytes());
    }
    frame.extend(mask.iter().flatten());
    frame.extend(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(scanner: &mut Scanner, bytes: &[u8]) -> Vec<(u8, usize)> {
        let mut seen = Vec::new();
        scanner.feed(bytes, |frame| seen.push((frame.opcode, frame.payload.len())));
        seen
    }

    #[test]
    fn frames_of_all_lengths_are_seen_however_they_are_cut() {
        let lengths = [0, 5, 125, 126, 300, 65_535, 65_536, 70_000];
        let stream: Vec<u8> = lengths.iter().flat_map(|&length| text(&"x".repeat(length))).collect();
        let expected: Vec<_> = lengths.iter().map(|&length| (TEXT, length)).collect();
        for piece in [1, 2, 3, 7, 1000, 65_536, stream.len()] {
            let mut scanner = Scanner::default();
            let seen: Vec<_> = stream.chunks(piece).flat_map(|bytes| count(&mut scanner, bytes)).collect();
            assert_eq!(seen, expected, "in pieces of {piece}");
            assert_eq!(scanner.pending.capacity(), 0, "nothing is held when nothing is incomplete");
        }
    }

    #[test]
    fn several_frames_of_one_read_are_handed_out_in_order() {
        let mut bytes = text("one");
        bytes.extend([0x80 | PING, 2, b'h', b'i']);
        bytes.extend(text("two"));
        let mut seen = Vec::new();
        Scanner::default().feed(&bytes, |frame| seen.push((frame.opcode, frame.payload.to_vec())));
        assert_eq!(seen, [(TEXT, b"one".to_vec()), (PING, b"hi".to_vec()), (TEXT, b"two".to_vec())]);
    }

    #[test]
    fn a_client_masks_with_zero() {
        assert_eq!(client_text("hi"), [0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
        assert_eq!(pong(b"x"), [0x8a, 0x81, 0, 0, 0, 0, b'x']);
    }
}
