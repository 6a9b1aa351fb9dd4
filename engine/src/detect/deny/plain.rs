//! Plain lists, and nginx.

use super::{DenyList, Printed, short};

/// One network a line in CIDR form, single addresses too, behind comments that begin with `#`.
pub(super) fn cidr(list: &DenyList) -> Printed {
    let mut text = list.comments();
    list.networks().iter().for_each(|network| text += &format!("{network}\n"));
    Printed { text, warnings: Vec::new() }
}

/// Directives of `ngx_http_access_module`, to be included in a block `http`, `server` or `location`.
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
