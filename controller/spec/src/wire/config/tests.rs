//! Configurations, good and bad, and what is said of them.

use super::*;
use crate::render::{Look, render};
use expect_test::{Expect, expect};
use std::path::{Path, PathBuf};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8vWqGzrAYpJ0r2X4K7Vw1b0j8VwQ0cQyq3x2mH5k9d";

fn told(text: &str) -> String {
    parse("drydock.yaml", Path::new("/etc/drydock"), text.as_bytes()).1.iter().map(|d| format!("{d}\n")).collect()
}

fn good(text: &str) -> Config {
    match parse("drydock.yaml", Path::new("/etc/drydock"), text.as_bytes()) {
        (Some(config), problems) if problems.is_empty() => config,
        (_, problems) => panic!("{problems:#?}"),
    }
}

fn check(text: &str, expect: Expect) {
    assert_eq!(parse("drydock.yaml", Path::new("/etc/drydock"), text.as_bytes()).0, None);
    expect.assert_eq(&told(text));
}

const LEAST: &str = "apiVersion: drydock/v1alpha1\nkind: ControllerConfiguration\nname: north\ndesired: {remote: ../fleet.git}\nstateDirectory: /var/lib/drydock\nsigningKey: key\n";

#[test]
fn what_is_left_out_has_a_value_that_suits_most() {
    let config = good(LEAST);
    assert_eq!(
        config.desired,
        Home { remote: "/etc/drydock/../fleet.git".to_owned(), branch: "main".to_owned(), credentials: Credentials::default() }
    );
    assert_eq!((config.status.remote, config.status.branch.as_str()), (config.desired.remote, STATUS_BRANCH));
    assert_eq!((config.poll, config.pacing, config.observe), (Millis::seconds(30), Pacing::default(), false));
    assert_eq!((config.signing_key, config.stop_file), ("/etc/drydock/key".into(), "/var/lib/drydock/stop".into()));
}

#[test]
fn everything_can_be_said() {
    let config = good(&format!(
        "{}desired:\n  remote: https://git.example/fleet\n  branch: release\n  poll: 1m\n  credentials: {{tokenFile: read.token}}\n\
         status: {{remote: 'ssh://git@git.example/status', branch: st}}\ncredentials: {{sshKey: k, knownHosts: [a, /b], proxy: 'http://p:3128'}}\n\
         allowedSigners:\n  controllers: [other.pub]\n  persons: ['{KEY} ann@example']\ncertificateAuthority: ca.pem\n\
         pacing: {{poll: 2m, parallelProbes: 4}}\nlab: {{socket: lab.sock}}\nstopFile: STOP\nobserve: true\n",
        LEAST.replace("desired: {remote: ../fleet.git}\n", "")
    ));
    assert_eq!(config.desired.credentials, Credentials { token_file: Some("/etc/drydock/read.token".into()), ..Credentials::default() });
    assert_eq!(config.status.credentials.known_hosts, [PathBuf::from("/etc/drydock/a"), PathBuf::from("/b")]);
    assert_eq!(config.allowed_signers.persons, [Signer::Key(KEY.to_owned())]);
    assert_eq!(config.allowed_signers.controllers, [Signer::File("/etc/drydock/other.pub".into())]);
    assert_eq!((config.lab, config.observe), (Some("/etc/drydock/lab.sock".into()), true));
}

#[test]
fn wrong_shapes_are_told_with_their_places() {
    check(
        "name: north\ndesird: {remote: x}\nstatus: 5\n",
        expect![[r#"
            drydock.yaml:1:1: error DD0202: the file lacks the field `apiVersion`; apiVersion: The version of these fields
            drydock.yaml:1:1: error DD0202: the file lacks the field `kind`; kind: What the file describes
            drydock.yaml:1:1: error DD0202: the file lacks the field `desired`; desired: Where desired state is read
            drydock.yaml:1:1: error DD0202: the file lacks the field `stateDirectory`; stateDirectory: The folder of the local mirrors and of what could not be pushed yet
            drydock.yaml:1:1: error DD0202: the file lacks the field `signingKey`; signingKey: The SSH private key file (ed25519 is best) that entries are signed with
            drydock.yaml:2:1: error DD0201: the file has no field "desird"; did you mean `desired`?
            drydock.yaml:3:9: error DD0203: `status` must be a mapping, not a whole number; its fields are branch, credentials, remote
        "#]],
    );
    check(
        &LEAST.replace("ControllerConfiguration", "Cluster"),
        expect![[r#"
        drydock.yaml:2:7: error DD0206: `kind` is not that of a controller's configuration; write `kind: ControllerConfiguration`
    "#]],
    );
    check(
        "",
        expect![[r#"
        drydock.yaml: error DD0110: says nothing; delete it, or copy an example from specs/
    "#]],
    );
}

#[test]
fn wrong_values_are_told_all_at_once() {
    let text = LEAST
        .replace("name: north", "name: North;")
        .replace("{remote: ../fleet.git}", "{remote: 'https://u:hunter2@h/x', branch: 'a b', poll: 1s}");
    let text = format!(
        "{text}status: {{remote: ''}}\npacing: {{poll: soon, parallelProbes: 0}}\nallowedSigners: {{persons: ['ssh-ed25519 AAAA', '-----BEGIN OPENSSH PRIVATE KEY-----']}}\ncredentials: {{proxy: 'socks5://a:b@p', sshKey: ''}}\n"
    );
    check(
        &text,
        expect![[r#"
            drydock.yaml:3:7: error DD0301: `name` contains 'N' (U+004E); only letters a-z, digits and '-' are allowed; for example: drydock-north
            drydock.yaml:4:19: error DD0207: `desired.remote` holds a password; take it out of the address and into a file that `credentials.tokenFile` names
            drydock.yaml:4:52: error DD0321: `desired.branch` is no name of a branch; for example: main
            drydock.yaml:7:18: error DD0321: `status.remote` is no git remote; give a path, or a URL that begins with https://, ssh:// or file://
            drydock.yaml:8:16: error DD0303: `pacing.poll` is no duration; for example: 30s, 5m, 1h30m
            drydock.yaml:8:38: error DD0304: `pacing.parallelProbes` must lie between 1 and 1024; 32 suits most fleets
            drydock.yaml:9:28: error DD0320: `allowedSigners.persons[0]` is damaged: its second part does not hold a key of the kind named by the first; give a public key, or the path of a file of them
            drydock.yaml:9:48: error DD0320: `allowedSigners.persons[1]` is a private key, which must never be in a repository; if it has been pushed, replace it: git forgets nothing; give a public key, or the path of a file of them
            drydock.yaml:10:22: error DD0207: `credentials.proxy` holds a password; take it out; for a proxy that asks for one leave this field out, and set https_proxy in the controller's own environment
            drydock.yaml:10:22: error DD0318: `credentials.proxy` is not the address of a proxy; for example: http://proxy.example:3128
            drydock.yaml:10:48: error DD0319: `credentials.sshKey` is no path; give the path of a file, relative to this one
        "#]],
    );
    assert!(!told(&text).contains("hunter2"), "no secret is repeated");
}

#[test]
fn a_field_given_twice_is_told_once() {
    check(
        &format!("{LEAST}signingKey: other\n"),
        expect![[r#"
        drydock.yaml:7:1: error DD0104: the field "signingKey" is given twice; keep one of them
    "#]],
    );
}

#[test]
fn a_key_or_a_password_in_the_wrong_place_is_not_repeated() {
    let said = |text: &str| {
        let (_, problems) = parse("drydock.yaml", Path::new("/etc/drydock"), text.as_bytes());
        render(&problems, text, Look::Plain)
    };
    for key in ["-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----\n", "b3BlbnNzaC1rZXk\n"] {
        let said = said(key);
        assert!(said.starts_with("error[DD0203]: the file must be a mapping, not a text\n") && !said.contains("b3Blb"), "{said}");
    }
    for list in ["nodes: {credentials: [hunter2]}\n", "nodes:\n  credentials:\n    - hunter2\n"] {
        let said = said(&format!("{LEAST}{list}"));
        assert!(said.contains("`nodes.credentials[0]` must be a mapping, not a text") && !said.contains("hunter2"), "{said}");
        assert!(said.contains("its fields are name, secret, ssh, user, winRm"), "{said}");
    }
}

#[test]
fn a_field_for_a_secret_is_refused_with_what_can_be_done_in_this_very_file() {
    check(
        &format!("{LEAST}nodes: {{credentials: [{{name: a, password: hunter2, secret: {{agent: true}}, ssh: {{knownHosts: [k]}}}}]}}\n"),
        expect![[r#"
            drydock.yaml:7:33: error DD0207: `nodes.credentials[0]` may not have the field "password": it looks like a secret; no secret stands in this file: name the file, variable or command that it comes from, as `nodes.credentials` and `credentials` let you
        "#]],
    );
}

#[test]
fn status_on_the_desired_branch_is_refused() {
    check(
        &format!("{LEAST}status: {{branch: main}}\n"),
        expect![[r#"
        drydock.yaml:7:18: error DD0322: `status.branch` is the desired branch, main; status is written to a branch of its own; leave `status.branch` out for drydock/status
    "#]],
    );
}

const NODES: &str = "nodes:
  parallelSessions: 64
  credentials:
    - name: north
      user: svc-drydock
      secret: {keytab: north.keytab}
      winRm: {certificateAuthority: ca.pem, realm: NORTH.EXAMPLE, kdcs: [dc1.north.example, 'dc2.north.example:8888']}
    - name: shops
      secret: {directory: /run/secrets/shops}
      winRm: {authentication: NTLM, encryption: Message}
      ssh: {knownHosts: [known_hosts]}
    - name: tills
      user: administrator
      secret: {agent: true}
      ssh: {knownHosts: [/etc/ssh/ssh_known_hosts]}
";

#[test]
fn credentials_for_nodes_name_places_and_no_secrets() {
    let config = good(&format!("{LEAST}{NODES}"));
    let [north, shops, tills] = &config.nodes.credentials[..] else { panic!("not three") };
    assert_eq!(config.nodes.parallel_sessions, 64);
    assert_eq!(north.secret, SecretFrom::File("/etc/drydock/north.keytab".into(), Holds::Keytab));
    let winrm = north.winrm.as_ref().unwrap();
    assert_eq!(
        (winrm.authentication, &winrm.encryption),
        (Authentication::Kerberos, &Encryption::Authorities("/etc/drydock/ca.pem".into()))
    );
    assert_eq!(winrm.kerberos.as_ref().unwrap().kdcs, ["dc1.north.example", "dc2.north.example:8888"]);
    assert_eq!(shops.winrm.as_ref().unwrap().encryption, Encryption::Message);
    assert_eq!(shops.ssh.as_ref().unwrap().known_hosts, [PathBuf::from("/etc/drydock/known_hosts")]);
    assert_eq!((&tills.secret, &tills.winrm), (&SecretFrom::Agent, &None));
}

#[test]
fn credentials_that_cannot_work_are_refused_with_their_places() {
    let nodes = "nodes:
  parallelSessions: 0
  credentials:
    - {name: North, secret: {passwordFile: p}}
    - {name: a, user: '', secret: {passwordFile: p}, winRm: {authentication: NTLM, fingerprint: '12:34'}}
    - {name: a, secret: {agent: true}, winRm: {authentication: Basic, encryption: Message, realm: X, kdcs: [d]}}
    - {name: b, secret: {environment: 'A B'}, winRm: {certificateAuthority: ca.pem, fingerprint: 'ab'}, ssh: {knownHosts: []}}
    - {name: c, secret: {command: []}, winRm: {authentication: Certificate}}
    - {name: d, secret: {sshKey: k}, winRm: {certificateAuthority: c, realm: 'A B', kdcs: ['a/b']}, ssh: {knownHosts: ['']}}
";
    check(
        &format!("{LEAST}{nodes}"),
        expect![[r#"
        drydock.yaml:8:21: error DD0304: `nodes.parallelSessions` must lie between 1 and 4096; 256 suits most fleets
        drydock.yaml:10:14: error DD0301: the credential's name contains 'N' (U+004E); only letters a-z, digits and '-' are allowed; for example: north
        drydock.yaml:10:14: error DD0322: the credential North serves neither over WinRM nor over SSH; add `winRm` or `ssh`, or both
        drydock.yaml:11:23: error DD0319: `user` is no account; for example: svc-drydock
        drydock.yaml:11:97: error DD0319: `fingerprint` is no SHA-256 of a certificate; openssl x509 -noout -fingerprint -sha256 -in node.pem prints it
        drydock.yaml:12:14: error DD0322: the credential a is there twice; give each its own name
        drydock.yaml:12:33: error DD0322: `agent` is for SSH, and can only be true; write `agent: true` beside `ssh`, or name another place
        drydock.yaml:12:33: error DD0322: the SSH agent holds no secret that serves over WinRM; name a credential of its own for WinRM
        drydock.yaml:12:47: error DD0322: `realm` and `kdcs` are for Kerberos; leave them out
        drydock.yaml:12:83: error DD0322: `encryption: Message` needs Kerberos or NTLM; the others protect nothing; write `encryption: TLS`
        drydock.yaml:13:39: error DD0319: `environment` is no name of a variable; for example: DRYDOCK_NORTH_PASSWORD
        drydock.yaml:13:54: error DD0322: `certificateAuthority` and `fingerprint` are two ways to trust a node; name either `certificateAuthority` or `fingerprint`
        drydock.yaml:13:54: error DD0322: Kerberos needs `realm` and `kdcs`; or write `authentication: NTLM`
        drydock.yaml:13:123: error DD0322: `knownHosts` names no file, so no node could prove itself; name a file with the nodes' host keys
        drydock.yaml:14:35: error DD0319: `command` names no program; for example: [/usr/local/bin/read-secret, north]
        drydock.yaml:14:47: error DD0322: nothing says which certificates are trusted; name either `certificateAuthority` or `fingerprint`
        drydock.yaml:15:34: error DD0322: `sshKey` serves only one of WinRM and SSH; use a `directory`, or two credentials
        drydock.yaml:15:78: error DD0319: `realm` is no realm; for example: NORTH.EXAMPLE
        drydock.yaml:15:91: error DD0318: `kdcs` has "a/b", which is no host; for example: dc1.north.example
        drydock.yaml:15:119: error DD0319: `ssh.knownHosts` is no path; give the path of a file, relative to this one
    "#]],
    );
    check(
        &format!("{LEAST}nodes: {{credentials: [{{name: a, secret: {{keytab: k, passwordFile: p}}, ssh: {{knownHosts: [k]}}}}]}}\n"),
        expect![[r#"
            drydock.yaml:7:33: error DD0208: `nodes.credentials[0].secret` must have exactly one of `agent` or `command` or `credentialCache` or `directory` or `environment` or `keytab` or `passwordFile` or `sshKey`; delete one of them
        "#]],
    );
}
