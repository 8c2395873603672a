//! Server-sent events: as many as come, with as little work as it takes to count them.

use super::frames::{CLOSE, Frame, TEXT};

/// Puts together what comes from one connection. It holds bytes only while an event is incomplete.
#[derive(Default)]
pub(super) struct Scanner {
    pending: Vec<u8>,
    /// None where the body is not in chunks.
    chunks: Option<Chunks>,
}

impl Scanner {
    pub(super) fn new(chunked: bool) -> Self {
        Self { pending: Vec::new(), chunks: chunked.then_some(Chunks::Size(0)) }
    }

    /// Takes what was read and hands out each whole event, all its lines, as a text frame, and an end as a close frame.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(Frame<'_>)) {
        let Some(mut chunks) = self.chunks.take() else { return self.take(bytes, &mut each) };
        while let Some(piece) = chunks.next(&mut bytes) {
            self.take(piece, &mut each);
        }
        if matches!(chunks, Chunks::End) {
            each(Frame { opcode: CLOSE, payload: &[] });
        }
        self.chunks = Some(chunks);
    }

    fn take(&mut self, bytes: &[u8], each: &mut impl FnMut(Frame<'_>)) {
        if self.pending.is_empty() {
            let used = scan(bytes, each);
            self.pending.extend_from_slice(&bytes[used..]);
        } else {
            self.pending.extend_from_slice(bytes);
            let used = scan(&self.pending, each);
            self.pending.drain(..used);
        }
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
    }
}

/// Hands out the whole events at the beginning; how many bytes they are. An empty line ends one; lines may end with CR LF,
/// but not with CR alone, which nobody sends.
fn scan(bytes: &[u8], each: &mut impl FnMut(Frame<'_>)) -> usize {
    let mut used = 0;
    for line_end in memchr::memchr_iter(b'\n', bytes) {
        let end = match &bytes[line_end + 1..] {
            [b'\n', ..] => line_end + 2,
            [b'\r', b'\n', ..] => line_end + 3,
            _ => continue,
        };
        // Several empty lines are one end after the other, with nothing in between.
        if let Some(payload @ [_, ..]) = bytes.get(used..line_end).map(<[u8]>::trim_ascii) {
            each(Frame { opcode: TEXT, payload });
        }
        used = end;
    }
    used
}

/// Where a body in chunks is.
#[derive(Clone, Copy)]
enum Chunks {
    /// In the size, so far read.
    Size(usize),
    /// Behind the size, in what may follow it on its line.
    Extension(usize),
    /// In the data, with so much to come.
    Data(usize),
    /// In the line end after the data.
    After,
    /// Behind the last chunk, or where there should be a size and is none.
    End,
}

impl Chunks {
    /// The next piece of data, taken from the beginning of `bytes`.
    fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
        loop {
            let (&first, rest) = bytes.split_first()?;
            *self = match *self {
                Self::Data(left) => {
                    let (data, rest) = bytes.split_at(left.min(bytes.len()));
                    *bytes = rest;
                    *self = if data.len() == left { Self::After } else { Self::Data(left - data.len()) };
                    return Some(data);
                }
                Self::Size(0) | Self::Extension(0) if first == b'\n' => Self::End,
                Self::Size(size) | Self::Extension(size) if first == b'\n' => Self::Data(size),
                Self::Size(size) => match char::from(first).to_digit(16) {
                    Some(digit) if size < 1 << 28 => Self::Size(size * 16 + digit as usize),
                    _ if matches!(first, b'\r' | b';' | b' ') => Self::Extension(size),
                    _ => Self::End,
                },
                Self::After if first == b'\n' => Self::Size(0),
                Self::End => return None,
                same @ (Self::Extension(_) | Self::After) => same,
            };
            *bytes = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: &str = ": hello\n\nid: 1\ndata: a\n\n\n\nevent: x\r\ndata: b\r\n\r\ndata: cut";

    fn seen(scanner: &mut Scanner, bytes: &[u8]) -> Vec<String> {
        let mut seen = Vec::new();
        scanner.feed(bytes, |frame| seen.push(format!("{} {}", frame.opcode, String::from_utf8_lossy(frame.payload))));
        seen
    }

    #[test]
    fn whole_events_are_seen_however_they_are_cut() {
        let expected = ["1 : hello", "1 id: 1\ndata: a", "1 event: x\r\ndata: b"];
        for piece in 1..EVENTS.len() {
            let mut scanner = Scanner::new(false);
            let seen: Vec<_> = EVENTS.as_bytes().chunks(piece).flat_map(|bytes| seen(&mut scanner, bytes)).collect();
            assert_eq!(seen, expected, "in pieces of {piece}");
            assert_eq!(scanner.pending, b"data: cut");
        }
    }

    #[test]
    fn chunks_and_their_ends_are_taken_away() {
        let chunk = |text: &str| format!("{:X};x=y\r\n{text}\r\n", text.len());
        let mut body: String = [&EVENTS[..9], &EVENTS[9..24], &EVENTS[24..]].map(chunk).concat();
        body.push_str("0\r\n\r\n");
        for piece in 1..body.len() {
            let mut scanner = Scanner::new(true);
            let mut all: Vec<_> = body.as_bytes().chunks(piece).flat_map(|bytes| seen(&mut scanner, bytes)).collect();
            all.dedup_by(|a, b| a == b && a == "8 ");
            assert_eq!(all, ["1 : hello", "1 id: 1\ndata: a", "1 event: x\r\ndata: b", "8 "], "in pieces of {piece}");
        }
    }
}
