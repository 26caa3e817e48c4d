//! The PowerShell that runs on nodes, as it lies in `scripts/`.

use crate::session::Script;

macro_rules! script {
    ($name:literal) => {
        Script { name: $name, source: include_str!(concat!("../scripts/", $name, ".ps1")) }
    };
}

/// The session host: not sent as a script but started with.
pub const HOST: &str = include_str!("../scripts/host.ps1");

/// Libraries, in the order in which they are loaded.
pub const LIBRARIES: &[Script] =
    &[script!("lib-seam"), script!("lib-json"), script!("lib-memory"), script!("lib-facts"), script!("lib-guard"), script!("lib-work")];

/// Scripts that only look.
pub const PROBES: &[Script] = &[
    script!("probe-node"),
    script!("probe-cluster"),
    script!("probe-storage"),
    script!("probe-registration"),
    script!("probe-update"),
    script!("probe-doctor"),
];

/// Scripts that perform orders.
pub const ORDERS: &[Script] = &[
    script!("order-fence"),
    script!("order-cancel"),
    script!("order-registry"),
    script!("order-vacate"),
    script!("order-reboot"),
    script!("order-install"),
    script!("order-restart"),
    script!("order-return"),
];

/// Scripts that an order leaves on the node, to go on there by themselves.
pub const TASKS: &[Script] = &[script!("task-install"), script!("task-restart")];

/// The script of that name, with all that Drydock has.
pub fn script(name: &str) -> Option<Script> {
    [LIBRARIES, PROBES, ORDERS, TASKS].into_iter().flatten().find(|script| script.name == name).copied()
}
