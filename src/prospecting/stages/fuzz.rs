//! Pages of strangers' websites, for [fuzzing](crate::fuzzing).

use super::page;

/// Of an address, the longest of what is found, in characters.
const LONGEST: usize = 254;

/// A page: what is found on it is short, printable, and bounded in number.
pub fn websites(data: &[u8]) {
    let contacts = page::read(&String::from_utf8_lossy(data), true);
    let owner = contacts.owner.iter().flat_map(|owner| [Some(&owner.name), owner.title.as_ref()]).flatten();
    let found = contacts.emails.iter().chain(&contacts.phones).chain(owner);
    for text in found {
        assert!(!text.is_empty() && text.chars().count() <= LONGEST, "{text:?}");
        assert!(!text.contains(char::is_control), "{text:?}");
    }
    assert!(contacts.emails.len() <= page::MOST && contacts.phones.len() <= page::MOST);
}
