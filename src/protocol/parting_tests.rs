//! Tests of `parting`.

use super::*;
use std::io::ErrorKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

async fn pair() -> (Arc<TcpStream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (ours, _) = listener.accept().await.unwrap();
    (Arc::new(ours), theirs)
}

/// Sends until nothing more is taken: how much.
fn fill(socket: &TcpStream) -> usize {
    let mut sent = 0;
    while let Ok(n) = socket.try_write(&[7; 65_536]) {
        sent += n;
    }
    sent
}

/// Reads to the end: how much, and how it ended.
async fn read(socket: &mut TcpStream) -> (usize, Option<ErrorKind>) {
    let mut all = 0;
    let mut buffer = vec![0; 65_536];
    loop {
        match timeout(Duration::from_secs(20), socket.read(&mut buffer)).await.expect("an end") {
            Ok(0) => return (all, None),
            Ok(n) => all += n,
            Err(e) => return (all, Some(e.kind())),
        }
    }
}

#[tokio::test]
async fn who_takes_nothing_is_reset_and_nothing_is_kept() {
    let (ours, mut theirs) = pair().await;
    ours.writable().await.unwrap();
    let sent = fill(&ours);
    drop(Parting::new(ours));
    let (got, end) = read(&mut theirs).await;
    assert_eq!(end, Some(ErrorKind::ConnectionReset));
    assert!(got < sent, "{got} of {sent}: what the kernel still held is gone");
}

#[tokio::test]
async fn who_reads_gets_the_last_words_and_an_end() {
    for polite in [true, false] {
        let (ours, mut theirs) = pair().await;
        // Bytes that nobody reads would reset the connection.
        theirs.write_all(&[1; 5000]).await.unwrap();
        if polite {
            theirs.shutdown().await.unwrap();
        }
        let reader = tokio::spawn(async move { read(&mut theirs).await });
        say(&ours, &[7; 100_000]).await;
        drop(Parting::new(ours));
        assert_eq!(reader.await.unwrap(), (100_000, None));
    }
}

#[tokio::test]
async fn last_words_do_not_wait_for_who_does_not_read() {
    let (ours, mut theirs) = pair().await;
    ours.writable().await.unwrap();
    fill(&ours);
    timeout(Duration::from_secs(20), say(&ours, &[7; 100_000])).await.expect("bounded");
    drop(Parting::new(ours));
    assert_eq!(read(&mut theirs).await.1, Some(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn what_is_under_way_to_who_closed_first_arrives() {
    let (ours, mut theirs) = pair().await;
    theirs.shutdown().await.unwrap();
    let mut one = [0];
    assert_eq!(ours.readable().await.map(|()| ours.try_read(&mut one).unwrap()).unwrap(), 0);
    ours.try_write(&[7; 100]).unwrap();
    let mut parting = Parting::new(ours);
    parting.be_patient();
    drop(parting);
    assert_eq!(read(&mut theirs).await, (100, None));
}
