//! A name server that knows a few domains.

use std::{net::SocketAddr, str::FromStr};

use anyhow::Result;
use hickory_resolver::proto::{
    op::{Message, OpCode, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, MX},
    },
};
use tokio::{net::UdpSocket, task::JoinHandle};

/// Answers until it is dropped.
pub struct NameServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl NameServer {
    /// `harbor.example` takes mail, `hosted.example` on its own host, `null.example` says that it takes none, and
    /// `broken.example` can't be asked. There are no others.
    pub async fn start() -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let address = socket.local_addr()?;
        let task = tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let Ok(question) = Message::from_vec(&buffer[..length]) else { continue };
                let Ok(bytes) = answer(&question).to_vec() else { continue };
                let _ = socket.send_to(&bytes, from).await;
            }
        });
        Ok(Self { address, task })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn answer(question: &Message) -> Message {
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    answer.metadata.recursion_available = true;
    let Some(query) = question.queries.first() else { return answer };
    answer.add_query(query.clone());
    let name = query.name().clone();
    let mx = |host: &str| RData::MX(MX::new(10, Name::from_str(host).unwrap()));
    let found = match (name.to_lowercase().to_utf8().as_str(), query.query_type()) {
        ("harbor.example.", RecordType::MX) => Some(mx("mx.harbor.example.")),
        ("null.example.", RecordType::MX) => Some(mx(".")),
        ("hosted.example.", RecordType::A) => Some(RData::A(A::new(192, 0, 2, 1))),
        ("harbor.example." | "null.example." | "hosted.example.", _) => None,
        ("broken.example.", _) => {
            answer.metadata.response_code = ResponseCode::ServFail;
            None
        }
        _ => {
            answer.metadata.response_code = ResponseCode::NXDomain;
            None
        }
    };
    answer.add_answers(found.map(|data| Record::from_rdata(name, 60, data)));
    answer
}
