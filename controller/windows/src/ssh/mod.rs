//! The session host over SSH: exec of Windows PowerShell, its standard input and output. Needs OpenSSH on the node and nothing else.
//!
//! A host key that is not on record ends the connection before anything is said. Only keys log on, from a credential or an agent: a key that
//! a node refuses locks no account, so the breaker has no part here.

mod known;

pub(crate) use known::{Verdict, judge, kinds};

use crate::auth::Refusal;
use crate::credential::{Credential, SshProof, unavailable};
use crate::error::SessionError;
use crate::net::dial;
use crate::session::{Broken, Output};
use russh::client::{AuthResult, Config, Handle, Handler, connect_stream};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate, decode_secret_key};
use russh::{Channel, ChannelMsg, Disconnect, Preferred, client};
use std::borrow::Cow;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// A file of known hosts of a large site has some ten thousand lines.
const FILE: u64 = 16 * 1024 * 1024;
/// Keys of an agent that are offered; sshd ends the connection after six.
const OFFERED: usize = 5;
/// How long the key exchange, and then the logon, may take.
const STEP: Duration = Duration::from_secs(30);
/// A node that says nothing is asked whether it lives, this often; after three times it does not.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// What cmd.exe, the default shell, takes as one line (Microsoft: "Command prompt line string limitation").
const COMMAND_LINE: usize = 8_191;
/// How long a host may take to end after its input ended.
const FAREWELL: Duration = Duration::from_secs(5);

/// The node, and whom to believe.
pub(crate) struct Way<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) known_hosts: &'a [PathBuf],
    pub(crate) program: &'a str,
    pub(crate) name: &'a str,
    pub(crate) connect: Duration,
}

/// A session host behind SSH.
pub(crate) struct Ssh {
    handle: Handle<Checker>,
    channel: Channel<client::Msg>,
    exit: Option<i32>,
}

/// Judges the host key.
struct Checker {
    known: String,
    host: String,
    port: u16,
    said: Arc<Mutex<Option<String>>>,
}

impl Handler for Checker {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let key: &PublicKey = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => key,
            PublicKeyOrCertificate::Certificate(_) => return Ok(false),
        };
        let bytes = key.to_bytes().unwrap_or_default();
        let (host, print) = (&self.host, key.fingerprint(HashAlg::Sha256));
        let why = match judge(&self.known, &self.host, self.port, &bytes) {
            Verdict::Known => return Ok(true),
            Verdict::Changed { line } => format!(
                "{host} shows another host key ({print}) than the one on record in line {line} of known_hosts: somebody else answers, or the node was \
                 installed anew; compare it at the node's console before you replace the line"
            ),
            Verdict::Revoked { line } => format!("{host} shows a host key ({print}) that line {line} of known_hosts revokes"),
            Verdict::Unknown => format!(
                "{host} shows a host key ({print}) that is not on record; compare it at the node's console, then add it to known_hosts"
            ),
        };
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        Ok(false)
    }
}

impl Ssh {
    /// Connects, checks the host key, logs on and starts the program.
    pub(crate) async fn open(way: &Way<'_>, credential: &Credential, arguments: &[String]) -> Result<Self, SessionError> {
        let line = format!("{} {}", way.program, arguments.join(" "));
        if line.len() > COMMAND_LINE {
            return Err(SessionError::ScriptRefused(format!("the command line is longer than {COMMAND_LINE} characters")));
        }
        let known = way.known_hosts.iter().map(|file| read(file)).collect::<Result<Vec<_>, _>>().map_err(Refusal::HostKey)?.join("\n");
        let tcp = dial(way.host, way.port, way.connect).await?;
        let config = Config {
            keepalive_interval: Some(KEEPALIVE),
            keepalive_max: 3,
            preferred: preferred(&kinds(&known, way.host, way.port)),
            ..Config::default()
        };
        let said = Arc::new(Mutex::new(None));
        let checker = Checker { known, host: way.host.to_owned(), port: way.port, said: said.clone() };
        let broken = |e: russh::Error| SessionError::Unreachable(format!("SSH: {e}"));
        let slow = || SessionError::Unreachable(format!("SSH: no answer within {STEP:?}"));
        let mut handle = match timeout(STEP, connect_stream(Arc::new(config), tcp, checker)).await {
            Ok(Ok(handle)) => handle,
            Ok(Err(error)) => {
                let why = said.lock().unwrap_or_else(PoisonError::into_inner).take();
                return Err(why.map_or_else(|| broken(error), |why| Refusal::HostKey(why).into()));
            }
            Err(_) => return Err(slow()),
        };
        timeout(STEP, log_on(&mut handle, credential, way.name)).await.map_err(|_| slow())??;
        let starting = async {
            let channel = handle.channel_open_session().await.map_err(broken)?;
            channel.exec(true, line).await.map_err(broken)?;
            Ok::<_, SessionError>(channel)
        };
        let channel = timeout(STEP, starting).await.map_err(|_| slow())??;
        Ok(Self { handle, channel, exit: None })
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        if self.handle.is_closed() {
            return Err(Broken::before("the SSH connection is closed"));
        }
        self.channel.data_bytes(bytes.to_vec()).await.map_err(|e| Broken::after(format!("SSH: {e}")))
    }

    pub(crate) async fn receive(&mut self) -> Result<Output, Broken> {
        loop {
            match self.channel.wait().await {
                Some(ChannelMsg::Data { data }) => return Ok(Output { stdout: data.to_vec(), ..Output::default() }),
                Some(ChannelMsg::ExtendedData { data, .. }) => return Ok(Output { stderr: data.to_vec(), ..Output::default() }),
                // Output may still follow; the end is when the channel closes.
                Some(ChannelMsg::ExitStatus { exit_status }) => self.exit = Some(exit_status as i32),
                Some(ChannelMsg::Failure) => {
                    return Err(Broken::refused(SessionError::ScriptRefused("sshd does not run the program".into())));
                }
                Some(ChannelMsg::Close) => return Ok(Output { ended: Some(self.exit), ..Output::default() }),
                Some(_) => {}
                None if self.exit.is_some() => return Ok(Output { ended: Some(self.exit), ..Output::default() }),
                None => return Err(Broken::after("the SSH connection ended")),
            }
        }
    }

    /// Ends the program's input, waits a little, and ends the connection; a program that stays loses both.
    pub(crate) async fn close(mut self) {
        let farewell = async {
            self.channel.eof().await?;
            while let Some(message) = self.channel.wait().await {
                if matches!(message, ChannelMsg::Close) {
                    break;
                }
            }
            Ok::<(), russh::Error>(())
        };
        if !matches!(timeout(FAREWELL, farewell).await, Ok(Ok(()))) {
            tracing::debug!("a session host over SSH did not end by itself");
        }
        let parting = self.handle.disconnect(Disconnect::ByApplication, "", "");
        if !matches!(timeout(FAREWELL, parting).await, Ok(Ok(()))) {
            tracing::debug!("an SSH connection did not end by itself");
        }
    }
}

async fn log_on(handle: &mut Handle<Checker>, credential: &Credential, name: &str) -> Result<(), SessionError> {
    let (user, proof) = credential.ssh().map_err(|why| unavailable(name, why))?;
    let broken = |e: russh::Error| SessionError::Unreachable(format!("SSH: {e}"));
    // SHA-1 signatures are refused by every server of these years.
    let hash = handle.best_supported_rsa_hash().await.map_err(broken)?.flatten().unwrap_or(HashAlg::Sha512);
    match proof {
        SshProof::Key { key, passphrase } => {
            let text = key.expose_text().ok_or_else(|| unavailable(name, "the SSH key is not text"))?;
            let phrase = passphrase.map(|p| p.expose_text().ok_or_else(|| unavailable(name, "the passphrase is not text"))).transpose()?;
            // The library's words may quote the key.
            let key = decode_secret_key(text, phrase).map_err(|_| {
                unavailable(
                    name,
                    if phrase.is_some() {
                        "the SSH key cannot be read, or the passphrase is wrong"
                    } else {
                        "the SSH key cannot be read, or needs a passphrase"
                    },
                )
            })?;
            let key = PrivateKeyWithHashAlg::new(Arc::new(key), Some(hash));
            match handle.authenticate_publickey(user.clone(), key).await.map_err(broken)? {
                AuthResult::Success => Ok(()),
                AuthResult::Failure { .. } => Err(Refusal::KeyRefused(user).into()),
            }
        }
        SshProof::Agent => {
            let lost = |e: russh::keys::Error| unavailable(name, format!("the SSH agent does not answer: {e}"));
            let mut agent = AgentClient::connect_env().await.map_err(lost)?;
            for identity in agent.request_identities().await.map_err(lost)?.into_iter().take(OFFERED) {
                let AgentIdentity::PublicKey { key, .. } = identity else { continue };
                let hash = key.algorithm().is_rsa().then_some(hash);
                match handle.authenticate_publickey_with(user.clone(), key, hash, &mut agent).await {
                    Ok(AuthResult::Success) => return Ok(()),
                    Ok(AuthResult::Failure { .. }) => {}
                    Err(error) => return Err(unavailable(name, format!("the SSH agent does not sign: {error}")).into()),
                }
            }
            Err(Refusal::KeyRefused(user).into())
        }
    }
}

/// The usual algorithms, those of the keys on record first.
fn preferred(kinds: &[String]) -> Preferred {
    let mut preferred = Preferred::default();
    let mut keys = preferred.key.to_vec();
    // An RSA key is on record as ssh-rsa, whatever hash it signs with.
    keys.sort_by_key(|a| !kinds.iter().any(|k| k == a.as_str() || (a.as_str().starts_with("rsa-") && k == "ssh-rsa")));
    preferred.key = Cow::Owned(keys);
    preferred
}

/// A file that is not there knows nobody. One that cannot be read could revoke what another one knows, so nobody is believed then.
fn read(file: &Path) -> Result<String, String> {
    let cannot = |why: String| format!("the known hosts in {} cannot be read: {why}", file.display());
    let opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(cannot(error.to_string())),
    };
    let mut text = Vec::new();
    opened.take(FILE + 1).read_to_end(&mut text).map_err(|error| cannot(error.to_string()))?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > FILE {
        return Err(cannot(format!("it is larger than {FILE} bytes")));
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_known_hosts_that_cannot_be_read_is_named_with_the_reason_and_a_missing_one_knows_nobody() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(&folder.path().join("none")), Ok(String::new()));
        let why = read(folder.path()).unwrap_err();
        assert!(why.contains(&folder.path().display().to_string()) && why.contains("directory"), "{why}");
        let large = folder.path().join("large");
        File::create(&large).unwrap().set_len(FILE + 1).unwrap();
        assert!(read(&large).unwrap_err().contains("larger"));
        std::fs::write(&large, "n01 ssh-ed25519 AAAA\n").unwrap();
        assert_eq!(read(&large), Ok("n01 ssh-ed25519 AAAA\n".to_owned()));
    }
}
