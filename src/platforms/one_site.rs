//! For tests: a website that answers calls with given bytes.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// Runs until the test ends.
pub struct Site {
    /// Without a slash at its end.
    pub url: String,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Site {
    /// Listens at an address of this machine. `answer` gets `GET /path`; `None`: the connection stays open without one.
    pub async fn open(at: &str, answer: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((at, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (calls, answer) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(answer));
        let noted = Arc::clone(&calls);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (noted, answer) = (Arc::clone(&noted), Arc::clone(&answer));
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = socket.read_u8().await else { return };
                        head.push(byte);
                    }
                    let head = String::from_utf8(head).unwrap();
                    let call = head.split(" HTTP/").next().unwrap().to_owned();
                    let bytes = answer(&call);
                    noted.lock().unwrap().push(call);
                    match bytes {
                        // Who has read enough hangs up.
                        Some(bytes) => drop(socket.write_all(&bytes).await),
                        None => std::future::pending().await,
                    }
                });
            }
        });
        Self { url, calls }
    }

    /// One of pages: `(path, html)`; the rest is not there.
    pub async fn of(pages: &'static [(&'static str, &'static str)]) -> Self {
        Self::open("127.0.0.1", move |call| {
            let page = pages.iter().find(|(path, _)| call.split_once(' ').is_some_and(|(_, called)| called == *path));
            Some(page.map_or_else(|| answer("404 Not Found", "", b""), |(_, html)| html_page(html.as_bytes())))
        })
        .await
    }

    /// What was called so far.
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

/// An answer; the connection ends with it.
pub fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A page.
pub fn html_page(body: &[u8]) -> Vec<u8> {
    answer("200 OK", "content-type: text/html; charset=utf-8\r\n", body)
}
