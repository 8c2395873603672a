//! The page that people look at, and the client library that it and anyone else's page receives through.
//!
//! Both are plain files, embedded as they are: `page/` is served at `/` and under `/assets/`, `client/` under `/client/`.
//! Nothing is built, so what is in the repository is what runs in the browser; a debug build reads the files from disk,
//! so that a reload shows an edit. No data passes here: the page asks the REST interface and the socket like any client.

mod files;
#[cfg(test)]
mod tests;

pub use files::configure;
