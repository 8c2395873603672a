//! For tests: a platform that answers one call with given bytes.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::oneshot,
};

/// Listens for one call and answers it with these bytes, or with nothing and an open connection; gives its address
/// and, once it came, the call as far as it was read.
pub async fn platform(answer: Option<Vec<u8>>) -> (String, oneshot::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut call = Vec::new();
        let mut length = None;
        while length.is_none_or(|whole| call.len() < whole) {
            call.push(socket.read_u8().await.unwrap());
            if length.is_none() && call.ends_with(b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&call).to_lowercase();
                let body = head.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next());
                length = Some(call.len() + body.map_or(0, |body| body.parse::<usize>().unwrap()));
            }
        }
        let _ = tell.send(String::from_utf8(call).unwrap());
        match answer {
            Some(answer) => socket.write_all(&answer).await.unwrap(),
            None => std::future::pending().await,
        }
    });
    (address, told)
}

/// An answer.
pub fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
