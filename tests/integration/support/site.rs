//! A website of a business.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

/// Answers until it is dropped.
pub struct Site {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Site {
    /// With these pages, `(path, HTML)`, at an address of this machine; each answer takes so long.
    pub async fn open(at: &str, pages: &'static [(&'static str, &'static str)], after: Duration) -> Result<Self> {
        let listener = TcpListener::bind((at, 0)).await?;
        let address = listener.local_addr()?;
        let calls = Arc::<Mutex<Vec<String>>>::default();
        let noted = Arc::clone(&calls);
        let task = tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let noted = Arc::clone(&noted);
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = socket.read_u8().await else { return };
                        head.push(byte);
                    }
                    let head = String::from_utf8_lossy(&head);
                    let call = head.split(" HTTP/").next().unwrap_or_default().to_owned();
                    tokio::time::sleep(after).await;
                    let page = pages.iter().find(|(path, _)| call.split_once(' ').is_some_and(|(_, it)| it == *path));
                    let (status, body) = page.map_or(("404 Not Found", ""), |(_, html)| ("200 OK", *html));
                    let answer = format!(
                        "HTTP/1.1 {status}\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    noted.lock().unwrap().push(call);
                    let _ = socket.write_all(answer.as_bytes()).await;
                });
            }
        });
        Ok(Self { address, calls, task })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was called so far.
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}
