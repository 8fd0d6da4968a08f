//! Messages: every split, every limit.

use super::*;
use proptest::prelude::*;

fn all(bytes: &[u8]) -> Result<Vec<Incoming>, Broken> {
    let mut input = Input::default();
    input.buffer.extend_from_slice(bytes);
    let mut out = Vec::new();
    while let Some(one) = input.take()? {
        out.push(one);
    }
    Ok(out)
}

fn status(bytes: &[u8]) -> u16 {
    all(bytes).unwrap_err().status.0
}

const TWO: &[u8] = b"\r\nOPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n$\x02\x00\x03abcANNOUNCE rtsp://h/x?a=b RTSP/1.0\r\n\
    cseq:2\r\nContent-length: 3\r\nTransport: a\r\nTransport: b\r\n\r\nv=0RTSP/1.0 404 Gone fishing\r\nCSeq: 9\r\n\r\n";

#[test]
fn blank_lines_are_counted_however_they_come() {
    let mut input = Input::default();
    let refused = (0..100).any(|_| {
        input.buffer.extend_from_slice(b"\r\n");
        input.take().is_err()
    });
    assert!(refused, "a peer that sends nothing else is sent away");
}

#[test]
fn reads_messages_and_packets() {
    let all = all(TWO).unwrap();
    let [
        Incoming::Request(options),
        Incoming::Packet { channel, payload },
        Incoming::Request(announce),
        last,
    ] = &all[..]
    else {
        panic!("{all:?}")
    };
    assert_eq!((&options.method, options.uri.as_str(), options.cseq), (&Method::Options, "*", 1));
    assert_eq!((*channel, &payload[..]), (2, &b"abc"[..]));
    assert_eq!((&announce.method, announce.uri.as_str()), (&Method::Announce, "rtsp://h/x?a=b"));
    assert_eq!((&announce.body[..], announce.headers.get("transport")), (&b"v=0"[..], Some("a, b")));
    let Incoming::Response(response) = last else { panic!("{last:?}") };
    assert_eq!((response.status.0, response.phrase.as_str(), response.cseq), (404, "Gone fishing", Some(9)));
}

#[test]
fn pieces_do_not_matter() {
    let whole = all(TWO).unwrap();
    for step in [1, 2, 3, 7] {
        let mut input = Input::default();
        let mut out = Vec::new();
        for piece in TWO.chunks(step) {
            input.buffer.extend_from_slice(piece);
            while let Some(one) = input.take().unwrap() {
                out.push(one);
            }
        }
        assert_eq!(out, whole, "in pieces of {step}");
        assert!(!input.is_partial());
    }
}

#[test]
fn rules_are_kept() {
    let head = |lines: &str| format!("OPTIONS * RTSP/1.0\r\n{lines}\r\n");
    for lines in [
        "",
        "CSeq: 1\r\nCSeq: 2\r\n",
        "CSeq:\r\n",
        "CSeq: -1\r\n",
        "CSeq: 1x\r\n",
        "CSeq: 99999999999\r\n",
        "CSeq: 1\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
        "CSeq: 1\r\nContent-Length: +1\r\n",
        "CSeq: 1\r\nContent-Length: 99999999999999999999\r\n",
        "CSeq: 1\r\nTransfer-Encoding: chunked\r\n",
    ] {
        assert_eq!(status(head(lines).as_bytes()), 400, "{lines:?}");
    }
    assert_eq!(status(b"OPTIONS * RTSP/2.0\r\nCSeq: 1\r\n\r\n"), 505);
    assert_eq!(status(b"OPTIONS RTSP/1.0\r\nCSeq: 1\r\n\r\n"), 400);
    assert_eq!(status(b"OPTIONS rtsp://h/a b RTSP/1.0\r\nCSeq: 1\r\n\r\n"), 400);
    assert_eq!(status(b"OPTIONS * SIP/2.0\r\nCSeq: 1\r\n\r\n"), 400);
    assert_eq!(status(b"RTSP/1.0 OK\r\nCSeq: 1\r\n\r\n"), 400);
    assert_eq!(status(b"\x16\x03\x01\x02\x00\x01"), 400);
    assert_eq!(status(&b"\r\n".repeat(100)), 400);
    assert_eq!(status(b"\rx"), 400);
}

/// Heads as devices write them: each says the same.
#[test]
fn heads_in_all_spellings() {
    let wanted =
        b"SETUP rtsp://h/x RTSP/1.0\r\nCSeq: 7\r\nTransport: RTP/AVP;client_port=4-5\r\nSession: s1\r\n\r\n";
    let [Incoming::Request(wanted)] = &all(wanted).unwrap()[..] else { panic!() };
    for head in [
        &b"SETUP rtsp://h/x RTSP/1.0\nCSeq: 7\nTransport: RTP/AVP;client_port=4-5\nSession: s1\n\n"[..],
        b"SETUP rtsp://h/x RTSP/1.0\r\nCSeq: 7\nTransport: RTP/AVP;client_port=4-5\r\nSession: s1\n\r\n",
        b"\n\0\r\n\0SETUP  rtsp://h/x\trtsp/1.0 \r\ncseq :7\r\nTRANSPORT:RTP/AVP;client_port=4-5 \r\nsession:\ts1\r\n\r\n",
        b"SETUP rtsp://h/x RTSP/1.0\r\nCSeq: 007 SETUP\r\nCSeq: 7\r\nTransport:\r\n RTP/AVP;client_port=4-5\r\nSession: s1\r\n\r\n",
        b"SETUP rtsp://h/x RTSP/1.1\r\nCSeq: 7\r\nno colon\r\n: no name\r\nA B: c\r\nTransport: RTP/AVP;client_port=4-5\r\nSession: \x01s1\x02\r\nContent-Length:\r\n\r\n",
    ] {
        let all = all(head).unwrap_or_else(|e| panic!("{e}: {:?}", String::from_utf8_lossy(head)));
        let [Incoming::Request(read)] = &all[..] else { panic!("{all:?}") };
        let fields = |r: &Request| (r.method.clone(), r.uri.clone(), r.cseq, ["transport", "session"].map(|n| r.headers.get(n).map(str::to_string)));
        assert_eq!(fields(read), fields(wanted), "{:?}", String::from_utf8_lossy(head));
    }
    // Any character set, and a header that goes on over lines.
    let strange = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: K\xf6ln\r\n  and \x00\r\n\tmore\r\n\r\n";
    let [Incoming::Request(strange)] = &all(strange).unwrap()[..] else { panic!() };
    assert_eq!(strange.headers.get("user-agent"), Some("K\u{fffd}ln and   more"));
    // Responses without a number or a phrase.
    let answers = all(b"RTSP/1.0 200\r\n\r\nRTSP/1.0  404  Not  Found \r\nCSeq: 2\r\n\r\n").unwrap();
    let [Incoming::Response(one), Incoming::Response(two)] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!((one.status.0, one.cseq, one.phrase.as_str()), (200, None, ""));
    assert_eq!((two.status.0, two.cseq, two.phrase.as_str()), (404, Some(2), "Not Found"));
}

#[test]
fn http_is_told_apart() {
    let all = all(b"GET /x HTTP/1.0\r\nX-SessionCookie: a\r\nContent-Length: 99999\r\n\r\n").unwrap();
    let [Incoming::Http(http)] = &all[..] else { panic!("{all:?}") };
    assert_eq!((http.method.as_str(), http.headers.get("x-sessioncookie")), ("GET", Some("a")));
}

#[test]
fn limits_are_kept_before_the_end_is_there() {
    assert_eq!(status(&[b'A'; limits::LINE + 1]), 414);
    let long = [b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nA: ".to_vec(), vec![b'a'; limits::HEADER]].concat();
    assert_eq!(status(&long), 400);
    let mut many = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n".to_vec();
    (1..limits::HEADERS).for_each(|i| many.extend(format!("A{i}: x\r\n").bytes()));
    assert_eq!(all(&[&many[..], b"\r\n"].concat()).unwrap().len(), 1);
    assert_eq!(status(&[&many[..], b"B: x\r\n"].concat()), 400);
    let body = b"OPTIONS * RTSP/1.0\r\nCSeq: 7\r\nContent-Length: 65537\r\n\r\n";
    let broken = all(body).unwrap_err();
    assert_eq!((broken.status.0, broken.cseq, broken.limit), (413, Some(7), Some("rtsp_body")));
}

#[test]
fn what_is_written_is_read() {
    let sent = Draft::response(Status::NOT_FOUND, 5)
        .header("Session", "a;timeout=60")
        .header("X", "a\r\nInjected: b")
        .body("application/sdp", Bytes::from_static(b"v=0"))
        .bytes();
    let all = all(&sent).unwrap();
    let [Incoming::Response(response)] = &all[..] else { panic!("{all:?}") };
    assert_eq!(
        (response.status, response.cseq, &response.body[..]),
        (Status::NOT_FOUND, Some(5), &b"v=0"[..])
    );
    assert_eq!(response.headers.get("x"), Some("a  Injected: b"));
    assert_eq!(response.headers.get("injected"), None);
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_give_the_same(
        bytes in proptest::collection::vec(any::<u8>(), 0..200), begin in 0usize..4, cut in 1usize..50,
    ) {
        let begin: &[u8] = [&b""[..], b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n", b"$\0\0\x02", b"RTSP/1.0 200 OK\n"][begin];
        let bytes = [begin, &bytes].concat();
        let mut input = Input::default();
        let mut out = Ok(Vec::new());
        'pieces: for piece in bytes.chunks(cut) {
            input.buffer.extend_from_slice(piece);
            loop {
                match input.take() {
                    Ok(Some(one)) => out.as_mut().unwrap().push(one),
                    Ok(None) => break,
                    Err(e) => {
                        out = Err(e);
                        break 'pieces;
                    }
                }
            }
        }
        let whole = all(&bytes);
        prop_assert_eq!(out.is_err(), whole.is_err());
        if let (Ok(out), Ok(whole)) = (out, whole) {
            prop_assert_eq!(out, whole);
        }
    }
}
