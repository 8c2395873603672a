//! A lead as it is after all stages.

use serde_json::json;

use crate::domain::{
    AccountId, AgencyId,
    campaign::Campaign,
    clock,
    cost::Amount,
    prospect::{Findings, Prospect},
};

pub fn lead() -> (Campaign, Prospect, Findings) {
    let (agency, account) = (AgencyId::derive(&[b"a"]), AccountId::derive(&[b"a"]));
    let at = clock::from_micros(1_783_330_000_000_000);
    let text = |text: &str| Some(text.to_owned());
    let campaign = Campaign {
        id: "cmp_1".to_owned(),
        agency,
        account,
        external_id: None,
        name: "San Diego Restaurants".to_owned(),
        user_id: None,
        search_query: text("restaurants"),
        location: text("San Diego, CA"),
        business_type: text("restaurant"),
        target_count: Some(100),
        budget_limit: Some(Amount(500_000)),
        status: "completed".to_owned(),
        status_reason: None,
        leads_found: 1,
        total_cost: Amount(170),
        created_at: at,
        progress: None,
        exported_at: None,
        export_metadata: None,
    };
    let prospect = Prospect {
        campaign: text("cmp_1"),
        address: text("12 Bay St"),
        city: text("San Diego"),
        state: text("CA"),
        postal_code: text("92101"),
        source: text("google_places"),
        phone: text("+16195550100"),
        website: text("https://harbor.example"),
        category: text("restaurant"),
        email: text("ann@harbor.example"),
        owner_name: text("Ann"),
        owner_email: text("ann@harbor.example"),
        status: "qualified".to_owned(),
        confidence_score: Some(81),
        pre_validation_score: Some(85),
        is_qualified: Some(true),
        ..Prospect::new("lead_1".to_owned(), agency, account, "Harbor Grill".to_owned(), at)
    };
    let findings = json!({
        "discovery": {
            "url": "https://harbor.example", "status": 200, "pages": ["/"], "phones": [],
            "emails": [{"address": "ann@harbor.example", "generic": false, "confidence": 75}],
            "owner": {"name": "Ann", "title": null, "email": "ann@harbor.example"},
        },
        "validation": {
            "emails": [{"address": "ann@harbor.example", "verdict": "deliverable", "role": false, "confidence": 95}],
            "website": {"accessible": true, "status": 200, "confidence": 95},
        },
        "scores": {
            "name": 90, "address": 80, "phone": 85, "website": 95, "email": 95, "registration": 50, "property": 50,
            "foursquare": 50, "nonprofit": 50, "total": 81,
        },
        "took_ms": {"discovery": 120},
    });
    (campaign, prospect, serde_json::from_value(findings).unwrap())
}
