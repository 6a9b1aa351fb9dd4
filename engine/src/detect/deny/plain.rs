//! Plain lists, and nginx configuration.

use super::{DenyList, Printed, short};

/// One network per line in CIDR notation, including single addresses, after comments that begin with `#`.
pub(super) fn cidr(list: &DenyList) -> Printed {
    let mut text = list.comments();
    list.networks().iter().for_each(|network| text += &format!("{network}\n"));
    Printed { text, warnings: Vec::new() }
}

/// Directives of `ngx_http_access_module`, for inclusion in an `http`, `server` or `location` block.
pub(super) fn nginx(list: &DenyList) -> Printed {
    let mut text = list.comments();
    list.networks().iter().for_each(|network| text += &format!("deny {};\n", short(network)));
    let warnings = vec![
        "nginx takes the first rule that fits: an `allow` above the include wins over it; behind a load balancer it sees \
         clients only with `real_ip_header`"
            .to_owned(),
    ];
    Printed { text, warnings }
}
