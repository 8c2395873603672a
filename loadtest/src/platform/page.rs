//! A page at the platform: its token, its leads, and how calls for them go.

use std::{collections::VecDeque, ops::RangeInclusive, sync::Arc, time::Duration};

use super::{
    failure::Failure,
    lead::Lead,
    meta::Change,
    state::{PageState, Rule, Shared},
};

/// How calls go: how long they take, and which of them fail. Set on a page it counts all calls with the page's token,
/// set on a lead only those for that lead.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    latency: Option<Duration>,
    steps: VecDeque<(u32, Failure)>,
    then: Option<Share>,
}

/// Of every `of` calls `part` fail.
#[derive(Debug, Clone, Copy)]
struct Share {
    part: u32,
    of: u32,
    failure: Failure,
    owed: u64,
}

impl Share {
    /// Spread evenly, by counting what is owed: the third of every three fails when one of three does.
    fn next_failure(&mut self) -> Option<Failure> {
        self.owed += u64::from(self.part.min(self.of));
        let due = self.of > 0 && self.owed >= u64::from(self.of);
        due.then(|| {
            self.owed -= u64::from(self.of);
            self.failure
        })
    }
}

impl Behaviour {
    /// Every call is answered.
    #[must_use]
    pub fn answers() -> Self {
        Self::default()
    }

    /// Every call fails.
    #[must_use]
    pub fn fails(failure: Failure) -> Self {
        Self::fails_share(1, 1, failure)
    }

    /// Of every `of` calls `part` fail, spread evenly and not by chance; until another behaviour is set.
    #[must_use]
    pub fn fails_share(part: u32, of: u32, failure: Failure) -> Self {
        Self { then: Some(Share { part, of, failure, owed: 0 }), ..Self::default() }
    }

    /// The next `times` calls fail, those after them are answered.
    #[must_use]
    pub fn fails_times(times: u32, failure: Failure) -> Self {
        Self::default().then_fails_times(times, failure)
    }

    /// After what was said so far, `times` calls more fail.
    #[must_use]
    pub fn then_fails_times(mut self, times: u32, failure: Failure) -> Self {
        self.steps.push_back((times, failure));
        self
    }

    /// A call takes this long before it is answered or fails.
    #[must_use]
    pub const fn latency(mut self, latency: Duration) -> Self {
        self.latency = Some(latency);
        self
    }

    pub(super) const fn delay(&self) -> Option<Duration> {
        self.latency
    }

    /// How the next call fails, if it does; uses that call up.
    pub(super) fn next_failure(&mut self) -> Option<Failure> {
        while let Some((times, failure)) = self.steps.front_mut() {
            if *times > 0 {
                *times -= 1;
                return Some(*failure);
            }
            self.steps.pop_front();
        }
        self.then.as_mut().and_then(Share::next_failure)
    }
}

/// A page of a [`Simulator`](super::Simulator). Cheap to clone; all clones are the same page.
#[derive(Clone)]
pub struct Page {
    pub(super) shared: Arc<Shared>,
    pub(super) id: u64,
}

impl Page {
    /// The page's id.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    fn change<T>(&self, change: impl FnOnce(&mut PageState) -> T) -> T {
        change(self.shared.lock().page(self.id))
    }

    /// Gives the page this token; one that it had before has from now on run out.
    pub fn set_token(&self, token: &str) {
        self.shared.lock().set_token(self.id, token);
    }

    /// The page's token runs out: calls with it fail with 190/463 until [`set_token`](Self::set_token).
    pub fn expire_token(&self) {
        self.shared.lock().end_token(self.id, Failure::TokenExpired);
    }

    /// The page's token is withdrawn, as by a change of password: calls with it fail with 190/460, also after
    /// [`set_token`](Self::set_token) has given the page a new one.
    pub fn revoke_token(&self) {
        self.shared.lock().end_token(self.id, Failure::TokenRevoked);
    }

    /// From now on calls must carry the `appsecret_proof` made with this app secret.
    pub fn require_proof(&self, app_secret: &str) {
        self.change(|page| page.secret = Some(app_secret.to_owned()));
    }

    /// How all calls with the page's token go.
    pub fn behave(&self, behaviour: Behaviour) {
        self.change(|page| page.behaviour = behaviour);
    }

    /// How calls for one lead go. The lead need not be there yet.
    pub fn behave_for(&self, leadgen_id: u64, behaviour: Behaviour) {
        self.shared.lock().behaviours.insert(leadgen_id, behaviour);
    }

    /// The share of its budget that the usage headers say the page has spent, in percent.
    pub fn set_usage(&self, percent: u32) {
        self.change(|page| page.usage = percent);
    }

    /// Adds a lead and returns its id: 16 digits, more than a double holds exactly.
    #[must_use]
    pub fn add_lead(&self, lead: Lead) -> u64 {
        self.shared.lock().add_lead(self.id, lead)
    }

    /// Adds a lead under an id of your choice, or replaces it.
    pub fn put_lead(&self, leadgen_id: u64, lead: Lead) {
        self.shared.lock().leads.insert(leadgen_id, (self.id, lead));
    }

    /// The lead was deleted at the platform, or was never there.
    pub fn remove_lead(&self, leadgen_id: u64) {
        self.shared.lock().leads.remove(&leadgen_id);
    }

    /// Every id of the range is a lead of this page, made up when it is asked for.
    pub fn generate_leads(&self, ids: RangeInclusive<u64>, make: impl Fn(u64) -> Lead + Send + Sync + 'static) {
        self.change(|page| page.rules.push(Rule { ids, make: Arc::new(make) }));
    }

    /// The webhook's word of a lead of this page; `None` if there is no such lead.
    #[must_use]
    pub fn change_for(&self, leadgen_id: u64) -> Option<Change> {
        let lead = self.shared.lock().lead(self.id, leadgen_id)?;
        Some(Change {
            page_id: self.id,
            leadgen_id,
            form_id: lead.form_id,
            ad_id: lead.ad_id(),
            created_time: lead.created_time,
        })
    }

    /// Calls with a token of this page, a token that ran out included.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.change(|page| page.calls)
    }

    /// How many of them were answered with a lead.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.change(|page| page.answered)
    }

    /// Most calls that were under way at once.
    #[must_use]
    pub fn most_at_once(&self) -> u32 {
        self.change(|page| page.most_running)
    }
}
