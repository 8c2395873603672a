//! Frames that break the rules, and those that only look as if they did.

use super::{
    raw::{BINARY, CLOSE, CONTINUED, LAST, PING, PONG, TEXT, TEXT_FIRST, frame, head},
    *,
};

/// The session sends these bytes and is closed with this code; then its connection ends.
async fn closed_for(house: &House, what: &str, bytes: &[u8], expected: u16) {
    let mut raw = house.raw().await;
    raw.write(bytes).await.unwrap();
    assert_eq!(raw.code().await, expected, "{what}");
    raw.send(CLOSE, &expected.to_be_bytes()).await;
    raw.ended().await;
}

fn close_with(code: u16) -> Vec<u8> {
    frame(CLOSE, &code.to_be_bytes())
}

#[tokio::test]
async fn frames_that_break_the_rules_close_their_session_and_no_other() {
    let house = House::open().await;
    let mut bystander = house.listener().await;
    let text = br#"{"type":"ack"}"#;
    let unmasked = [&[TEXT, 2][..], b"{}"].concat();
    let cases: [(&str, Vec<u8>, u16); 21] = [
        ("text that is not UTF-8", frame(TEXT, b"{\"type\":\"\xff\"}"), 1007),
        ("text that ends within a character", frame(TEXT, "{\"a\":\"é".as_bytes().split_last().unwrap().1), 1007),
        ("a reserved bit", frame(TEXT | 0x40, text), 1002),
        ("another reserved bit", frame(TEXT | 0x10, text), 1002),
        ("no mask", unmasked, 1002),
        ("opcode 3", frame(0x83, text), 1002),
        ("opcode 11", frame(0x8b, b""), 1002),
        ("a ping of 126 bytes", frame(PING, &[b'x'; 126]), 1002),
        ("a ping in fragments", frame(PING & 0x7f, b"x"), 1002),
        ("a continuation of nothing", frame(LAST, text), 1002),
        ("a message within a message", [frame(TEXT_FIRST, b"{"), frame(TEXT, text)].concat(), 1002),
        ("a beginning within a message", [frame(TEXT_FIRST, b"{"), frame(TEXT_FIRST, text)].concat(), 1002),
        ("close code 999", close_with(999), 1002),
        ("close code 1005", close_with(1005), 1002),
        ("close code 1006", close_with(1006), 1002),
        ("close code 2999", close_with(2999), 1002),
        ("a close of one byte", frame(CLOSE, b"x"), 1002),
        ("binary", frame(BINARY, text), 4004),
        ("not JSON", frame(TEXT, b"hello"), 4004),
        ("no object", frame(TEXT, b"[1]"), 4004),
        ("an HTTP request", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), 1002),
    ];
    for (what, bytes, code) in &cases {
        closed_for(&house, what, bytes, *code).await;
    }
    house.until_sessions(1).await;
    house.lead("Joe").await;
    assert_eq!(next_name(&mut bystander).await, "Joe");
}

#[tokio::test]
async fn a_frame_that_announces_too_much_is_refused_at_once_and_costs_no_memory() {
    let house = House::open().await;
    let mut bystander = house.listener().await;
    let before = house.memory();
    for announced in [64 * 1024 + 1, 1 << 20, 1 << 62, 1 << 63, u64::MAX] {
        let mut raw = house.raw().await;
        // Without the mask: the length alone is enough.
        raw.write(&head(TEXT, announced)).await.unwrap();
        assert_eq!(raw.code().await, 1009, "{announced}");
        // Whoever streams on is listened to for less than a second, and nothing of it is kept.
        let megabyte = vec![b'x'; 1 << 20];
        let mut streamed = 0;
        while streamed < 64 && raw.write(&megabyte).await.is_ok() {
            streamed += 1;
        }
        let grown = house.memory().saturating_sub(before);
        assert!(grown < 16 << 20, "{grown} bytes more after {streamed} MiB");
        raw.ended().await;
    }
    house.until_sessions(1).await;
    house.lead("Joe").await;
    assert_eq!(next_name(&mut bystander).await, "Joe");
}

#[tokio::test]
async fn a_message_of_the_largest_size_is_read_and_one_byte_more_is_not_in_one_frame_or_many() {
    let house = House::open_with(|setup| setup.set("realtime.max_frame", "8KiB")).await;
    let padded = |length: usize| {
        let frame = json!({"type": "ack", "ref": "long", "pad": ""}).to_string();
        frame.replace("\"pad\":\"\"", &format!("\"pad\":\"{}\"", "x".repeat(length - frame.len()))).into_bytes()
    };
    let mut raw = house.raw().await;
    raw.send(TEXT, &padded(8192)).await;
    assert_eq!(raw.json_of("reply").await["ok"], true);
    let whole = padded(8192);
    raw.send(TEXT_FIRST, &whole[..4096]).await;
    raw.send(CONTINUED, &whole[4096..8192]).await;
    raw.send(LAST, b"").await;
    assert_eq!(raw.json_of("reply").await["ok"], true);

    closed_for(&house, "one frame", &frame(TEXT, &padded(8193)), 1009).await;
    let long = padded(8193);
    let pieces = [frame(TEXT_FIRST, &long[..8192]), frame(LAST, &long[8192..])].concat();
    closed_for(&house, "two fragments", &pieces, 1009).await;
}

#[tokio::test]
async fn more_frames_a_second_than_allowed_close_the_session_whatever_they_are() {
    let limits = |setup: Setup| setup.set("realtime.frames_per_second", 1).set("realtime.frame_burst", 10);
    let house = House::open_with(limits).await;
    let mut bystander = house.listener().await;
    let ack = frame(TEXT, br#"{"type":"ack"}"#);
    let kinds = [("text", ack), ("pings", frame(PING, b"")), ("pongs", frame(PONG, b""))];
    for (what, one) in kinds {
        let mut raw = house.raw().await;
        raw.write(&one.repeat(9)).await.unwrap();
        raw.send(PING, b"tenth").await;
        while raw.control(PONG).await != b"tenth" {}
        raw.write(&one.repeat(20)).await.unwrap();
        assert_eq!(raw.code().await, 4004, "{what}");
    }
    let fragments = [frame(TEXT_FIRST, b""), frame(CONTINUED, b"").repeat(40)].concat();
    closed_for(&house, "empty fragments", &fragments, 4004).await;
    assert_eq!(house.closed("protocol_error").await, 4);
    assert_eq!(ask(&mut bystander, json!({"type": "ack"})).await["ok"], true);
}

#[tokio::test]
async fn a_ping_is_answered_with_what_it_carried_even_within_a_message() {
    let house = House::open().await;
    let mut raw = house.raw().await;
    raw.send(PING, b"").await;
    assert_eq!(raw.control(PONG).await, b"");
    raw.send(PING, &[b'x'; 125]).await;
    assert_eq!(raw.control(PONG).await, [b'x'; 125]);
    raw.send(TEXT_FIRST, br#"{"type":"ack","ref":"#).await;
    raw.send(PING, b"between").await;
    raw.send(CONTINUED, "\"é".as_bytes().split_last().unwrap().1).await;
    raw.send(PONG, b"unasked").await;
    assert_eq!(raw.control(PONG).await, b"between");
    // The rest of the character.
    raw.send(LAST, &["é".as_bytes()[1], b'"', b'}']).await;
    assert_eq!(raw.json_of("reply").await, json!({"type": "reply", "ref": "é", "ok": true}));
}

#[tokio::test]
async fn frames_may_come_with_the_request_in_one_packet_or_byte_by_byte() {
    let house = House::open().await;
    let header = format!("Authorization: Bearer {}\r\n", house.key);
    let asked = |reference: u8| frame(TEXT, format!(r#"{{"type":"ack","ref":{reference}}}"#).as_bytes());
    let along = (0..10).flat_map(asked).collect::<Vec<_>>();
    let (mut raw, _) = Raw::open_with(&house.hub, "/ws", &header, &along).await;
    raw.json_of("welcome").await;
    for reference in 0..10 {
        assert_eq!(raw.json_of("reply").await["ref"], reference);
    }
    for byte in asked(10) {
        raw.write(&[byte]).await.unwrap();
    }
    assert_eq!(raw.json_of("reply").await["ref"], 10);
}

#[tokio::test]
async fn a_close_is_answered_and_the_connection_ends_at_once() {
    let house = House::open().await;
    let mut took = Vec::new();
    for payload in [&b""[..], b"\x03\xe8", b"\x03\xe9going away", b"\x0f\xa0mine", b"\x0b\xb8"] {
        let mut raw = house.raw().await;
        let start = Instant::now();
        raw.send(CLOSE, payload).await;
        assert_eq!(raw.code().await, 1000);
        raw.ended().await;
        took.push(start.elapsed());
    }
    assert!(took.iter().all(|took| took.as_millis() < 500), "{took:?}");
    // A client that is closed and answers is let go as soon.
    let mut raw = house.raw().await;
    raw.send(TEXT, b"hello").await;
    assert_eq!(raw.code().await, 4004);
    let start = Instant::now();
    raw.send(CLOSE, b"\x0f\xa4").await;
    raw.ended().await;
    assert!(start.elapsed().as_millis() < 500, "{:?}", start.elapsed());
    // One that does not answer is cut.
    let mut raw = house.raw().await;
    raw.send(TEXT, b"hello").await;
    raw.ended().await;
    // One that just goes is noticed.
    let raw = house.raw().await;
    house.until_sessions(1).await;
    drop(raw);
    house.until_sessions(0).await;
}

#[tokio::test]
async fn an_unknown_or_incomplete_question_is_answered_with_an_error_and_the_session_goes_on() {
    let house = House::open().await;
    let mut socket = house.session().await;
    for (question, error) in [
        (json!({"type": "dance"}), "unknown_type"),
        (json!({"type": "message:send", "chat": "x"}), "bad_frame"),
        (json!({"type": "subscribe"}), "bad_frame"),
        (json!({"type": "subscribe", "room": 7}), "bad_frame"),
        (json!({"type": 7}), "bad_frame"),
        (json!({}), "bad_frame"),
    ] {
        let reply = ask(&mut socket, question.clone()).await;
        assert_eq!((&reply["ok"], &reply["error"]["code"]), (&json!(false), &json!(error)), "{question}");
    }
    assert_eq!(ask(&mut socket, json!({"type": "ack"})).await["ok"], true);
}
