//! How something is published at another hub: one HTTP request, made of a template.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Client, Method};
use serde::Deserialize;

use super::super::sessions::marked;

/// The template. `{id}` stands for the mark by which sessions know what they read, `{payload}` for so many dots.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Publish {
    method: String,
    pub(super) url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: String,
    /// An answer with one of these in it is a refusal, whatever its status.
    #[serde(default)]
    refused: Vec<String>,
}

/// Publishing is given up after this long.
const PATIENCE: Duration = Duration::from_secs(10);

impl Publish {
    pub(super) fn check(&self) -> Result<()> {
        let mut texts = [&self.url, &self.body].into_iter().chain(self.headers.values());
        ensure!(texts.any(|text| text.contains("{id}")), "publish: {{id}} is nowhere in url, headers and body");
        Method::from_bytes(self.method.as_bytes()).with_context(|| format!("publish.method = \"{}\"", self.method))?;
        Ok(())
    }

    /// The same with something else in every text.
    pub(super) fn map(&self, change: impl Fn(&str) -> String) -> Self {
        Self {
            url: change(&self.url),
            headers: self.headers.iter().map(|(name, value)| (name.clone(), change(value))).collect(),
            body: change(&self.body),
            ..self.clone()
        }
    }
}

/// Publishes, over connections that stay.
pub(super) struct Publisher {
    client: Client,
    template: Publish,
    payload: String,
}

impl Publisher {
    pub(super) fn new(template: Publish, payload_bytes: usize) -> Result<Self> {
        let client = Client::builder().timeout(PATIENCE).build()?;
        Ok(Self { client, template, payload: ".".repeat(payload_bytes) })
    }

    pub(super) async fn publish(&self, number: u32) -> Result<()> {
        let mark = marked(number.into(), 0);
        let made = self.template.map(|text| text.replace("{id}", &mark).replace("{payload}", &self.payload));
        let method = Method::from_bytes(made.method.as_bytes())?;
        let mut request = self.client.request(method, &made.url).body(made.body);
        for (name, value) in made.headers {
            request = request.header(name, value);
        }
        let answer = request.send().await.with_context(|| format!("can't publish at {}", self.template.url))?;
        let status = answer.status();
        let said = answer.text().await.context("the answer to what was published broke off")?;
        if !status.is_success() || self.template.refused.iter().any(|text| said.contains(text)) {
            let said: String = said.chars().take(300).collect();
            bail!("{} does not publish: {status} {said}", self.template.url);
        }
        Ok(())
    }
}
