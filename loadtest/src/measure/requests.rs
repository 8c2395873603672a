//! Ready-made webhook requests, so that a measurement spends nothing on making them.

use std::{fmt::Write, net::SocketAddr};

use serde::Deserialize;

use crate::{hub::APP_SECRET, platform::meta};

/// What the webhooks tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum What {
    /// Leads of a page that nobody has claimed, which the hub keeps and parks: the accept path alone.
    Unclaimed,
    /// Messages to such a page: the accept path alone, with ids that don't grow with time.
    UnclaimedMessages,
    /// Leads, which the hub also fetches, pushes and stores meanwhile.
    Leads,
}

/// Makes requests with ever new ids for one page.
pub(super) struct Requests {
    what: What,
    page: u64,
    host: SocketAddr,
    next: u64,
}

/// Who writes all messages here.
const PERSON: u64 = 7_100_000_000_000_001;

/// When everything in these webhooks happened: seconds since 1970.
pub(super) const HAPPENED: i64 = 1_790_000_000;

impl Requests {
    pub(super) const fn new(what: What, page: u64, host: SocketAddr, first_id: u64) -> Self {
        Self { what, page, host, next: first_id }
    }

    /// The next request, head and body.
    pub(super) fn make(&mut self) -> Vec<u8> {
        let id = self.next;
        self.next += 1;
        let body = match self.what {
            What::Unclaimed => lead_body(self.page + 1, id),
            What::UnclaimedMessages => message_body(self.page + 1, PERSON, id, HAPPENED),
            What::Leads => lead_body(self.page, id),
        };
        post(self.host, &body)
    }
}

/// A leadgen webhook with one organic lead. Written out rather than built: a run needs some hundred thousand.
pub(super) fn lead_body(page: u64, id: u64) -> String {
    format!(
        concat!(
            r#"{{"object":"page","entry":[{{"id":"{page}","time":{time},"changes":[{{"value":"#,
            r#"{{"form_id":"456456456456456","leadgen_id":"{id}","created_time":{time},"page_id":"{page}"}},"#,
            r#""field":"leadgen"}}]}}]}}"#
        ),
        page = page,
        id = id,
        time = HAPPENED
    )
}

/// A webhook with one message of a person, who has a chat of their own. `at`: seconds since 1970.
pub(super) fn message_body(page: u64, person: u64, id: u64, at: i64) -> String {
    format!(
        concat!(
            r#"{{"object":"page","entry":[{{"id":"{page}","time":{time}000,"messaging":[{{"sender":{{"id":"{person}"}},"#,
            r#""recipient":{{"id":"{page}"}},"timestamp":{time}000,"message":{{"mid":"m_{id}","text":"Is it still free?"}}}}]}}]}}"#
        ),
        page = page,
        person = person,
        id = id,
        time = at
    )
}

/// A signed POST to the hub's webhook.
pub(super) fn post(host: SocketAddr, body: &str) -> Vec<u8> {
    let mut request = String::with_capacity(body.len() + 256);
    let _ = write!(
        request,
        "POST /webhook HTTP/1.1\r\nhost: {host}\r\nuser-agent: Webhooks/1.0 (https://fb.me/webhooks)\r\n\
         content-type: application/json\r\nx-hub-signature-256: {}\r\ncontent-length: {}\r\n\r\n{body}",
        meta::sign(body, APP_SECRET),
        body.len()
    );
    request.into_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::platform::meta::{Change, Message, Webhook};

    #[test]
    fn the_bodies_are_those_of_the_builders() {
        let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let lead = Webhook::new(HAPPENED).with(Change::new(1001, 5, HAPPENED)).body();
        assert_eq!(parse(&lead_body(1001, 5)), parse(&lead));
        let message = Message {
            page_id: 1001,
            psid: 7_100_000_000_000_001,
            mid: "m_5".into(),
            text: "Is it still free?".into(),
            timestamp: HAPPENED * 1000,
        };
        assert_eq!(
            parse(&message_body(1001, PERSON, 5, HAPPENED)),
            parse(&Webhook::new(HAPPENED).with_message(message).body())
        );
    }

    #[test]
    fn every_request_has_an_id_of_its_own() {
        let mut requests = Requests::new(What::Leads, 1, "127.0.0.1:80".parse().unwrap(), 7);
        let (first, second) = (requests.make(), requests.make());
        assert!(String::from_utf8(first).unwrap().contains(r#""leadgen_id":"7""#));
        assert!(String::from_utf8(second).unwrap().contains(r#""leadgen_id":"8""#));
    }
}
