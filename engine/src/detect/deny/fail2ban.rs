//! Commands that ban addresses in a fail2ban jail.

use super::{DenyList, DenyOptions, Printed, checked_name, short};
use crate::Error;

/// Maximum length of the name of a jail, limited by the names of chains derived from it.
const NAME: usize = 26;

/// Checks the name of the jail.
pub(super) fn checked(options: &DenyOptions) -> Result<&str, Error> {
    checked_name("a jail", &options.jail, NAME)
}

pub(super) fn print(list: &DenyList, options: &DenyOptions) -> Result<Printed, Error> {
    let jail = checked(options)?;
    let mut text = list.comments();
    for network in list.networks() {
        text += &format!("fail2ban-client set {jail} banip {}\n", short(network));
    }
    let warnings = vec![format!(
        "the jail {jail} must exist, and its `bantime`, not the list, decides how long addresses stay banned; it should be \
         {} seconds",
        list.good_for().as_secs()
    )];
    Ok(Printed { text, warnings })
}
