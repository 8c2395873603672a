//! Leadwire: webhooks in, dashboards first, database after.
//!
//! The map of the house. Data flows one way:
//!
//! ```text
//! platform ─POST─▶ inbound ─▶ inbox (durable) ──200──▶ platform
//!                               │
//!                               ▼
//!                          enrichment ─▶ realtime ─▶ dashboards     push first
//!                                            │
//!                                            ▼
//!                                       persistence ─▶ store        then keep
//! ```
//!
//! Replies go the other way, kept before they go out:
//!
//! ```text
//! dashboards ─▶ api, realtime ─▶ store (the queue) ─▶ sending ─▶ platform
//!                                                        └─▶ inbox, as the platform's own echo of the message
//! ```
//!
//! Businesses are found out about in stages, each pushed and then kept:
//!
//! ```text
//! prospects ─▶ store (the queue) ─▶ prospecting ─▶ websites, name servers
//!                                        └─▶ dashboards ─▶ store
//! campaigns that are completed ─▶ exports ─▶ store (their files)
//! ```
//!
//! What changes in the database goes to others as webhooks, whoever changed it:
//!
//! ```text
//! a change ─▶ trigger ─▶ store (the outbox, in the same transaction) ─▶ outbox ─▶ endpoints of agencies
//!                                                                          └─▶ inbox: prospecting's own tables
//! ```
//!
//! | module | owns | never |
//! |---|---|---|
//! | [`domain`] | plain data and rules: ids, rooms, events, envelopes, leads, messages, the directory | talks to anything |
//! | [`config`] | settings, the master key | |
//! | [`http`] | what all routes share: clients' addresses behind proxies, bodies that come in time, connections counted | knows a route or an account |
//! | [`telemetry`] | logs and metrics | logs a secret or a payload |
//! | [`inbound`] | webhooks in: verify, split, accept, answer | answers 200 before the commit, calls a platform |
//! | [`inbox`] | what was accepted and is not finished; the envelope log | forgets |
//! | [`platforms`] | clients of the platforms' own APIs, of websites and mail domains; readers of what platforms' webhooks tell | decides when to try again |
//! | [`enrichment`] | one supervisor an account: order, budget, retries, parking | lets one account wait for another |
//! | [`upkeep`] | that platforms' webhooks come here, and that what did not come is fetched | delays a start, is waited for |
//! | [`realtime`] | the registry, shards, rooms and sessions | reads the store |
//! | [`persistence`] | the persister: batches, patience; when leads were first seen | is waited for by a dashboard |
//! | [`store`] | the database: schema, queries, migrations | is asked without an account |
//! | [`sending`] | replies to platforms: kept first, sent once, in order | sends again what may have gone out |
//! | [`prospecting`] | enrichment of prospects: four stages, accounts in turn | believes a website, goes where it leads unasked; lets a stage that fails end the others |
//! | [`outbox`] | webhooks to endpoints: at least once, under one id, signed | is waited for by who changes a row; posts into a private network unasked |
//! | [`exports`] | files of campaigns: made when those are completed, and when somebody asks | fails what it is made of; holds a long list in memory |
//! | [`erasure`] | what was deleted leaves the log, the records and the dashboards as well | decides what is deleted; is waited for by a webhook |
//! | [`costs`] | what accounts spend, held against their thresholds; alerts | knows who wrote a cost |
//! | [`api`] | what dashboards and programs ask over HTTP | is on the way of a live envelope |
//! | [`dashboard`] | the page and the client library | |
//! | [`app`], [`cli`] | joining the parts; the command line | hold rules of their own |
//! | [`auth`] | who somebody is and which accounts they may see | |
//! | [`fuzzing`](../fuzz/README.md) | what must hold of whatever strangers send; for tests and `fuzz/` only | is part of the hub |
//!
//! `tests/architecture.rs` holds the table of which module may use which.

pub mod api;
pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod costs;
pub mod dashboard;
pub mod domain;
pub mod enrichment;
pub mod erasure;
pub mod exports;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod inbound;
pub mod inbox;
pub mod outbox;
pub mod persistence;
pub mod platforms;
pub mod prospecting;
pub mod realtime;
pub mod sending;
pub mod store;
pub mod telemetry;
pub mod upkeep;
