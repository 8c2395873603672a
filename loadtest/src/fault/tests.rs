//! The proxy between real sockets.

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{Mode, Proxy};

/// Long enough for anything that happens at all.
const PATIENCE: Duration = Duration::from_secs(10);
/// For what must not happen: nothing announces it, so a while has to do.
const A_WHILE: Duration = Duration::from_millis(80);

struct Bench {
    server: TcpListener,
    proxy: Proxy,
}

impl Bench {
    async fn new() -> Self {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy::start(server.local_addr().unwrap()).unwrap();
        Self { server, proxy }
    }

    async fn dial(&self) -> TcpStream {
        TcpStream::connect(self.proxy.address()).await.unwrap()
    }

    async fn accept(&self) -> TcpStream {
        tokio::time::timeout(PATIENCE, self.server.accept()).await.expect("nobody came").unwrap().0
    }

    /// A client and the server's end of it, through which a word went each way.
    async fn pair(&self) -> (TcpStream, TcpStream) {
        let mut client = self.dial().await;
        let mut server = self.accept().await;
        says(&mut client, "hello", &mut server).await;
        says(&mut server, "welcome", &mut client).await;
        (client, server)
    }
}

async fn says(from: &mut TcpStream, text: &str, to: &mut TcpStream) {
    from.write_all(text.as_bytes()).await.unwrap();
    hears(to, text).await;
}

async fn hears(to: &mut TcpStream, text: &str) {
    let mut heard = vec![0; text.len()];
    tokio::time::timeout(PATIENCE, to.read_exact(&mut heard)).await.expect("nothing came").unwrap();
    assert_eq!(String::from_utf8_lossy(&heard), text);
}

/// How a read ends that has nothing more to read: `None` at a FIN.
async fn end_of(stream: &mut TcpStream) -> Option<ErrorKind> {
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 64])).await.expect("still open");
    match read {
        Ok(0) => None,
        Ok(more) => panic!("{more} bytes more"),
        Err(error) => Some(error.kind()),
    }
}

async fn hears_nothing(stream: &mut TcpStream) {
    let read = tokio::time::timeout(A_WHILE, stream.read(&mut [0; 64])).await;
    assert!(read.is_err(), "{read:?}");
}

#[tokio::test]
async fn passing_forwards_everything_and_each_sides_end() {
    let bench = Bench::new().await;
    let (mut client, mut server) = bench.pair().await;
    let sent: Vec<u8> = (0..2_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let (mut heard, mut write) = (Vec::new(), client.split());
    let sending = async {
        write.1.write_all(&sent).await.unwrap();
        write.1.shutdown().await.unwrap();
    };
    let ((), read) = tokio::join!(sending, server.read_to_end(&mut heard));
    read.unwrap();
    assert!(heard == sent);
    says(&mut server, "goodbye", &mut client).await;
    drop(server);
    assert_eq!(end_of(&mut client).await, None);
}

#[tokio::test]
async fn passing_forwards_a_reset() {
    let bench = Bench::new().await;
    let (mut client, server) = bench.pair().await;
    server.set_zero_linger().unwrap();
    drop(server);
    assert_eq!(end_of(&mut client).await, Some(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn refusing_resets_connections_and_takes_no_new_ones_until_it_passes_again() {
    let bench = Bench::new().await;
    for _ in 0..3 {
        let (mut client, mut server) = bench.pair().await;
        bench.proxy.set(Mode::Refuse);
        assert_eq!(end_of(&mut client).await, Some(ErrorKind::ConnectionReset));
        assert_eq!(end_of(&mut server).await, Some(ErrorKind::ConnectionReset));
        let refused = TcpStream::connect(bench.proxy.address()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        bench.proxy.set(Mode::Pass);
    }
    bench.pair().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_resets_the_client() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let proxy = Proxy::start(gone).unwrap();
    // The reset can be there before the client has looked whether it is connected.
    let end = match TcpStream::connect(proxy.address()).await {
        Ok(mut client) => end_of(&mut client).await,
        Err(error) => Some(error.kind()),
    };
    assert_eq!(end, Some(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn frozen_it_accepts_and_says_nothing_and_thawed_it_forwards_what_waited() {
    let bench = Bench::new().await;
    let (mut client, mut server) = bench.pair().await;
    bench.proxy.set(Mode::Freeze);
    let mut second = bench.dial().await;
    for (from, text) in [(&mut client, "up"), (&mut server, "down"), (&mut second, "new")] {
        from.write_all(text.as_bytes()).await.unwrap();
    }
    tokio::join!(hears_nothing(&mut client), hears_nothing(&mut server), hears_nothing(&mut second));

    bench.proxy.set(Mode::Pass);
    hears(&mut server, "up").await;
    hears(&mut client, "down").await;
    hears(&mut bench.accept().await, "new").await;
}

#[tokio::test]
async fn frozen_it_reads_nothing_so_that_a_sender_is_stopped() {
    let bench = Bench::new().await;
    let (mut client, _server) = bench.pair().await;
    bench.proxy.set(Mode::Freeze);
    let piece = vec![0; 1 << 20];
    let flood = async {
        // Far more than the kernel's buffers hold.
        for _ in 0..64 {
            client.write_all(&piece).await.unwrap();
        }
    };
    assert!(tokio::time::timeout(Duration::from_millis(500), flood).await.is_err(), "somebody took 64 MiB");
}

#[tokio::test]
async fn half_open_the_server_hears_and_is_not_heard() {
    let bench = Bench::new().await;
    let (mut client, mut server) = bench.pair().await;
    bench.proxy.set(Mode::HalfOpen);
    says(&mut client, "are you there?", &mut server).await;
    server.write_all(b"yes").await.unwrap();
    hears_nothing(&mut client).await;
    server.set_zero_linger().unwrap();
    drop(server);
    hears_nothing(&mut client).await;
    client.write_all(b"hello?").await.unwrap();
    hears_nothing(&mut client).await;
    // What was lost can't be made up for.
    bench.proxy.set(Mode::Pass);
    assert_eq!(end_of(&mut client).await, Some(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn half_open_new_connections_reach_the_server_and_those_that_lost_nothing_go_on() {
    let bench = Bench::new().await;
    bench.proxy.set(Mode::HalfOpen);
    let mut client = bench.dial().await;
    let mut server = bench.accept().await;
    says(&mut client, "hello", &mut server).await;
    bench.proxy.set(Mode::Pass);
    says(&mut server, "welcome", &mut client).await;
}

#[tokio::test]
async fn slow_every_piece_takes_its_time_and_they_stay_in_order() {
    let bench = Bench::new().await;
    let (mut client, mut server) = bench.pair().await;
    let delay = Duration::from_millis(150);
    bench.proxy.set(Mode::Slow { delay });
    let began = Instant::now();
    for piece in ["one ", "two ", "three"] {
        client.write_all(piece.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
    }
    hears(&mut server, "one two three").await;
    assert!(began.elapsed() >= delay, "{:?}", began.elapsed());
    let began = Instant::now();
    client.shutdown().await.unwrap();
    assert_eq!(end_of(&mut server).await, None);
    assert!(began.elapsed() >= delay, "the end was faster than the words");

    // What waits goes at once when it is fast again.
    bench.proxy.set(Mode::Slow { delay: PATIENCE * 10 });
    server.write_all(b"late").await.unwrap();
    hears_nothing(&mut client).await;
    bench.proxy.set(Mode::Pass);
    hears(&mut client, "late").await;
}

#[tokio::test]
async fn everything_ends_with_the_proxy() {
    for mode in [Mode::Pass, Mode::Freeze, Mode::HalfOpen, Mode::Refuse, Mode::Slow { delay: PATIENCE }] {
        let bench = Bench::new().await;
        let (mut client, mut server) = bench.pair().await;
        bench.proxy.set(mode);
        let address = bench.proxy.address();
        drop(bench.proxy);
        assert_eq!(end_of(&mut client).await, Some(ErrorKind::ConnectionReset), "{mode:?}");
        assert_eq!(end_of(&mut server).await, Some(ErrorKind::ConnectionReset), "{mode:?}");
        assert!(TcpStream::connect(address).await.is_err(), "{mode:?}");
    }
}
