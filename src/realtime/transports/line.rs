//! The TCP connection under a transport: how much the kernel keeps for its client, and a handle to cut it by.

use std::{
    os::fd::{AsRawFd, BorrowedFd, RawFd},
    time::Duration,
};

use actix_http::Extensions;
use actix_rt::net::TcpStream;
use socket2::{SockRef, Socket};

/// Bytes that the kernel may keep for a client that does not read (it doubles them for its own needs). Left to itself it
/// keeps up to megabytes, which the hub's own limit would not see.
const KERNEL_BUFFER: usize = 128 * 1024;

/// Limits what waits in the kernel for a client.
pub fn bound_kernel_buffer(socket: &SockRef<'_>) {
    // Without it the session works as well; it only costs more when its client stalls.
    let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
}

/// Which connection a request came on.
#[derive(Debug, Clone, Copy)]
pub struct Line(RawFd);

impl Line {
    /// Notes a new connection, for the requests that come on it.
    pub fn note(io: &TcpStream, connection: &mut Extensions) {
        connection.insert(Self(io.as_raw_fd()));
    }

    /// A handle of its own to the connection; only while a request on it is being answered. Who is silent for `patience`
    /// while something waits for them is taken for gone.
    ///
    /// # Errors
    /// If there are too many open files.
    pub fn handle(self, patience: Duration) -> std::io::Result<TcpStream> {
        #[expect(unsafe_code, reason = "the connection is open while a request on it is being answered")]
        let connection = unsafe { BorrowedFd::borrow_raw(self.0) };
        let socket = Socket::from(connection.try_clone_to_owned()?);
        bound_kernel_buffer(&SockRef::from(&socket));
        socket.set_tcp_user_timeout(Some(patience))?;
        TcpStream::from_std(socket.into())
    }
}
