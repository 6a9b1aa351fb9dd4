//! Commands that ban in a jail of fail2ban.

use super::{DenyList, DenyOptions, Printed, checked_name, short};
use crate::Error;

/// The longest name of a jail: those of the chains that it makes are not longer.
const NAME: usize = 26;

/// The name of the jail.
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
        "the jail {jail} has to be there, and its `bantime` says how long they stay banned, not the list: {} seconds are \
         meant",
        list.good_for().as_secs()
    )];
    Ok(Printed { text, warnings })
}
