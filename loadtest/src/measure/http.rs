//! An HTTP/1.1 client that does no more than a measurement needs: one connection, ready-made requests, and of the answer
//! only its status.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A keep-alive connection.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A longer answer is a mistake.
const MAX_ANSWER: usize = 1 << 20;

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(1024) })
    }

    /// Sends a whole request and waits for the whole answer; its status.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> io::Result<u16> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::Error::new(ErrorKind::UnexpectedEof, "the hub closed the connection"));
            }
            if let Some(answer) = Answer::parse(&self.buffer)?
                && self.buffer.len() >= answer.length
            {
                return Ok(answer.status);
            }
            if self.buffer.len() > MAX_ANSWER {
                return Err(io::Error::new(ErrorKind::InvalidData, "an answer without an end"));
            }
        }
    }
}

/// What matters of an answer's head.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    /// Head and body together.
    length: usize,
}

impl Answer {
    /// `None` while the head is not complete.
    fn parse(bytes: &[u8]) -> io::Result<Option<Self>> {
        let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| malformed())?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or_else(malformed)?;
        let mut body = 0;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                body = value.trim().parse().map_err(|_| malformed())?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(io::Error::new(ErrorKind::InvalidData, "an answer in chunks is not expected here"));
            }
        }
        Ok(Some(Self { status, length: end + 4 + body }))
    }
}

fn malformed() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "not an HTTP answer")
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn an_answer_is_read_up_to_the_end_of_its_body() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\nEVENT_RECEIVED";
        let answer = Answer::parse(text).unwrap().unwrap();
        assert_eq!(answer, Answer { status: 200, length: text.len() });
        assert_eq!(Answer::parse(&text[..20]).unwrap(), None);
        let empty = Answer::parse(b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n\r\n").unwrap().unwrap();
        assert_eq!(empty.status, 503);
        assert!(Answer::parse(b"nonsense\r\n\r\n").is_err());
        assert!(Answer::parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    }

    #[tokio::test]
    async fn an_answer_that_comes_in_pieces_is_put_together() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            for status in ["200", "503"] {
                let mut request = [0; 4];
                stream.read_exact(&mut request).await.unwrap();
                for piece in [&format!("HTTP/1.1 {status} X\r\nconte"), "nt-length: 2\r\n\r\no", "k"] {
                    stream.write_all(piece.as_bytes()).await.unwrap();
                    stream.flush().await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        });
        let mut connection = Connection::open(address).await.unwrap();
        assert_eq!(connection.exchange(b"one!").await.unwrap(), 200);
        assert_eq!(connection.exchange(b"two!").await.unwrap(), 503);
        server.await.unwrap();
        assert!(connection.exchange(b"more").await.is_err());
    }
}
