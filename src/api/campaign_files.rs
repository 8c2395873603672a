//! A campaign's leads as files: made when somebody asks, or kept since it was completed.

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
    web::{Data, Path},
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::json;

use super::{
    ApiError, ApiState, Caller,
    campaigns::{Parameters, find, parameter},
    extract::storable,
};
use crate::{
    domain::{
        audit::{Action, Event},
        campaign::Campaign,
        clock,
    },
    exports::{self, ExportError, Leads},
    store::ExportFilter,
};

type Answer = Result<HttpResponse, ApiError>;

/// Leads with a lower score are not in a list, unless asked otherwise.
const MIN_CONFIDENCE: i32 = 70;
const CSV: &str = "text/csv; charset=utf-8";
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const JSON: &str = "application/json";
/// What is not ASCII is encoded in any case.
const NAME: &AsciiSet = &CONTROLS.add(b'%');

/// `GET /api/campaigns/{id}/export?format=csv|xlsx|summary|analysis&minConfidence=70`: the campaign's leads from that score
/// on, or what they come to; the latter two of all leads, unless asked otherwise.
pub async fn export(state: Data<ApiState>, caller: Caller, id: Path<String>, query: Parameters) -> Answer {
    let format = query.get("format").map_or("csv", String::as_str);
    let is_list = matches!(format, "csv" | "xlsx");
    let least: Option<i32> = parameter(&query, "minConfidence")?;
    let least = least.or(is_list.then_some(MIN_CONFIDENCE)).filter(|least| *least > 0);
    let filter = ExportFilter { min_confidence: least, qualified: false };
    let campaign = find(&state, &caller, &id).await?;
    let count = async |filter| {
        state.store.count_campaign_leads(campaign.agency, &[campaign.account], &campaign.id, filter).await
    };
    let (listed, all) = (count(filter).await?, count(ExportFilter::default()).await?);
    let leads = Leads::new(state.store.clone(), campaign.clone(), filter);
    record(&state, &caller, &campaign, format).await?;
    let now = clock::now();
    let mut answer = HttpResponse::Ok();
    answer
        .insert_header(("X-Export-Count", listed))
        .insert_header(("X-Total-Count", all))
        .insert_header(("X-Campaign-Name", utf8_percent_encode(&campaign.name, NAME).to_string()));
    let mut named = |ending: &str, kind: &str| {
        as_file(&mut answer, &exports::name(&campaign, now, ending), kind);
    };
    match format {
        "csv" => {
            named(".csv", CSV);
            Ok(answer.streaming(exports::csv(leads)))
        }
        "xlsx" => {
            named(".xlsx", XLSX);
            Ok(answer.body(exports::xlsx(leads).await?))
        }
        "summary" => {
            named("-summary.json", JSON);
            Ok(answer.json(exports::tally(leads).await?.summary(&campaign, now)))
        }
        "analysis" => {
            named("-analysis.json", JSON);
            Ok(answer.json(exports::tally(leads).await?.analysis(&campaign, now)))
        }
        _ => Err(ApiError::bad_request("`format` must be csv, xlsx, summary or analysis.")),
    }
}

/// `GET /api/campaigns/{id}/files`: those that were made when it was completed.
pub async fn list(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    let Campaign { agency, account, id, .. } = find(&state, &caller, &id).await?;
    let files = state.store.campaign_files(agency, &[account], &id).await?;
    Ok(HttpResponse::Ok().json(json!({"items": files})))
}

/// `GET /api/campaigns/{id}/files/{name}`.
pub async fn read(state: Data<ApiState>, caller: Caller, path: Path<(String, String)>) -> Answer {
    let (id, name) = path.into_inner();
    let campaign = find(&state, &caller, &id).await?;
    let name = storable(&name);
    let content = state.store.campaign_file(campaign.agency, &[campaign.account], &campaign.id, &name).await?;
    let content = content.ok_or_else(|| ApiError::not_found("file"))?;
    let mut answer = HttpResponse::Ok();
    record(&state, &caller, &campaign, "file").await?;
    let is_json = name.rsplit('.').next() == Some("json");
    as_file(&mut answer, &name, if is_json { JSON } else { CSV });
    Ok(answer.body(content))
}

/// Nothing leaves without a record of it.
async fn record(state: &ApiState, caller: &Caller, campaign: &Campaign, format: &str) -> Result<(), ApiError> {
    if !matches!(format, "csv" | "xlsx" | "summary" | "analysis" | "file") {
        return Err(ApiError::bad_request("`format` must be csv, xlsx, summary or analysis."));
    }
    let event = Event::new(Action::ExportDownloaded, campaign.agency).within(campaign.account).on(&campaign.id);
    Ok(state.store.by(caller.author()).record(event.with("format", format)).await?)
}

/// Browsers keep it under this name.
fn as_file(answer: &mut HttpResponseBuilder, name: &str, kind: &str) {
    answer
        .insert_header((header::CONTENT_TYPE, kind))
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")));
}

impl From<ExportError> for ApiError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::TooMany => {
                let most = exports::MOST;
                let why =
                    format!("There are more than {most} leads: export them as CSV, or choose a higher minConfidence.");
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, why)
            }
            ExportError::Store(error) => error.into(),
            ExportError::Unwritable(why) => {
                tracing::error!(why, "a campaign's leads could not be exported");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "The file could not be made; the hub's log says why.")
            }
        }
    }
}
