//! What files are called.

use crate::domain::{Timestamp, campaign::Campaign};

/// `ProspectPro-Campaign-<id>-<timestamp><ending>`, in characters that mean nothing to any file system or header.
#[must_use]
pub fn name(campaign: &Campaign, at: Timestamp, ending: &str) -> String {
    let harmless = |char: char| if char.is_ascii_alphanumeric() || char == '_' { char } else { '-' };
    let id: String = campaign.id.chars().map(harmless).take(64).collect();
    format!("ProspectPro-Campaign-{id}-{}{ending}", at.format("%Y-%m-%dT%H-%M-%SZ"))
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn a_name_is_harmless_whatever_the_id_is() {
        let (mut campaign, ..) = sample::lead();
        let at = campaign.created_at;
        assert_eq!(name(&campaign, at, ".csv"), "ProspectPro-Campaign-cmp_1-2026-07-06T09-26-40Z.csv");
        campaign.id = "../\"x\"\r\né".to_owned();
        assert_eq!(name(&campaign, at, ".csv"), "ProspectPro-Campaign-----x-----2026-07-06T09-26-40Z.csv");
    }
}
