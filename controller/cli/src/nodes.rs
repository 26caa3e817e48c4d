//! From a controller's configuration to sessions on real nodes: credentials, whom to trust, the state folder of the breaker.

use crate::exit::{Exit, Failure};
use crate::setup;
use drydock_spec::wire::config::{Authentication, Config, Encryption, Holds, NodeCredential, SecretFrom, WinRm};
use drydock_windows::auth::{Breaker, Instruments, Kerberos, Method, Sealing, Security};
use drydock_windows::credential::{Credentials, Field, Reference, Source};
use drydock_windows::http::{Pin, Trust};
use drydock_windows::port::{RealNodes, Ways};
use drydock_windows::scripts;
use drydock_windows::session::{self, Sessions};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The program that answers on a node; part of every Windows that Drydock upgrades.
const POWERSHELL: &str = "powershell.exe";

/// One question to a domain controller; it answers in milliseconds, or another one is asked.
const KDC: Duration = Duration::from_secs(5);

/// A command that prints a secret, a vault's client for instance.
const COMMAND: Duration = Duration::from_secs(20);

/// A file of authorities; a system's whole list has some 200 KiB.
const MOST_AUTHORITIES: u64 = 4 << 20;

/// How long nodes may take to let go of their sessions.
const CLOSING: Duration = Duration::from_secs(15);

/// Who opens sessions: two processes never share a name, or each would take the other's for left over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The controller.
    Run,
    /// A command that looks once. Sweeps nothing, as several may run at the same time.
    Look,
}

/// The folder in which the breaker of the credentials is kept.
pub fn breaker_folder(config: &Config) -> PathBuf {
    config.state_directory.join("credentials")
}

/// Sessions on the nodes that this configuration can reach.
pub fn real_nodes(config: &Config, instruments: Arc<dyn Instruments>, purpose: Purpose) -> Result<RealNodes, Failure> {
    keep_out_of_core_dumps();
    let mut ways = BTreeMap::new();
    let mut references = BTreeMap::new();
    for credential in &config.nodes.credentials {
        references.insert(credential.name.clone(), reference(credential));
        ways.insert(credential.name.clone(), ways_of(credential)?);
    }
    let folder = breaker_folder(config);
    let breaker = Breaker::new(&folder, instruments.clone()).map_err(|e| {
        let what = format!("what is known of refused accounts cannot be kept in {}: {e}", folder.display());
        Failure::new(Exit::Local, what, "make stateDirectory a folder that the controller may write to")
    })?;
    let owner = match purpose {
        Purpose::Run => format!("{}-run", config.name),
        Purpose::Look => format!("{}-look", config.name),
    };
    let settings = session::Config {
        sweep: purpose == Purpose::Run,
        open: usize::from(config.nodes.parallel_sessions),
        ..session::Config::new(&owner, scripts::HOST)
    };
    let credentials = Credentials::new(references, instruments.clone()).withholding(setup::secret_variables(config));
    let sessions = Sessions::new(settings, instruments.clone(), Arc::new(credentials), Arc::new(breaker));
    Ok(RealNodes::new(sessions, ways, instruments, POWERSHELL))
}

/// Ends all sessions, and waits until the nodes have let go of them.
pub async fn close(real: &RealNodes) {
    if !real.sessions().close(CLOSING).await {
        tracing::warn!("not every session on a node could be ended in time; those that are left end by themselves within minutes");
    }
}

/// From here on this process holds secrets: neither a core dump nor another process of the same account shall show them.
fn keep_out_of_core_dumps() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none).and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable)) {
        tracing::warn!(%error, "core dumps cannot be switched off; if this process crashes, a dump may hold secrets");
    }
}

fn reference(credential: &NodeCredential) -> Reference {
    let source = match &credential.secret {
        SecretFrom::File(path, holds) => {
            let field = match holds {
                Holds::Password => Field::Password,
                Holds::Keytab => Field::Keytab,
                Holds::Tickets => Field::Cache,
                Holds::SshKey => Field::SshKey,
            };
            Source::File { path: path.clone(), field }
        }
        SecretFrom::Directory(path) => Source::Directory(path.clone()),
        SecretFrom::Environment(variable) => Source::Environment { variable: variable.clone(), field: Field::Password },
        SecretFrom::Command(words) => Source::Command {
            program: words.first().map(PathBuf::from).unwrap_or_default(),
            arguments: words.iter().skip(1).cloned().collect(),
            within: COMMAND,
        },
        SecretFrom::Agent => Source::Agent,
    };
    Reference { user: credential.user.clone(), source }
}

fn ways_of(credential: &NodeCredential) -> Result<Ways, Failure> {
    let winrm = credential.winrm.as_ref().map(|winrm| security(&credential.name, winrm)).transpose()?;
    Ok(Ways { winrm, ssh: credential.ssh.as_ref().map(|ssh| ssh.known_hosts.clone()) })
}

fn security(name: &str, winrm: &WinRm) -> Result<Security, Failure> {
    let wrong = |what: String| {
        Failure::new(Exit::Configuration, format!("credential {name}: {what}"), "mend nodes.credentials in the configuration")
    };
    let kerberos = || -> Result<Sealing, Failure> {
        // The configuration was checked: Kerberos has its realm.
        let realm = winrm.kerberos.as_ref().ok_or_else(|| wrong("Kerberos needs a realm".to_owned()))?;
        let kdcs = realm.kdcs.iter().map(|kdc| if kdc.contains(':') { kdc.clone() } else { format!("{kdc}:88") }).collect();
        Ok(Sealing::Kerberos(Kerberos { realm: realm.realm.clone(), kdcs, service_host: None, within: KDC }))
    };
    let trust = match &winrm.encryption {
        Encryption::Authorities(path) => {
            Trust::authorities(&read(path).map_err(&wrong)?).map_err(|e| wrong(format!("{}: {e}", path.display())))?
        }
        Encryption::Fingerprint(text) => Trust::Pinned(text.parse::<Pin>().map_err(|e| wrong(e.to_string()))?),
        Encryption::Message => {
            let method = match winrm.authentication {
                Authentication::Kerberos => kerberos()?,
                Authentication::Ntlm => Sealing::Ntlm,
                Authentication::Basic | Authentication::Certificate => {
                    return Err(wrong("without TLS only Kerberos and NTLM protect messages".to_owned()));
                }
            };
            return Ok(Security::SealedHttp { method });
        }
    };
    let method = match winrm.authentication {
        Authentication::Kerberos => Method::Bound(kerberos()?),
        Authentication::Ntlm => Method::Bound(Sealing::Ntlm),
        Authentication::Basic => Method::Basic,
        Authentication::Certificate => Method::Certificate,
    };
    Ok(Security::Https { trust, method })
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read;
    let cannot = |e: std::io::Error| format!("{} cannot be read: {e}", path.display());
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(cannot)?.take(MOST_AUTHORITIES).read_to_end(&mut bytes).map_err(cannot)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};

    #[test]
    fn a_process_that_holds_secrets_leaves_no_core_dump_and_lets_no_neighbour_look_into_it() {
        keep_out_of_core_dumps();
        let core = getrlimit(Resource::Core);
        assert_eq!((core.current, core.maximum), (Some(0), Some(0)));
        assert_eq!(dumpable_behavior().expect("Linux says it"), DumpableBehavior::NotDumpable);
    }
}
