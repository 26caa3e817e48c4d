//! From a controller's configuration to what the git crate works with: remotes, keys, whose signatures count.

use crate::Context;
use crate::exit::{Exit, Failure};
use crate::place::PASSPHRASE;
use drydock_git::limits::{self, Limits};
use drydock_git::{Access, AllowedKeys, KeyFrom, Proxy, RefName, Remote, SigningKey, TokenFrom};
use drydock_spec::diagnostic::Problems;
use drydock_spec::wire::config::{self, Config, Home, NodeCredential, SecretFrom, Signer};
use drydock_spec::{Look, render, tree};
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// A configuration is a page; a key file some 3 KiB; a file of signers a line per person.
pub const MOST_FILE: u64 = 1 << 20;

/// Reads a configuration. Warnings are told, errors shown with their carets.
pub fn load(context: &mut Context, path: &Path) -> Result<Config, Failure> {
    let at = context.directory.join(path);
    let todo = "name the controller's configuration with --config; drydock schema controller-config says what it holds";
    let bytes = read(&at).map_err(|what| Failure::new(Exit::Configuration, what, todo))?;
    let (config, problems) = config::parse(&path.display().to_string(), at.parent().unwrap_or(Path::new("")), &bytes);
    if !problems.is_empty() {
        let look = if context.output.coloured() { Look::Coloured } else { Look::Plain };
        context.output.note(&render(&problems, &String::from_utf8_lossy(&bytes), look));
    }
    let config = config.ok_or_else(|| {
        // What does not say what it is, that command takes for a file of a fleet.
        let again =
            if says_configuration(&bytes) { format!("; drydock validate {} shows it again", path.display()) } else { String::new() };
        let todo = format!("mend what is shown above{again}");
        Failure::new(Exit::Configuration, format!("the configuration {} cannot be used", path.display()), todo)
    })?;
    drydock_git::withhold(secret_variables(&config));
    let limits = Limits { ca_file: config.certificate_authority.clone(), ..Limits::default() };
    limits::settle(&limits).map_err(|e| Failure::of(Exit::Configuration, &e, "mend certificateAuthority in the configuration"))?;
    Ok(config)
}

/// Whether a text says that it is a controller's configuration, however that is spelled in YAML; of what is no YAML, whether a line says so.
pub fn says_configuration(bytes: &[u8]) -> bool {
    const KIND: &str = "ControllerConfiguration";
    match tree::read(bytes, &mut Problems::new("")) {
        Some((root, _)) => root.field("kind").and_then(|kind| kind.value.text()) == Some(KIND),
        None => {
            let bare = |text: &str| text.trim().trim_matches(['"', '\'']).to_owned();
            let line =
                |line: &str| line.split(" #").next().and_then(|line| line.split_once(':')).map(|(name, value)| (bare(name), bare(value)));
            String::from_utf8_lossy(bytes).lines().filter_map(line).any(|(name, value)| name == "kind" && value == KIND)
        }
    }
}

/// The variables of the environment that hold secrets of this configuration: no child of ours sees them.
pub fn secret_variables(config: &Config) -> Vec<String> {
    let variable = |credential: &NodeCredential| match &credential.secret {
        SecretFrom::Environment(variable) => Some(variable.clone()),
        SecretFrom::File(..) | SecretFrom::Directory(_) | SecretFrom::Command(_) | SecretFrom::Agent => None,
    };
    config.nodes.credentials.iter().filter_map(variable).chain([PASSPHRASE.to_owned()]).collect()
}

/// A home's remote, with its credentials.
pub fn remote(home: &Home) -> Result<Remote, Failure> {
    let credentials = &home.credentials;
    let key = credentials.ssh_key.clone().map(|path| KeyFrom::File { path, passphrase_env: Some(PASSPHRASE.to_owned()) });
    let access = Access {
        key: key.unwrap_or_default(),
        known_hosts: credentials.known_hosts.clone(),
        token: credentials.token_file.clone().map(TokenFrom::File),
        user: None,
        proxy: credentials.proxy.clone().map_or(Proxy::Auto, Proxy::Url),
    };
    let parsed = Remote::parse(&home.remote).map_err(|e| Failure::of(Exit::Configuration, &e, "mend the remote in the configuration"))?;
    Ok(parsed.with_access(access))
}

/// A home's branch.
pub fn branch(home: &Home) -> Result<RefName, Failure> {
    RefName::branch(&home.branch).map_err(|e| Failure::of(Exit::Configuration, &e, "mend the branch in the configuration"))
}

/// The controller's own key. Only where none is there is one to be made: a new one over the one that signed the ledger would disown it.
pub fn signing_key(config: &Config) -> Result<SigningKey, Failure> {
    let path = &config.signing_key;
    let bytes = open(path).map_err(|e| {
        let todo = match e.kind() {
            ErrorKind::NotFound => {
                "check the path; for a new controller, make one with: ssh-keygen -t ed25519 -N '' -f FILE; and name it as signingKey"
            }
            _ => "let the controller's account read the file that signingKey names",
        };
        Failure::new(Exit::Configuration, unreadable(path, &e), todo)
    })?;
    let passphrase = std::env::var(PASSPHRASE).ok();
    SigningKey::from_openssh(&String::from_utf8_lossy(&bytes), passphrase.as_deref()).map_err(|e| {
        let todo = format!("name the file of an OpenSSH private key as signingKey; its passphrase goes into {PASSPHRASE}");
        Failure::new(Exit::Configuration, format!("{}: {e}", path.display()), todo)
    })
}

/// The keys of some signers. In a file each line is a public key, or a name and a public key; a key without a name bears `usual`'s and a number.
pub fn allowed(signers: &[Signer], usual: &str) -> Result<AllowedKeys, Failure> {
    let mut lines = String::new();
    let mut number = 0;
    for signer in signers {
        let text = match signer {
            Signer::Key(key) => key.clone(),
            Signer::File(path) => {
                let todo = "allowedSigners names public keys, or files of them";
                let bytes = read(path).map_err(|what| Failure::new(Exit::Configuration, what, todo))?;
                String::from_utf8_lossy(&bytes).into_owned()
            }
        };
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            number += 1;
            let bare = line.split_whitespace().next().is_some_and(|kind| kind.starts_with("ssh-") || kind.starts_with("ecdsa-"));
            let line = if bare { format!("{usual}-{number} {line}\n") } else { format!("{line}\n") };
            AllowedKeys::parse(&line).map_err(|_| {
                let what = match signer {
                    Signer::Key(_) => "allowedSigners has a key that cannot be read".to_owned(),
                    Signer::File(path) => format!("{} has a line that is no public key", path.display()),
                };
                Failure::new(Exit::Configuration, what, "write `ssh-ed25519 AAAA… NAME`, or `NAME ssh-ed25519 AAAA…`, on each line")
            })?;
            lines.push_str(&line);
        }
    }
    AllowedKeys::parse(&lines).map_err(|e| Failure::of(Exit::Configuration, &e, "mend allowedSigners in the configuration"))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    open(path).map_err(|e| unreadable(path, &e))
}

fn open(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MOST_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(path: &Path, e: &std::io::Error) -> String {
    format!("{} cannot be read: {e}", path.display())
}
