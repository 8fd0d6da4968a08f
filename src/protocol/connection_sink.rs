//! A TCP connection as the hub writes to it: without waiting, many pieces at once.

use crate::hub::Sink;
use crate::process::sys;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::sync::Arc;
use tokio::net::TcpStream;

/// See the module. The connection's own task reads it and waits for it; this only writes.
#[derive(Clone, Debug)]
pub struct ConnectionSink(pub Arc<TcpStream>);

impl Sink for ConnectionSink {
    fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(parts)
    }

    fn unsent(&self) -> u64 {
        // A socket that cannot say is about to fail on its next write.
        sys::unsent(self.0.as_fd()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn counts_what_the_peer_has_not_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut theirs, _) = listener.accept().await.unwrap();
        let sink = ConnectionSink(Arc::new(ours));
        sink.0.writable().await.unwrap();
        assert_eq!(sink.write(&[IoSlice::new(b"ab"), IoSlice::new(b"c")]).unwrap(), 3);
        let mut three = [0; 3];
        theirs.read_exact(&mut three).await.unwrap();
        assert_eq!(&three, b"abc");
        let big = vec![0; 1 << 20];
        let full = loop {
            match sink.write(&[IoSlice::new(&big)]) {
                Ok(_) => {}
                Err(e) => break e.kind(),
            }
        };
        assert_eq!(full, io::ErrorKind::WouldBlock);
        assert!(sink.unsent() > 0);
    }
}
