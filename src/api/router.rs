//! Every route of the API, on one screen.

use actix_web::{
    middleware::DefaultHeaders,
    web::{ServiceConfig, scope},
};

use super::{
    attention, audit, campaign_files, campaigns, chats, costs, deliveries, endpoints, extract::BodyLimit, health,
    leads, login, me, people, prospecting, prospects, sends, sync,
};
use crate::http::{
    Routes,
    routes::{delete, get, post, put},
};

/// Adds the routes. The app must hold `web::Data<ApiState>`.
pub fn configure(app: &mut ServiceConfig) {
    let headers = DefaultHeaders::new().add(("Cache-Control", "no-store")).add(("X-Content-Type-Options", "nosniff"));
    Routes::new().route("/health", get().to(health::alive)).register(app);
    app.service(scope("/api").wrap(headers).configure(|api| prospecting(people()).register(api)));
}

/// Adds the health routes of the systems that Leadwire replaces. They ask the database, so they are for whoever runs the
/// hub and not for the public. The app must hold `web::Data<ApiState>`.
pub fn configure_health(app: &mut ServiceConfig) {
    // The doubled ones are where the origin really listens.
    Routes::new()
        .route("/api/health", get().to(health::origin))
        .route("/api/webhooks/lead-enrichment/health", get().to(prospecting::lead_health))
        .route("/api/webhooks/lead-enrichment/lead-enrichment/health", get().to(prospecting::lead_health))
        .route("/api/webhooks/cost-alert/health", get().to(prospecting::cost_health))
        .route("/api/webhooks/cost-alert/cost-alert/health", get().to(prospecting::cost_health))
        .route("/api/webhooks/campaign-lifecycle/health", get().to(prospecting::campaign_health))
        .register(app);
}

/// Signing in, leads, chats, and where webhooks of the hub go.
fn people() -> Routes {
    Routes::new()
        .route("/health", get().to(health::origin))
        .route("/login", post().to(login::login))
        .route("/logout", post().to(login::logout))
        .route("/token", post().to(login::token))
        .route("/me", get().to(me::me))
        .route("/people", get().to(people::list))
        .route("/attention", get().to(attention::list))
        .route("/audit", get().to(audit::list))
        // The lead dashboard's own routes, in its shapes; the fixed names before `{id}`.
        .route("/leads", get().to(leads::list))
        .route("/leads/manual", get().to(leads::list_manual))
        .route("/leads/from-facebook", get().to(leads::list_from_facebook))
        .route("/leads/create", post().to(leads::create))
        .route("/leads/{id}/signal", post().to(leads::signal))
        .route("/leads/{id}", get().to(leads::read))
        .route("/leads/{id}", put().to(leads::update))
        .route("/leads/{id}", delete().to(leads::remove))
        // The message inbox's, in its shapes; `assign` and `sends` are the hub's own.
        .route("/chats", get().to(chats::list))
        .route("/chats/sync", post().to(sync::all))
        .route("/chats/{id}/sync", post().to(sync::chat))
        .route("/chats/{id}", get().to(chats::read))
        .route("/chats/{id}", delete().to(chats::remove))
        .route("/chats/{id}/messages", get().to(chats::messages))
        .route("/chats/{id}/messages/{message}", delete().to(chats::remove_message))
        .route("/chats/{id}/messages", post().to(sends::send))
        .route("/unipile/chats/{id}/messages", post().to(sends::send))
        .route("/chats/{id}/sends", get().to(sends::list))
        .route("/chats/{id}/attendee/{provider_id}", get().to(chats::attendee))
        .route("/chats/{id}/mark-read", post().to(chats::mark_read))
        .route("/chats/{id}/ignore", post().to(chats::ignore))
        .route("/chats/{id}/unignore", post().to(chats::unignore))
        .route("/chats/{id}/assist-mode", post().to(chats::set_assist_mode))
        .route("/chats/{id}/assign", post().to(chats::assign))
        // Where webhooks of the hub go, and what went there.
        .route("/endpoints", get().to(endpoints::list))
        .route("/endpoints", post().to(endpoints::add))
        .route("/endpoints/{id}", get().to(endpoints::read))
        .route("/endpoints/{id}", put().to(endpoints::change))
        .route("/endpoints/{id}", delete().to(endpoints::remove))
        .route("/endpoints/{id}/rotate", post().to(endpoints::rotate))
        .route("/endpoints/{id}/test", post().to(endpoints::test))
        .route("/endpoints/{id}/stop", post().to(endpoints::stop))
        .route("/endpoints/{id}/resume", post().to(endpoints::resume))
        .route("/endpoints/{id}/take-over", post().to(endpoints::take_over))
        .route("/endpoints/{id}/deliveries", get().to(deliveries::list))
        .route("/endpoints/{id}/replay", post().to(deliveries::replay))
        .route("/endpoints/{id}/replays/{replay}", get().to(deliveries::progress))
        .route("/endpoints/{id}/replays/{replay}/cancel", post().to(deliveries::cancel))
}

/// Businesses, and what finding out about them costs.
fn prospecting(routes: Routes) -> Routes {
    routes
        .with_data("/prospects", BodyLimit(prospects::MAX_BODY))
        .route("/prospects", get().to(prospects::list))
        .route("/prospects", post().to(prospects::add))
        .route("/prospects/{id}", get().to(prospects::read))
        .route("/prospects/{id}", delete().to(prospects::remove))
        .route("/prospects/{id}/enrich", post().to(prospects::enrich))
        // What finds them, and the files of what was found.
        .route("/campaigns", get().to(campaigns::list))
        .route("/campaigns", post().to(campaigns::create))
        .route("/campaigns/summary", get().to(campaigns::summary))
        .route("/campaigns/{id}", get().to(campaigns::read))
        .route("/campaigns/{id}", delete().to(campaigns::remove))
        .route("/campaigns/{id}/start", post().to(campaigns::start))
        .route("/campaigns/{id}/complete", post().to(campaigns::complete))
        .route("/campaigns/{id}/cancel", post().to(campaigns::cancel))
        .route("/campaigns/{id}/export", get().to(campaign_files::export))
        .route("/campaigns/{id}/files", get().to(campaign_files::list))
        .route("/campaigns/{id}/files/{name}", get().to(campaign_files::read))
        // What is spent at others' APIs; the last two in the shapes of the prospecting system.
        .route("/cost-thresholds", get().to(costs::thresholds))
        .route("/cost-thresholds", put().to(costs::put_threshold))
        .route("/cost-thresholds/{id}", delete().to(costs::remove_threshold))
        .route("/cost-alerts", get().to(costs::alerts))
        .route("/costs/summary", get().to(costs::summary))
        .route("/webhooks/cost-alert/status", get().to(costs::status))
        .route("/webhooks/cost-alert/resolve/{id}", post().to(costs::resolve))
        .route("/webhooks/campaign-lifecycle/events/{id}", get().to(prospecting::events))
}
