//! Routes whose unknown methods are answered with 405 and the methods that are known.

use actix_web::{
    Handler, Resource, Responder, Route,
    http::{Method, StatusCode, header},
    web::{self, ServiceConfig},
};

use super::problem;

/// Routes, gathered by path.
#[derive(Default)]
pub struct Routes {
    paths: Vec<Path>,
}

struct Path {
    pattern: String,
    methods: Vec<Method>,
    resource: Resource,
}

/// A method that waits for its handler.
pub struct Verb(Method);

/// GET, and with it HEAD.
#[must_use]
pub fn get() -> Verb {
    Verb(Method::GET)
}

/// POST.
#[must_use]
pub fn post() -> Verb {
    Verb(Method::POST)
}

/// PUT.
#[must_use]
pub fn put() -> Verb {
    Verb(Method::PUT)
}

/// DELETE.
#[must_use]
pub fn delete() -> Verb {
    Verb(Method::DELETE)
}

impl Verb {
    /// The route of a handler.
    pub fn to<F, Args>(self, handler: F) -> (Method, Route)
    where
        F: Handler<Args>,
        Args: actix_web::FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let route = web::method(self.0.clone()).to(handler);
        (self.0, route)
    }
}

impl Routes {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a method of a path. Where patterns overlap, the one that was added first counts.
    #[must_use]
    pub fn route(mut self, pattern: &str, (method, route): (Method, Route)) -> Self {
        let path = self.path(pattern);
        path.methods.push(method);
        path.resource = std::mem::replace(&mut path.resource, web::resource(pattern)).route(route);
        self
    }

    /// Gives the handlers of a path something of their own.
    #[must_use]
    pub fn with_data(mut self, pattern: &str, data: impl Clone + 'static) -> Self {
        let path = self.path(pattern);
        path.resource = std::mem::replace(&mut path.resource, web::resource(pattern)).app_data(data);
        self
    }

    fn path(&mut self, pattern: &str) -> &mut Path {
        let place = self.paths.iter().position(|path| path.pattern == pattern).unwrap_or_else(|| {
            let pattern = pattern.to_owned();
            self.paths.push(Path { resource: web::resource(&*pattern), pattern, methods: Vec::new() });
            self.paths.len() - 1
        });
        &mut self.paths[place]
    }

    /// Hands them to the app or the scope.
    pub fn register(self, app: &mut ServiceConfig) {
        for Path { methods, resource, .. } in self.paths {
            let known: Vec<&str> = methods.iter().map(Method::as_str).collect();
            let known = known.join(", ").replace("GET", "GET, HEAD");
            let refused = move || {
                let mut answer = problem(StatusCode::METHOD_NOT_ALLOWED, &format!("This address knows {known} only."));
                if let Ok(known) = header::HeaderValue::from_str(&known) {
                    answer.headers_mut().insert(header::ALLOW, known);
                }
                std::future::ready(answer)
            };
            app.service(resource.default_service(web::to(refused)));
        }
    }
}
