//! What the simulator knows, and what it answers to a call: no sockets and no time in here.

use std::{
    collections::HashMap,
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::sync::watch;

use super::{
    failure::{self, Failure, GraphError},
    lead::{FIELDS, Lead},
    messenger::Outbox,
    meta,
    page::Behaviour,
};

/// The state, and the count of calls that others wait on.
pub(super) struct Shared {
    state: Mutex<State>,
    calls: watch::Sender<u64>,
}

impl Shared {
    pub(super) fn new(latency: Duration) -> Self {
        let state = State { latency, ..State::default() };
        Self { state: Mutex::new(state), calls: watch::Sender::new(0) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count_call(&self) {
        self.calls.send_modify(|calls| *calls += 1);
    }

    pub(super) fn watch_calls(&self) -> watch::Receiver<u64> {
        self.calls.subscribe()
    }
}

/// Ids whose leads are made when they are asked for, so that a long run needs no memory for them.
pub(super) struct Rule {
    pub ids: RangeInclusive<u64>,
    pub make: Arc<dyn Fn(u64) -> Lead + Send + Sync>,
}

#[derive(Default)]
pub(super) struct PageState {
    pub secret: Option<String>,
    pub behaviour: Behaviour,
    pub rules: Vec<Rule>,
    pub usage: u32,
    pub calls: u64,
    pub answered: u64,
    pub running: u32,
    pub most_running: u32,
    pub outbox: Outbox,
}

/// A token is good for exactly one page, until it ends in some way.
struct Token {
    page: u64,
    ended: Option<Failure>,
}

#[derive(Default)]
pub(super) struct State {
    pages: HashMap<u64, PageState>,
    tokens: HashMap<String, Token>,
    /// With the page that each belongs to.
    pub leads: HashMap<u64, (u64, Lead)>,
    pub behaviours: HashMap<u64, Behaviour>,
    /// Of every call that no behaviour gives another.
    pub latency: Duration,
    calls: HashMap<u64, u32>,
    added: u64,
}

/// A call, as far as the answer depends on it.
pub(super) struct Call<'a> {
    pub object: u64,
    pub token: Option<&'a str>,
    pub proof: Option<&'a str>,
    pub fields: Option<&'a str>,
}

/// What to do with a call.
pub(super) struct Decision {
    /// The page whose token it was.
    pub page: Option<u64>,
    /// For the usage header, in percent, and minutes until there is budget again.
    pub usage: (u32, u32),
    pub delay: Duration,
    pub outcome: Outcome,
}

pub(super) enum Outcome {
    Object(Value),
    Error(GraphError),
    /// One of the ways of a network.
    Broken(Failure),
}

/// The first id given out: more than 2^53, so that a double rounds it.
const FIRST_LEADGEN_ID: u64 = 9_007_199_254_740_993;

impl State {
    pub(super) fn page(&mut self, id: u64) -> &mut PageState {
        self.pages.entry(id).or_default()
    }

    pub(super) fn set_token(&mut self, page: u64, token: &str) {
        self.end_token(page, Failure::TokenExpired);
        self.page(page);
        self.tokens.insert(token.to_owned(), Token { page, ended: None });
    }

    /// The page's token is no good from now on; one that ended before stays ended as it was.
    pub(super) fn end_token(&mut self, page: u64, how: Failure) {
        let tokens = self.tokens.values_mut().filter(|token| token.page == page);
        tokens.for_each(|token| token.ended = token.ended.or(Some(how)));
    }

    pub(super) fn add_lead(&mut self, page: u64, lead: Lead) -> u64 {
        let id = FIRST_LEADGEN_ID + self.added;
        self.added += 1;
        self.leads.insert(id, (page, lead));
        id
    }

    pub(super) fn lead(&self, page: u64, id: u64) -> Option<Lead> {
        if let Some((owner, lead)) = self.leads.get(&id) {
            return (*owner == page).then(|| lead.clone());
        }
        let rule = self.pages.get(&page)?.rules.iter().find(|rule| rule.ids.contains(&id))?;
        Some((rule.make)(id))
    }

    pub(super) fn calls_for(&self, object: u64) -> u32 {
        self.calls.get(&object).copied().unwrap_or_default()
    }

    /// The page that a token sends for.
    pub(super) fn sender(&mut self, token: Option<&str>, proof: Option<&str>) -> Result<u64, GraphError> {
        let missing = || GraphError::new(104, "An access token is required to request this resource.");
        let unknown = || GraphError::new(190, "Invalid OAuth access token - Cannot parse access token");
        let found = self.tokens.get(token.ok_or_else(missing)?).ok_or_else(unknown)?;
        let (page, ended) = (found.page, found.ended);
        if let Some(error) = ended.and_then(|failure| failure.graph_error(page)) {
            return Err(error);
        }
        let call = Call { object: page, token, proof, fields: None };
        match self.page(page).secret.as_deref().and_then(|secret| wrong_proof(secret, &call)) {
            Some(error) => Err(error),
            None => Ok(page),
        }
    }

    /// Counts the call and says how it goes. The caller says [`State::finished`] when it has gone.
    pub(super) fn decide(&mut self, call: &Call<'_>) -> Decision {
        *self.calls.entry(call.object).or_default() += 1;
        let token = call.token.map(|token| self.tokens.get(token));
        let page = token.flatten().map(|token| token.page);
        if let Some(page) = page.and_then(|page| self.pages.get_mut(&page)) {
            page.calls += 1;
            page.running += 1;
            page.most_running = page.most_running.max(page.running);
        }
        let refusal = match token {
            None => Some(GraphError::new(104, "An access token is required to request this resource.")),
            Some(None) => Some(GraphError::new(190, "Invalid OAuth access token - Cannot parse access token")),
            Some(Some(token)) => token.ended.and_then(|failure| failure.graph_error(call.object)),
        };
        let (delay, outcome) = (self.latency, Outcome::Broken(Failure::Close));
        let mut decision = Decision { page, usage: (0, 0), delay, outcome };
        let (None, Some(page)) = (&refusal, page) else {
            decision.outcome = Outcome::Error(refusal.unwrap_or_else(|| failure::not_found(call.object)));
            return decision;
        };
        self.decide_for_page(call, page, &mut decision);
        decision
    }

    fn decide_for_page(&mut self, call: &Call<'_>, page_id: u64, decision: &mut Decision) {
        let page = self.page(page_id);
        decision.usage.0 = page.usage;
        decision.delay = page.behaviour.delay().unwrap_or(decision.delay);
        if let Some(error) = page.secret.as_deref().and_then(|secret| wrong_proof(secret, call)) {
            decision.outcome = Outcome::Error(error);
            return;
        }
        let mut failure = page.behaviour.next_failure();
        if failure.is_none()
            && let Some(behaviour) = self.behaviours.get_mut(&call.object)
        {
            decision.delay = behaviour.delay().unwrap_or(decision.delay);
            failure = behaviour.next_failure();
        }
        if let Some(Failure::LeadgenLimit { regain_minutes }) = failure {
            decision.usage = (100, regain_minutes);
        }
        decision.outcome = match failure {
            Some(failure) => failure.graph_error(call.object).map_or(Outcome::Broken(failure), Outcome::Error),
            None => self.answer(call, page_id),
        };
    }

    fn answer(&mut self, call: &Call<'_>, page: u64) -> Outcome {
        let fields: Option<Vec<&str>> = call.fields.map(|fields| fields.split(',').map(str::trim).collect());
        if let Some(unknown) = fields.iter().flatten().find(|&name| !FIELDS.contains(name)) {
            let text = format!("(#100) Tried accessing nonexisting field ({unknown}) on node type (UserLeadGenInfo)");
            return Outcome::Error(GraphError::new(100, text));
        }
        let Some(lead) = self.lead(page, call.object) else {
            return Outcome::Error(failure::not_found(call.object));
        };
        self.page(page).answered += 1;
        Outcome::Object(lead.object(call.object, fields.as_deref()))
    }

    /// A call that [`State::decide`] assigned to this page has gone, one way or another.
    pub(super) fn finished(&mut self, page: u64) {
        let page = self.page(page);
        page.running = page.running.saturating_sub(1);
    }
}

fn wrong_proof(secret: &str, call: &Call<'_>) -> Option<GraphError> {
    let wanted = meta::proof(call.token.unwrap_or_default(), secret);
    match call.proof {
        Some(proof) if proof == wanted => None,
        Some(_) => Some(GraphError::new(100, "Invalid appsecret_proof provided in the API argument")),
        None => Some(GraphError::new(100, "API calls from the server require an appsecret_proof argument")),
    }
}
