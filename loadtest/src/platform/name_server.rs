//! A name server that says which domains take mail. A name tells what it is asked for.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    str::FromStr,
    thread::{self, JoinHandle},
};

use hickory_proto::{
    op::{Message, OpCode, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, MX},
    },
};

/// Largest question that is read.
const QUESTION: usize = 4096;

/// Answers until it is dropped.
pub struct NameServer {
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    /// Of names below `.example`, `null…` says that it takes no mail, `hosted…` takes it on its own host, `broken…` can't be
    /// asked and `nowhere…` is not there; all others have a mail server. There are no names elsewhere.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn start() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = socket.local_addr()?;
        let thread = thread::Builder::new().name("name server".to_owned()).spawn(move || serve(&socket))?;
        Ok(Self { address, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        // An empty question ends it.
        let asked = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.send_to(&[], self.address));
        if let (Ok(_), Some(thread)) = (asked, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

fn serve(socket: &UdpSocket) {
    let mut buffer = [0; QUESTION];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        if length == 0 {
            return;
        }
        let Ok(question) = Message::from_vec(&buffer[..length]) else { continue };
        let Ok(bytes) = answer(&question).to_vec() else { continue };
        let _ = socket.send_to(&bytes, from);
    }
}

fn answer(question: &Message) -> Message {
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    answer.metadata.recursion_available = true;
    let Some(query) = question.queries.first() else { return answer };
    answer.add_query(query.clone());
    let name = query.name().clone();
    let text = name.to_lowercase().to_utf8();
    let kind = text.strip_suffix(".example.");
    let is = |word: &str| kind.is_some_and(|kind| kind.starts_with(word));
    let mx = |host: &str| Some(RData::MX(MX::new(10, Name::from_str(host).ok()?)));
    let found = match query.query_type() {
        _ if is("broken") => {
            answer.metadata.response_code = ResponseCode::ServFail;
            None
        }
        _ if kind.is_none() || is("nowhere") => {
            answer.metadata.response_code = ResponseCode::NXDomain;
            None
        }
        RecordType::MX if is("null") => mx("."),
        RecordType::MX if !is("hosted") => mx(&format!("mx.{text}")),
        RecordType::A if is("hosted") => Some(RData::A(A::new(192, 0, 2, 1))),
        _ => None,
    };
    answer.add_answers(found.map(|data| Record::from_rdata(name, 60, data)));
    answer
}
