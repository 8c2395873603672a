use std::collections::HashSet;

use actix_web::{
    App,
    body::to_bytes,
    dev::ServiceResponse,
    http::{Method, StatusCode, header},
    test,
};

use super::configure;

async fn ask(method: Method, path: &str, headers: &[(header::HeaderName, &str)]) -> ServiceResponse {
    let app = test::init_service(App::new().configure(configure)).await;
    let mut request = test::TestRequest::default().method(method).uri(path);
    for header in headers {
        request = request.insert_header(header.clone());
    }
    test::call_service(&app, request.to_request()).await
}

async fn get(path: &str) -> ServiceResponse {
    ask(Method::GET, path, &[]).await
}

async fn text(path: &str) -> String {
    let response = get(path).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    String::from_utf8(to_bytes(response.into_body()).await.unwrap().to_vec()).unwrap()
}

fn header_of<'r>(response: &'r ServiceResponse, name: &header::HeaderName) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// What a file's source loads: quoted addresses after `from`, `src=`, `href=`.
fn loads(source: &str) -> HashSet<String> {
    ["from \"", "src=\"", "href=\""]
        .iter()
        .flat_map(|opening| source.split(opening).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .filter(|address| address.starts_with(['/', '.']))
        .map(ToOwned::to_owned)
        .collect()
}

#[actix_web::test]
async fn the_page_is_at_the_root_under_a_policy_that_allows_no_inline_code() {
    let response = get("/").await;

    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header_of(&response, &header::CONTENT_TYPE), "text/html; charset=utf-8");
    let policy = header_of(&response, &header::CONTENT_SECURITY_POLICY);
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(header_of(&response, &header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    assert_eq!(header_of(&response, &header::REFERRER_POLICY), "no-referrer");
    assert!(header_of(&response, &header::PERMISSIONS_POLICY).contains("camera=()"));
}

#[actix_web::test]
async fn the_page_has_no_inline_script_or_style_that_its_policy_would_refuse() {
    let page = text("/").await;

    assert!(page.split("<script").skip(1).all(|script| script.split('>').next().unwrap().contains("src=")), "{page}");
    assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" on"), "{page}");
}

#[actix_web::test]
async fn every_file_that_the_page_loads_is_served_with_its_type() {
    let mut waiting = vec!["/".to_owned()];
    let mut seen = HashSet::new();
    while let Some(path) = waiting.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let kind = header_of(&get(&path).await, &header::CONTENT_TYPE).to_owned();
        let expected = match path.rsplit_once('.').map(|(_, ending)| ending) {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!(kind, expected, "{path}");
        let base = url::Url::parse("http://hub").unwrap().join(&path).unwrap();
        waiting.extend(loads(&text(&path).await).iter().map(|address| base.join(address).unwrap().path().to_owned()));
    }
    for needed in ["/assets/app.js", "/assets/views/row.js", "/assets/style/list.css", "/client/connection.js"] {
        assert!(seen.contains(needed), "{needed} is loaded by nothing");
    }
}

#[actix_web::test]
async fn a_browser_that_holds_a_file_is_told_so_and_sent_nothing() {
    let first = get("/assets/app.js").await;
    let tag = header_of(&first, &header::ETAG).to_owned();
    assert_eq!(tag.len(), 66, "a quoted SHA-256: {tag}");
    assert_eq!(header_of(&first, &header::CACHE_CONTROL), "no-cache");

    let held = format!("\"something-else\", W/{tag}");
    let again = ask(Method::GET, "/assets/app.js", &[(header::IF_NONE_MATCH, &held)]).await;

    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(header_of(&again, &header::ETAG), tag);
    assert!(to_bytes(again.into_body()).await.unwrap().is_empty());
}

#[actix_web::test]
async fn a_browser_that_holds_an_older_file_gets_the_new_one() {
    let response = ask(Method::GET, "/assets/app.js", &[(header::IF_NONE_MATCH, "\"0123\"")]).await;

    assert_eq!(response.status(), StatusCode::OK);
}

#[actix_web::test]
async fn the_client_library_may_be_loaded_by_any_page_and_the_page_by_its_own_only() {
    let library = get("/client/leadwire.js").await;
    assert_eq!(header_of(&library, &header::ACCESS_CONTROL_ALLOW_ORIGIN), "*");
    assert_eq!(header_of(&library, &header::CROSS_ORIGIN_RESOURCE_POLICY), "cross-origin");
    assert_eq!(header_of(&get("/client/leadwire.d.ts").await, &header::CONTENT_TYPE), "text/plain; charset=utf-8");

    let page = get("/assets/app.js").await;
    assert_eq!(header_of(&page, &header::ACCESS_CONTROL_ALLOW_ORIGIN), "");
    assert_eq!(header_of(&page, &header::CROSS_ORIGIN_RESOURCE_POLICY), "same-origin");
}

#[actix_web::test]
async fn the_files_are_for_reading() {
    for path in ["/", "/assets/style.css", "/client/leadwire.js"] {
        assert_eq!(ask(Method::POST, path, &[]).await.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
}

#[actix_web::test]
async fn what_is_not_for_the_outside_is_not_found() {
    for path in [
        "/assets/VENDOR.md",
        "/assets/index.html",
        "/assets/missing.js",
        "/assets/../mod.rs",
        "/assets/..%2ffiles.rs",
        "/assets/%2e%2e/client/leadwire.js",
        "/assets//etc/passwd",
        "/client/../page/app.js",
    ] {
        assert_eq!(get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}
