//! Mutations of an input, as a fuzzer makes them: the same for the same seed.

use fastrand::Rng;

/// What readers stumble over.
const TRAPS: [&[u8]; 22] = [
    b"\0",
    b"\x1e",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[[[[",
    b"-",
    b"/",
    b",",
    b"\r\n",
    b"%00",
    b"null",
    b"1e400",
    b"-1",
    b"18446744073709551616",
    b"\\ud800",
    b"\xff\xfe",
    b"\xe2\x82",
    "\u{202e}é😀".as_bytes(),
    b"\x81\xfe\xff\xff",
    b"\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
];
/// Longer inputs find nothing that these don't.
const LONGEST: usize = 4096;

/// One to four changes of an input; `others` are there to take pieces from.
pub fn mutate(random: &mut Rng, input: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    let mut data = input[..input.len().min(LONGEST)].to_vec();
    for _ in 0..random.usize(1..=4) {
        let at = random.usize(..=data.len());
        let end = random.usize(at..=data.len().min(at + 64));
        match random.u8(..7) {
            0 if at < data.len() => data[at] ^= 1 << random.u8(..8),
            1 if at < data.len() => data[at] = random.u8(..),
            2 => drop(data.drain(at..end)),
            3 => {
                let piece = data[at..end].to_vec();
                data.splice(at..at, piece);
            }
            4 => data.truncate(at),
            5 if !others.is_empty() => {
                let other = &others[random.usize(..others.len())];
                let from = random.usize(..=other.len());
                let piece = other[from..random.usize(from..=other.len().min(from + 256))].to_vec();
                data.splice(at..end, piece);
            }
            _ => {
                let trap = TRAPS[random.usize(..TRAPS.len())];
                data.splice(at..at, trap.iter().copied());
            }
        }
    }
    data
}
