//! A town of businesses to prospect: their websites, each at a loopback address of its own.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use actix_web::{HttpRequest, HttpResponse, http::header::ContentType, web};
use serde_json::{Value, json};

use super::served::Served;

/// The first website's address; the others follow.
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 1);
/// Websites that one server has at most.
const MOST: u32 = 250;

/// A business as a database of places knows it.
#[derive(Debug, Clone)]
pub struct Business {
    number: u32,
    /// Its website, if it has one.
    pub website: Option<String>,
}

/// What there is to find out about a business, by its number: so that each kind comes in every ten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A person's address, and who it is.
    Open,
    /// An address of the firm only.
    Generic,
    /// Addresses in a domain that takes no mail.
    Undeliverable,
    /// robots.txt asks everybody to stay away.
    Closed,
    /// The site fails.
    Broken,
    /// There is no website.
    Offline,
}

const fn kind(number: u32) -> Kind {
    match number % 10 {
        3 => Kind::Generic,
        5 => Kind::Undeliverable,
        6 => Kind::Closed,
        8 => Kind::Broken,
        9 => Kind::Offline,
        _ => Kind::Open,
    }
}

/// Runs until it is dropped.
pub struct Town {
    served: Served,
    count: u32,
}

impl Town {
    /// Opens the websites of so many businesses, 250 at most.
    ///
    /// # Errors
    /// If their addresses can't be listened on.
    pub fn open(count: u32) -> io::Result<Self> {
        let count = count.clamp(1, MOST);
        let all = (0..count).map(|number| SocketAddr::from((Ipv4Addr::from(u32::from(FIRST) + number), 0)));
        let routes = |config: &mut web::ServiceConfig| {
            config.default_service(web::to(visit));
        };
        let served = Served::start_at(all.collect(), 1, routes, || {})?;
        if served.addresses().len() < count as usize {
            return Err(io::Error::other("not all addresses of 127.1.0.0/24 can be listened on"));
        }
        Ok(Self { served, count })
    }

    /// The businesses.
    #[must_use]
    pub fn businesses(&self) -> Vec<Business> {
        let website = |number: u32, address: &SocketAddr| {
            let website = (kind(number) != Kind::Offline).then(|| format!("http://{address}"));
            Business { number, website }
        };
        (0..self.count).zip(self.served.addresses()).map(|(number, address)| website(number, address)).collect()
    }
}

impl Business {
    /// What it is called: a name that no other of the town has.
    #[must_use]
    pub fn name(&self) -> String {
        const FIRST: [&str; 10] =
            ["Harbor", "Juniper", "Old Town", "Sunset", "Mission", "Pacific", "Copper", "Linden", "Bay", "Canyon"];
        const SECOND: [&str; 7] = ["Grill", "Bakery", "Plumbing", "Dental", "Roofing", "Optics", "Cycles"];
        let (first, rest) = (self.number % 10, self.number / 10);
        let name = format!("{} {}", FIRST[first as usize], SECOND[(rest % 7) as usize]);
        if rest < 7 { name } else { format!("{name} {}", rest / 7 + 1) }
    }

    /// As it is given to the hub: name, address, and what a database of places knows besides.
    #[must_use]
    pub fn listing(&self) -> Value {
        json!({
            "name": self.name(),
            "address": format!("{} Market Street", 12 + self.number * 4),
            "city": "San Diego", "state": "CA", "postal_code": "92101", "country": "US",
            "source": "google_places",
            "category": "local_business",
            "phone": format!("+1619867{:04}", 5000 + self.number),
            "website": self.website,
        })
    }
}

async fn visit(request: HttpRequest) -> HttpResponse {
    let SocketAddr::V4(at) = request.app_config().local_addr() else { return HttpResponse::NotFound().finish() };
    let number = u32::from(*at.ip()).wrapping_sub(u32::from(FIRST));
    match page(number, request.path()) {
        Some((content, body)) => HttpResponse::Ok().content_type(content).body(body),
        None if kind(number) == Kind::Broken => HttpResponse::InternalServerError().body("Database error"),
        None => HttpResponse::NotFound().finish(),
    }
}

fn page(number: u32, path: &str) -> Option<(ContentType, String)> {
    let kind = kind(number);
    let name = Business { number, website: None }.name();
    let domain = name.to_lowercase().replace(' ', "-");
    let html = |body: String| Some((ContentType::html(), format!("<!doctype html><title>{name}</title>{body}")));
    match (path, kind) {
        ("/robots.txt", Kind::Closed) => Some((ContentType::plaintext(), "User-agent: *\nDisallow: /\n".to_owned())),
        (_, Kind::Broken | Kind::Closed | Kind::Offline) => None,
        ("/", Kind::Open) => html(format!(
            r#"<h1>{name}</h1><p>Since 1987. <a href="/contact">Contact</a>
            <script type="application/ld+json">{{"@type":"LocalBusiness","founder":{{"name":"{}","jobTitle":"Owner"}}}}</script>"#,
            owner(number)
        )),
        ("/", _) => html(format!("<h1>{name}</h1><p>Open every day.")),
        ("/contact", Kind::Open) => {
            let first = owner(number).split(' ').next().unwrap_or_default().to_lowercase();
            html(format!(r#"<a href="mailto:{first}@{domain}.example">Write to us</a> or info@{domain}.example"#))
        }
        ("/contact", Kind::Generic) => html(format!("info@{domain}.example")),
        ("/contact", Kind::Undeliverable) => html(format!("office@null-{domain}.example")),
        _ => None,
    }
}

const fn owner(number: u32) -> &'static str {
    const NAMES: [&str; 6] = ["Ann Lee", "Marco Ruiz", "Zoe Berg", "Sam Okafor", "Priya Nair", "Lena Wolf"];
    NAMES[(number % 6) as usize]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[tokio::test]
    async fn each_business_has_a_name_and_a_website_of_its_own() {
        let town = Town::open(100).unwrap();
        let all = town.businesses();
        let names: HashSet<String> = all.iter().map(Business::name).collect();
        let sites: HashSet<&String> = all.iter().filter_map(|business| business.website.as_ref()).collect();
        assert_eq!((names.len(), sites.len()), (100, 90));
        let get = async |at: usize, path: &str| {
            let answer = reqwest::get(format!("{}{path}", all[at].website.as_ref().unwrap())).await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        let (status, home) = get(11, "/").await;
        assert!(status == 200 && home.contains("<h1>Juniper Bakery</h1>") && home.contains("\"jobTitle\":\"Owner\""));
        assert!(get(11, "/contact").await.1.contains("mailto:lena@juniper-bakery.example"));
        assert_eq!(get(6, "/robots.txt").await.1, "User-agent: *\nDisallow: /\n");
        assert_eq!((get(8, "/").await.0, get(0, "/about").await.0), (500, 404));
    }
}
