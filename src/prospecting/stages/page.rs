//! What a page says: addresses, numbers, and who is at the head of it. Read from the stream of its tags, without a tree: a
//! page that is made to be deep or wide costs no more than its length.

use html5gum::{DefaultEmitter, HtmlString, Spanned, StartTag, Token, Tokenizer};
use serde_json::Value;

use super::{email, phone};
use crate::domain::prospect::Owner;

/// Of each kind on one page; those beyond are noise.
pub(super) const MOST: usize = 50;
/// Of a name or a title, in characters.
const LONGEST_NAME: usize = 100;

/// What a page says, in its order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contacts {
    pub emails: Vec<String>,
    pub phones: Vec<String>,
    pub owner: Option<Owner>,
}

/// Where the text is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Visible,
    Data,
    Hidden,
}

/// Reads a page. `national`: numbers without a country are North America's.
pub(super) fn read(html: &str, national: bool) -> Contacts {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let (mut contacts, mut text, mut data) = (Contacts::default(), String::new(), String::new());
    let mut place = Place::Visible;
    for token in Tokenizer::new_with_emitter(html, emitter) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                match &**tag.name {
                    b"a" | b"area" => contacts.link(&tag, national),
                    b"script" if is_data(&tag) => place = Place::Data,
                    b"script" | b"style" | b"template" | b"noscript" => place = Place::Hidden,
                    _ => {}
                }
                text.push(' ');
            }
            Token::EndTag(tag) => {
                if matches!(&**tag.name, b"script" | b"style" | b"template" | b"noscript") {
                    if place == Place::Data {
                        contacts.data(&data, national);
                        data.clear();
                    }
                    place = Place::Visible;
                }
                text.push(' ');
            }
            Token::String(piece) => match place {
                Place::Visible => text.push_str(&String::from_utf8_lossy(&piece)),
                Place::Data => data.push_str(&String::from_utf8_lossy(&piece)),
                Place::Hidden => {}
            },
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    email::within(&text).for_each(|address| add(&mut contacts.emails, address));
    phone::within(&text).for_each(|number| add(&mut contacts.phones, number));
    contacts
}

fn attribute(tag: &StartTag<()>, name: &[u8]) -> Option<String> {
    let value: &Spanned<HtmlString, ()> = tag.attributes.get(name)?;
    Some(String::from_utf8_lossy(value).trim().to_owned())
}

fn is_data(tag: &StartTag<()>) -> bool {
    attribute(tag, b"type").is_some_and(|kind| kind.to_lowercase().starts_with("application/ld+json"))
}

fn add(to: &mut Vec<String>, what: String) {
    if to.len() < MOST && !to.contains(&what) {
        to.push(what);
    }
}

/// On one line, printable, and short.
fn name(text: &str) -> Option<String> {
    let clean: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let clean = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_name = !clean.is_empty() && clean.chars().count() <= LONGEST_NAME && !clean.contains(['<', '>', '{', '}']);
    is_name.then_some(clean)
}

impl Contacts {
    fn link(&mut self, tag: &StartTag<()>, national: bool) {
        let Some(link) = attribute(tag, b"href") else { return };
        let Some((scheme, rest)) = link.split_once(':') else { return };
        match scheme.to_ascii_lowercase().as_str() {
            "mailto" => email::of_link(rest).for_each(|address| add(&mut self.emails, address)),
            "tel" => self.phone(rest, national),
            _ => {}
        }
    }

    fn phone(&mut self, text: &str, national: bool) {
        if let Some(number) = phone::read(text, national) {
            add(&mut self.phones, number);
        }
    }

    /// JSON-LD, as schema.org has it. The depth is bounded by the parser.
    fn data(&mut self, text: &str, national: bool) {
        if let Ok(value) = serde_json::from_str::<Value>(text.trim()) {
            self.walk(&value, national);
        }
    }

    fn walk(&mut self, value: &Value, national: bool) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.walk(item, national)),
            Value::Object(fields) => {
                for (key, value) in fields {
                    match (key.as_str(), value) {
                        ("email", Value::String(address)) => {
                            let address = address.trim();
                            let address = address.strip_prefix("mailto:").unwrap_or(address);
                            email::of_link(address).for_each(|address| add(&mut self.emails, address));
                        }
                        ("telephone", Value::String(number)) => {
                            self.phone(number.trim_start_matches("tel:"), national);
                        }
                        ("founder" | "founders" | "owner" | "employee" | "employees", people) => {
                            self.owner = self.owner.take().or_else(|| person(people));
                            self.walk(people, national);
                        }
                        (_, nested) => self.walk(nested, national),
                    }
                }
            }
            _ => {}
        }
    }
}

/// The first person that is named.
fn person(value: &Value) -> Option<Owner> {
    match value {
        Value::Array(people) => people.iter().find_map(person),
        Value::String(text) => Some(Owner { name: name(text)?, ..Owner::default() }),
        Value::Object(fields) => {
            let text = |key: &str| fields.get(key).and_then(Value::as_str);
            Some(Owner {
                name: name(text("name")?)?,
                title: text("jobTitle").and_then(name),
                email: text("email").and_then(|address| email::read(address.trim_start_matches("mailto:"))),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn links_structured_data_and_visible_text_are_read_and_scripts_are_not() {
        let html = r#"<!doctype html><html><head><title>Harbor</title>
            <script>var spy = "spy@tracker.example";</script><style>a:after{content:"css@style.example"}</style>
            <script type="application/ld+json">{"@context":"https://schema.org","@graph":[{"@type":"Restaurant",
              "telephone":"(619) 867-5309","email":"mailto:Info@harbor.example",
              "founder":{"@type":"Person","name":"Ann\u0000 Lee","jobTitle":"Owner","email":"ann@harbor.example"}}]}</script>
            </head><body><!-- hidden@comment.example --><a href="MAILTO:joe&#64;harbor.example?subject=x">Joe</a>
            <a href="tel:+1-619-867-5310">call</a><p>Or <b>sue@harbor.example</b>, 619-867-5311<p></body>"#;
        let contacts = read(html, true);
        let emails = ["info@harbor.example", "ann@harbor.example", "joe@harbor.example", "sue@harbor.example"];
        assert_eq!(contacts.emails.iter().collect::<std::collections::BTreeSet<_>>().len(), emails.len());
        assert!(emails.iter().all(|wanted| contacts.emails.iter().any(|found| found == wanted)), "{contacts:?}");
        assert_eq!(contacts.phones, ["+16198675309", "+16198675310", "+16198675311"]);
        let owner = contacts.owner.unwrap();
        assert_eq!((owner.name.as_str(), owner.title.as_deref()), ("Ann Lee", Some("Owner")));
        assert_eq!(owner.email.as_deref(), Some("ann@harbor.example"));
    }

    #[test]
    fn structured_data_that_is_broken_or_absurd_does_no_harm() {
        let deep = "[".repeat(100_000);
        let long = format!(r#"{{"founder":{{"name":"{}"}}}}"#, "x".repeat(10_000));
        let markup = r#"{"founder":{"name":"<img src=x onerror=alert(1)>"},"email":7,"telephone":["a"]}"#;
        for data in ["", "{", "null", &deep, &long, markup] {
            let html = format!(r#"<script type="application/ld+json">{data}</script><p>a@harbor.example"#);
            let contacts = read(&html, true);
            assert_eq!((contacts.emails.len(), contacts.owner), (1, None), "{}", &data[..data.len().min(40)]);
        }
    }

    #[test]
    fn a_page_that_is_made_to_hurt_costs_no_more_than_its_length() {
        let began = Instant::now();
        let length = 1 << 20;
        for html in [
            "<div>".repeat(length / 5),
            "<a href='mailto:".repeat(length / 16),
            "a@".repeat(length / 2),
            "@".repeat(length),
            "1 ".repeat(length / 2),
            "+1".repeat(length / 2),
            format!("<p {}>", "a=1 ".repeat(length / 4)),
            (0..length / 20).map(|at| format!("a{at}@harbor.example")).collect::<Vec<_>>().join(" "),
        ] {
            let contacts = read(&html, true);
            assert!(contacts.emails.len() <= MOST && contacts.phones.len() <= MOST);
        }
        assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
    }
}
