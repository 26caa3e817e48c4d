//! One security context: tokens to and from the node, then sealing.

use super::kdc::{self, Said};
use super::seal::{NotSealed, Sealed, open_frames, wrapped};
use super::{Kerberos, Proof, Refusal, Sealing};
use sspi::generator::GeneratorState;
use sspi::{
    AuthIdentity, AuthIdentityBuffers, BufferType, ClientRequestFlags, CredentialUse, Credentials, CredentialsBuffers, DataRepresentation,
    EncryptionFlags, Error, ErrorKind, KerberosConfig, KeytabIdentity, Ntlm, SecurityBuffer, SecurityBufferRef, SecurityStatus, Sspi as _,
    SspiImpl, Username,
};

/// Questions to KDCs in one step: two for a ticket-granting ticket, one more after a skewed clock, a few referrals.
const QUESTIONS: usize = 12;

/// Asked of every context: the node proves itself where it can, and messages are sealed in order.
const WANTED: ClientRequestFlags = ClientRequestFlags::MUTUAL_AUTH
    .union(ClientRequestFlags::CONFIDENTIALITY)
    .union(ClientRequestFlags::INTEGRITY)
    .union(ClientRequestFlags::REPLAY_DETECT)
    .union(ClientRequestFlags::SEQUENCE_DETECT);

/// What a step gave.
#[derive(Debug)]
pub(super) struct Step {
    /// For the node; may be empty at the end.
    pub(super) token: Vec<u8>,
    /// Whether our side is done.
    pub(super) done: bool,
}

/// One context.
pub(super) struct Context {
    kind: Kind,
    account: String,
    service: String,
    binding: Option<Vec<u8>>,
}

enum Kind {
    Ntlm { ntlm: Box<Ntlm>, credentials: Option<AuthIdentityBuffers> },
    Kerberos { kerberos: Box<sspi::Kerberos>, credentials: Option<CredentialsBuffers>, directory: Directory },
}

impl Context {
    /// A context for one connection. `binding` ties it to the TLS below.
    pub(super) fn new(method: &Sealing, proof: &Proof, host: &str, binding: Option<&[u8]>) -> Result<Self, Refusal> {
        let unfit = |e: Error| Refusal::Protocol(format!("the logon cannot begin: {:?}", e.error_type));
        let (kind, account) = match (method, proof) {
            (Sealing::Ntlm, Proof::Password { user, password }) => {
                let name = Username::parse(user).map_err(|_| Refusal::Protocol("the user name is not one of Windows".into()))?;
                let secret = text(password)?.to_owned().into();
                let identity = AuthIdentity { username: name, password: secret };
                let mut ntlm = Box::new(Ntlm::new());
                let acquired = ntlm.acquire_credentials_handle().with_credential_use(CredentialUse::Outbound);
                let credentials = acquired.with_auth_data(&identity).execute(ntlm.as_mut()).map_err(unfit)?.credentials_handle;
                (Kind::Ntlm { ntlm, credentials }, user.clone())
            }
            (Sealing::Kerberos(settings), proof) => {
                let (credentials, account) = kerberos_credentials(settings, proof)?;
                let first = settings.kdcs.first().map(String::as_str).unwrap_or_default();
                let config = KerberosConfig::new_with_kdc_url(&format!("tcp://{first}"), "drydock".to_owned());
                let mut kerberos = Box::new(sspi::Kerberos::new_client_from_config(config).map_err(unfit)?);
                let acquired = kerberos.acquire_credentials_handle().with_credential_use(CredentialUse::Outbound);
                let handle = acquired.with_auth_data(&credentials).execute(kerberos.as_mut()).map_err(unfit)?.credentials_handle;
                let directory = Directory { settings: settings.clone(), cached: cached(proof)?, asked: 0 };
                (Kind::Kerberos { kerberos, credentials: handle, directory }, account)
            }
            (Sealing::Ntlm, Proof::Key { .. } | Proof::Ticket { .. } | Proof::Certificate) => {
                return Err(Refusal::Protocol("NTLM needs a password".into()));
            }
        };
        let host = match method {
            Sealing::Kerberos(Kerberos { service_host: Some(host), .. }) => host,
            Sealing::Kerberos(_) | Sealing::Ntlm => host,
        };
        // The library's Kerberos marks a bound logon with two bytes (KERB_AP_OPTIONS_CBT of picky-krb 0.13) where MS-KILE has four, and MIT's
        // acceptor refuses that ("invalid message type"). The node's own proof and its validated certificate stand in for the binding; nodes
        // set to CbtHardeningLevel Strict need NTLM over TLS, or Kerberos with sealed messages.
        let binding = match method {
            Sealing::Ntlm => binding,
            Sealing::Kerberos(_) => None,
        };
        Ok(Self { kind, account, service: format!("HTTP/{host}"), binding: binding.map(security_channel_bindings) })
    }

    /// `Negotiate` or `Kerberos`, as the header names it.
    pub(super) fn scheme(&self) -> &'static str {
        match self.kind {
            Kind::Ntlm { .. } => "Negotiate",
            Kind::Kerberos { .. } => "Kerberos",
        }
    }

    /// The protocol of sealed messages.
    pub(super) fn protocol(&self) -> &'static str {
        match self.kind {
            Kind::Ntlm { .. } => "application/HTTP-SPNEGO-session-encrypted",
            Kind::Kerberos { .. } => "application/HTTP-Kerberos-session-encrypted",
        }
    }

    /// Whom a refusal is about.
    pub(super) fn account(&self) -> &str {
        &self.account
    }

    /// Takes the node's token (empty at first), gives ours.
    pub(super) async fn step(&mut self, token: &[u8]) -> Result<Step, Refusal> {
        if let (Kind::Kerberos { .. }, Some(error)) = (&self.kind, kdc::error_in_token(token)) {
            return Err(kdc::node_refusal(error, &self.service));
        }
        if matches!(self.kind, Kind::Kerberos { .. }) && !kdc::readable_token(token) {
            return Err(Refusal::Protocol("the node's token cannot be read".into()));
        }
        let mut input = vec![SecurityBuffer::new(token.to_vec(), BufferType::Token)];
        if let Some(binding) = &self.binding {
            input.push(SecurityBuffer::new(binding.clone(), BufferType::ChannelBindings));
        }
        let mut output = vec![SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let mut said = Said::default();
        let result = match &mut self.kind {
            Kind::Ntlm { ntlm, credentials } => {
                initialize(ntlm.as_mut(), credentials, &self.service, &mut input, &mut output, None, &mut said).await
            }
            Kind::Kerberos { kerberos, credentials, directory } => {
                initialize(kerberos.as_mut(), credentials, &self.service, &mut input, &mut output, Some(directory), &mut said).await
            }
        };
        match result {
            Ok(status) => {
                let token = output.pop().map(|b| b.buffer).unwrap_or_default();
                Ok(Step { token, done: status == SecurityStatus::Ok })
            }
            Err(Failed::Refused(refusal)) => Err(refusal),
            Err(Failed::Library(error)) => Err(match said.error {
                Some(code) => kdc::refusal(code, &self.account, &self.service, &error.description),
                None if error.error_type == ErrorKind::TimeSkew => Refusal::ClockSkew,
                None => Refusal::Protocol(format!("{:?}: {}", error.error_type, error.description)),
            }),
        }
    }

    /// Seals one message.
    pub(super) fn seal(&mut self, plain: &[u8]) -> Result<Sealed, Refusal> {
        let broken = |e: Error| Refusal::Protocol(format!("a message cannot be sealed: {:?}", e.error_type));
        let sspi: &mut dyn Sealer = match &mut self.kind {
            Kind::Ntlm { ntlm, .. } => ntlm.as_mut(),
            Kind::Kerberos { kerberos, .. } => kerberos.as_mut(),
        };
        let size = sspi.trailer().map_err(broken)?;
        let (mut token, mut data) = (vec![0; size], plain.to_vec());
        let (token_used, data_used) = sspi.encrypt(&mut token, &mut data).map_err(broken)?;
        token.truncate(token_used);
        data.truncate(data_used);
        Ok(Sealed { length: plain.len(), token, data })
    }

    /// Opens one framed message.
    pub(super) fn unseal(&mut self, body: &[u8]) -> Result<Vec<u8>, String> {
        let mut plain = Vec::new();
        for mut part in open_frames(body).map_err(|e: NotSealed| e.to_string())? {
            let sspi: &mut dyn Sealer = match &mut self.kind {
                Kind::Ntlm { ntlm, .. } => ntlm.as_mut(),
                Kind::Kerberos { kerberos, .. } => {
                    wrapped(&part).map_err(|e| e.to_string())?;
                    kerberos.as_mut()
                }
            };
            let opened =
                sspi.decrypt(&mut part.token, &mut part.data).map_err(|e| format!("a message cannot be opened: {:?}", e.error_type))?;
            plain.extend_from_slice(&opened);
        }
        Ok(plain)
    }
}

/// Whom tickets are asked of: the KDCs, and before them a cache.
struct Directory {
    settings: Kerberos,
    /// What the cache answers to the first question for a ticket-granting ticket, and to the second.
    cached: Option<[Vec<u8>; 2]>,
    asked: usize,
}

impl Directory {
    async fn ask(&mut self, question: &[u8], said: &mut Said) -> Result<Vec<u8>, Refusal> {
        // AS-REQ ::= [APPLICATION 10], behind its length.
        let answer = if let (Some(cached), Some(0x6a)) = (&self.cached, question.get(4)) {
            let answer = cached.get(self.asked).cloned();
            self.asked += 1;
            answer.ok_or_else(|| Refusal::Protocol("the cached ticket is not taken".into()))?
        } else {
            kdc::ask(&self.settings, question, said).await?
        };
        if answer.get(4..).is_some_and(kdc::readable) { Ok(answer) } else { Err(Refusal::Directory("its answer cannot be read".into())) }
    }
}

/// The answers of a cache, sealed with the made-up key as a directory would seal them with the account's.
fn cached(proof: &Proof) -> Result<Option<[Vec<u8>; 2]>, Refusal> {
    let Proof::Ticket { ticket, key } = proof else { return Ok(None) };
    let mut suite = sspi::kerberos::DEFAULT_ENCRYPTION_TYPE;
    suite = usize::from(ticket.kind()).try_into().unwrap_or(suite);
    let cipher = suite.cipher();
    // 3: the part of an AS-REP that is for the client (RFC 4120, 7.5.1).
    let granted = ticket.granted(|plain| cipher.encrypt(key.expose(), 3, plain).ok())?;
    Ok(Some([ticket.prove_first(), granted]))
}

enum Failed {
    Refused(Refusal),
    Library(Error),
}

/// Drives the library's step, asking the KDCs whatever it wants to know.
async fn initialize<S: sspi::Sspi + SspiImpl + Send>(
    sspi: &mut S,
    credentials: &mut S::CredentialsHandle,
    service: &str,
    input: &mut [SecurityBuffer],
    output: &mut [SecurityBuffer],
    mut directory: Option<&mut Directory>,
    said: &mut Said,
) -> Result<SecurityStatus, Failed>
where
    S::CredentialsHandle: Send,
{
    let mut builder = sspi
        .initialize_security_context()
        .with_credentials_handle(credentials)
        .with_context_requirements(WANTED)
        .with_target_data_representation(DataRepresentation::Native)
        .with_target_name(service)
        .with_input(input)
        .with_output(output);
    let mut generator = sspi.initialize_security_context_impl(&mut builder).map_err(Failed::Library)?;
    let mut state = generator.start();
    for _ in 0..QUESTIONS {
        match state {
            GeneratorState::Completed(result) => return result.map(|r| r.status).map_err(Failed::Library),
            GeneratorState::Suspended(request) => {
                let Some(directory) = &mut directory else { break };
                let answer = directory.ask(&request.data, said).await.map_err(Failed::Refused)?;
                state = generator.resume(Ok(answer));
            }
        }
    }
    Err(Failed::Refused(Refusal::Directory("it asks for more and more".into())))
}

fn kerberos_credentials(settings: &Kerberos, proof: &Proof) -> Result<(Credentials, String), Refusal> {
    // `svc`, `svc@realm` and `CORP\svc` all mean svc in the configured realm; another realm after @ is another realm.
    let principal = |user: &str| {
        let user = user.rsplit('\\').next().unwrap_or(user);
        let (name, realm) = user.rsplit_once('@').unwrap_or((user, &settings.realm));
        let realm = realm.to_ascii_uppercase();
        let username = Username::new(name, Some(&realm)).map_err(|_| Refusal::Protocol("the user name is not one of Kerberos".into()))?;
        Ok((username, format!("{name}@{realm}")))
    };
    match proof {
        Proof::Password { user, password } => {
            let (username, account) = principal(user)?;
            Ok((AuthIdentity { username, password: text(password)?.to_owned().into() }.into(), account))
        }
        Proof::Key { user, entry } => {
            let (username, account) = principal(user)?;
            let kind = usize::from(entry.kind).try_into().map_err(|_| Refusal::Protocol("the key's kind is not usable".into()))?;
            let identity = KeytabIdentity { principal: username, key: entry.key.expose().to_vec().into(), key_enctype: kind };
            Ok((Credentials::Keytab(identity), account))
        }
        Proof::Ticket { ticket, key } => {
            let bad = || Refusal::Protocol("the cached ticket's name is not one of Kerberos".into());
            let principal = Username::new(&ticket.user(), Some(&ticket.realm)).map_err(|_| bad())?;
            let kind = usize::from(ticket.kind()).try_into().map_err(|_| bad())?;
            let identity = KeytabIdentity { principal, key: key.expose().to_vec().into(), key_enctype: kind };
            Ok((Credentials::Keytab(identity), ticket.account()))
        }
        Proof::Certificate => Err(Refusal::Protocol("Kerberos needs a password or a key table".into())),
    }
}

fn text(secret: &crate::secret::Secret) -> Result<&str, Refusal> {
    secret.expose_text().ok_or_else(|| Refusal::Protocol("the password is not text".into()))
}

/// SEC_CHANNEL_BINDINGS: no addresses, and the binding itself behind the 32 bytes of the structure.
fn security_channel_bindings(binding: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0; 32];
    buffer[24..28].copy_from_slice(&u32::try_from(binding.len()).unwrap_or(0).to_le_bytes());
    buffer[28..32].copy_from_slice(&32u32.to_le_bytes());
    buffer.extend_from_slice(binding);
    buffer
}

/// The three calls that sealing needs, whichever the method.
trait Sealer {
    fn trailer(&mut self) -> Result<usize, Error>;
    fn encrypt(&mut self, token: &mut [u8], data: &mut [u8]) -> Result<(usize, usize), Error>;
    fn decrypt(&mut self, token: &mut [u8], data: &mut [u8]) -> Result<Vec<u8>, Error>;
}

impl<S: sspi::Sspi> Sealer for S {
    fn trailer(&mut self) -> Result<usize, Error> {
        Ok(usize::try_from(self.query_context_sizes()?.security_trailer).unwrap_or(0))
    }

    fn encrypt(&mut self, token: &mut [u8], data: &mut [u8]) -> Result<(usize, usize), Error> {
        let mut buffers = [SecurityBufferRef::token_buf(token), SecurityBufferRef::data_buf(data)];
        self.encrypt_message(EncryptionFlags::empty(), &mut buffers)?;
        Ok((buffers[0].data().len(), buffers[1].data().len()))
    }

    fn decrypt(&mut self, token: &mut [u8], data: &mut [u8]) -> Result<Vec<u8>, Error> {
        let mut buffers = [SecurityBufferRef::token_buf(token), SecurityBufferRef::data_buf(data)];
        self.decrypt_message(&mut buffers)?;
        Ok(buffers[1].data().to_vec())
    }
}

/// For fuzzers: a logon by NTLM on a node that answers with these bytes, first as its challenge, then as a sealed message.
pub(crate) fn node_challenged(challenge: &[u8], sealed: &[u8]) {
    let proof = Proof::Password { user: "LAB\\svc".to_owned(), password: crate::secret::Secret::new(b"secret".to_vec()) };
    // Bound to a channel and not: the binding goes into the answer to the challenge.
    for binding in [None, Some(&b"tls-server-end-point:0123"[..])] {
        let Ok(mut context) = Context::new(&Sealing::Ntlm, &proof, "n01", binding) else { return };
        let _ = at_once(context.step(&[]));
        let answered = at_once(context.step(challenge));
        if matches!(answered, Some(Ok(_))) && !sealed.is_empty() {
            let _ = context.seal(b"<s:Envelope/>");
            let _ = context.unseal(sealed);
        }
    }
}

/// For fuzzers: a logon by Kerberos with a key, where a directory gives these two answers, each behind its length. It is never asked for more.
pub(crate) fn directory_answered(first: &[u8], second: &[u8]) {
    let settings =
        Kerberos { realm: "LAB.TEST".to_owned(), kdcs: Vec::new(), service_host: None, within: std::time::Duration::from_secs(1) };
    let key = crate::secret::Secret::new(vec![7; 32]);
    let entry = super::KeytabEntry { name: "svc".to_owned(), realm: "LAB.TEST".to_owned(), kind: 18, version: 1, key };
    let proof = Proof::Key { user: "svc".to_owned(), entry };
    let Ok(mut context) = Context::new(&Sealing::Kerberos(settings), &proof, "n01.lab.test", None) else { return };
    if let Kind::Kerberos { directory, .. } = &mut context.kind {
        directory.cached = Some([first.to_vec(), second.to_vec()]);
    }
    let _ = at_once(context.step(&[]));
}

/// What a future gives that waits for nobody.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => Some(value),
        std::task::Poll::Pending => None,
    }
}
