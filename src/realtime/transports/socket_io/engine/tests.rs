use super::*;
use Transport::{Polling, WebSocket};

const MS: Duration = Duration::from_millis(1);
const SETTINGS: Settings = Settings {
    ping_interval: Duration::from_millis(300),
    ping_timeout: Duration::from_millis(200),
    upgrade_timeout: Duration::from_secs(10),
    max_payload: 1_000_000,
};

fn session(transport: Transport) -> (Engine, Instant) {
    let now = Instant::now();
    (Engine::new(transport, SETTINGS, now), now)
}

fn hear<'a>(engine: &mut Engine, from: Transport, text: &'a str, now: Instant) -> Outcome<'a> {
    engine.hear(from, Packet::from_text(text), now)
}

#[test]
fn the_first_packet_tells_the_client_what_it_is_held_to() {
    let (engine, _) = session(Polling);
    let expected =
        r#"0{"sid":"abc","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}"#;
    assert_eq!(engine.open("abc").unwrap(), expected);
    let (engine, _) = session(WebSocket);
    assert!(engine.open("abc").unwrap().contains(r#""upgrades":[],"#));
}

#[test]
fn messages_go_to_the_protocol_above_on_either_transport() {
    for transport in [Polling, WebSocket] {
        let (mut engine, now) = session(transport);
        assert_eq!(hear(&mut engine, transport, "4hello", now), Outcome::Text("hello"));
        let binary = engine.hear(transport, Ok(Packet::from_binary(&[1, 2])), now);
        assert_eq!(binary, Outcome::Binary(vec![1, 2].into()));
        assert_eq!(engine.ending(), None);
    }
}

#[test]
fn what_is_no_packet_ends_the_session_and_so_do_packets_out_of_place() {
    for text in ["abc", "2", "0", "2probe", "5"] {
        for transport in [Polling, WebSocket] {
            let (mut engine, now) = session(transport);
            assert_eq!(hear(&mut engine, transport, text, now), Outcome::Nothing);
            assert_eq!(engine.ending(), Some(Close::Protocol), "{text}");
            assert_eq!(hear(&mut engine, transport, "4late", now), Outcome::Nothing, "nothing is heard after the end");
        }
    }
    let (mut engine, now) = session(Polling);
    hear(&mut engine, Polling, "abc", now);
    assert_eq!(engine.poll(now), Err(Refusal::UnknownSession));
}

#[test]
fn a_client_polls_and_posts_one_request_at_a_time() {
    let (mut engine, now) = session(Polling);
    for _ in 0..3 {
        assert_eq!((engine.poll(now), engine.post(now)), (Ok(Poll::WhenSomethingWaits), Ok(())));
        engine.polled();
        engine.posted();
    }
    assert!(engine.poll(now).is_ok());
    assert_eq!(engine.poll(now), Err(Refusal::BadRequest));
    assert_eq!(engine.ending().map(released), Some("1"), "the first is told that the session is closed");
    assert_eq!(engine.poll(now), Err(Refusal::UnknownSession));

    let (mut engine, now) = session(Polling);
    assert!(engine.post(now).is_ok());
    assert_eq!((engine.post(now), engine.ending()), (Err(Refusal::BadRequest), Some(Close::Protocol)));
}

#[test]
fn the_server_pings_and_the_client_has_a_while_to_answer() {
    for transport in [Polling, WebSocket] {
        let (mut engine, mut now) = session(transport);
        for _ in 0..3 {
            assert_eq!((engine.deadline() - now, engine.tick(now + 299 * MS)), (300 * MS, Due::Nothing));
            now += 300 * MS;
            assert_eq!((engine.tick(now), engine.tick(now)), (Due::Ping, Due::Nothing));
            now += 199 * MS;
            assert_eq!(hear(&mut engine, transport, "3", now), Outcome::Nothing);
        }
        assert_eq!(engine.tick(now + 300 * MS), Due::Ping);
        assert_eq!(hear(&mut engine, transport, "4not a pong", now), Outcome::Text("not a pong"));
        assert_eq!(engine.deadline() - now, 500 * MS);
        assert_eq!((engine.tick(now + 500 * MS), engine.ending()), (Due::Nothing, Some(Close::NoHeartbeat)));
    }
}

#[test]
fn a_poll_that_comes_when_the_answer_is_overdue_finds_no_session_even_before_the_timer_runs() {
    let (mut engine, now) = session(Polling);
    assert_eq!(engine.tick(now + 300 * MS), Due::Ping);
    assert_eq!(engine.poll(now + 500 * MS), Err(Refusal::UnknownSession));
    assert_eq!(engine.ending(), Some(Close::NoHeartbeat));
}

#[test]
fn a_pong_that_nobody_asked_for_puts_nothing_off() {
    let (mut engine, now) = session(WebSocket);
    hear(&mut engine, WebSocket, "3", now + 299 * MS);
    assert_eq!(engine.tick(now + 300 * MS), Due::Ping);
}

#[test]
fn a_client_that_closes_gets_its_waiting_poll_back() {
    let (mut engine, now) = session(Polling);
    assert!(engine.poll(now).is_ok() && engine.post(now).is_ok());
    hear(&mut engine, Polling, "1", now);
    assert_eq!(engine.ending().map(released), Some("6"));
    engine.posted();
    assert_eq!(engine.poll(now), Err(Refusal::UnknownSession));

    let (mut engine, now) = session(WebSocket);
    hear(&mut engine, WebSocket, "1", now);
    assert_eq!(engine.ending(), Some(Close::Normal));
}

#[test]
fn a_session_moves_to_a_socket_that_probed_and_polls_no_more() {
    let (mut engine, now) = session(Polling);
    assert!(engine.poll(now).is_ok());
    assert!(engine.attach(now));
    assert_eq!(hear(&mut engine, WebSocket, "2probe", now), Outcome::Probed);
    engine.polled();
    assert_eq!(engine.poll(now), Ok(Poll::AtOnce));
    engine.polled();
    assert_eq!(hear(&mut engine, Polling, "4still posted", now), Outcome::Text("still posted"));
    assert_eq!((engine.transport(), hear(&mut engine, WebSocket, "5", now)), (Polling, Outcome::Upgraded));
    assert_eq!(hear(&mut engine, WebSocket, "4hello", now), Outcome::Text("hello"));
    assert_eq!((engine.poll(now), engine.post(now)), (Err(Refusal::BadRequest), Err(Refusal::BadRequest)));
    assert!(!engine.attach(now));
    assert_eq!((engine.transport(), engine.ending()), (WebSocket, None), "the session was not disturbed");
    engine.detached();
    assert_eq!(engine.ending(), Some(Close::Normal));
}

#[test]
fn an_upgrade_that_goes_wrong_leaves_the_session_polling() {
    for texts in [&["4early"][..], &["5"], &["abc"], &["1"], &["2probe", "2probe"], &["2probe", "4early"]] {
        let (mut engine, now) = session(Polling);
        assert!(engine.attach(now) && !engine.attach(now), "one at a time");
        let outcomes: Vec<_> = texts.iter().map(|text| hear(&mut engine, WebSocket, text, now)).collect();
        assert_eq!(outcomes.last(), Some(&Outcome::Abandoned), "{texts:?}");
        assert_eq!((engine.poll(now), engine.ending()), (Ok(Poll::WhenSomethingWaits), None));
        assert!(engine.attach(now), "it may try again");
        engine.detached();
        assert!(engine.attach(now) && engine.ending().is_none());
    }
}

#[test]
fn an_upgrade_that_is_not_finished_in_time_is_given_up() {
    let (mut engine, mut now) = session(Polling);
    assert!(engine.attach(now));
    let by = now + SETTINGS.upgrade_timeout;
    while engine.deadline() < by {
        now = engine.deadline();
        assert_eq!(engine.tick(now), Due::Ping);
        hear(&mut engine, Polling, "3", now);
    }
    assert_eq!(engine.deadline(), by);
    assert_eq!(engine.tick(by), Due::Abandoned);
    assert!(engine.ending().is_none() && engine.attach(by));
}

#[test]
fn a_ping_on_its_way_when_the_session_moves_is_answered_on_the_socket() {
    let (mut engine, now) = session(Polling);
    assert_eq!(engine.tick(now + 300 * MS), Due::Ping);
    assert!(engine.attach(now));
    hear(&mut engine, WebSocket, "2probe", now);
    assert_eq!(hear(&mut engine, WebSocket, "5", now), Outcome::Upgraded);
    hear(&mut engine, WebSocket, "3", now + 400 * MS);
    assert_eq!(engine.deadline(), now + 700 * MS);
}

#[test]
fn whatever_comes_in_whatever_order_one_ending_stays() {
    let mut random = fastrand::Rng::with_seed(11);
    let texts = ["1", "2", "2probe", "3", "4x", "5", "6", "abc", "", "4"];
    for _ in 0..20_000 {
        let transport = if random.bool() { Polling } else { WebSocket };
        let (mut engine, mut now) = session(transport);
        let mut ending = None;
        for _ in 0..20 {
            now += random.u32(..200) * MS;
            match random.u8(..9) {
                0 => drop(engine.poll(now)),
                1 => engine.polled(),
                2 => drop(engine.post(now)),
                3 => engine.posted(),
                4 => drop(engine.attach(now)),
                5 => engine.detached(),
                6 => drop(engine.tick(now)),
                _ => {
                    let from = if random.bool() { Polling } else { WebSocket };
                    drop(hear(&mut engine, from, texts[random.usize(..texts.len())], now));
                }
            }
            assert!(ending.is_none() || engine.ending() == ending);
            ending = engine.ending();
        }
    }
}
