//! Commits made in memory: what git thinks of them, and what cannot be made.

use crate::git::stage::{Stage, allowed, commit, draft, key, key_text, main_branch, put, stamp};
use drydock_git::{AllowedKeys, Draft, Edit, Group, Mirror, Oid, Pushed, SigningKey, Unverified};
use expect_test::expect;

#[test]
fn git_finds_nothing_wrong_and_says_good_signature() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let mut group = Group::begin(&mirror, None).expect("begun");
    for number in 0..20 {
        group.add(&draft(vec![put(&format!("clusters/site{}/c{number}/status.yaml", number % 3), "x")]), &key()).expect("made");
    }
    let written = group.store(&mirror).expect("stored");
    let tip = *written.commits.last().expect("some");
    assert!(matches!(mirror.push(&main_branch(), None, tip), Pushed::Landed));
    for place in [mirror.place(), stage.remote()] {
        let said = stage.try_git(&place, &["fsck", "--strict", "--full", "--no-dangling"]);
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
    std::fs::write(stage.path("allowed"), format!("controller@example.org {}\n", key().public())).expect("written");
    let allowed_file = format!("gpg.ssh.allowedSignersFile={}", stage.path("allowed").display());
    for id in &written.commits {
        let said = stage.try_git(&stage.remote(), &["-c", &allowed_file, "verify-commit", &id.to_string()]);
        let words = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(said.status.success() && words.contains("Good \"git\" signature for controller@example.org"), "{words}");
        assert_eq!(mirror.verify(*id, &allowed()).expect("good"), "controller");
    }
    let log = stage.git(&stage.remote(), &["log", "-1", "--format=%an <%ae> %ai%n%B", "main"]);
    expect![[r#"
        Drydock <drydock@example.org> 2026-11-18 12:06:40 +0100
        clusters/site1/c19/status.yaml

        Cluster: oslo

    "#]]
    .assert_eq(&log);
}

#[test]
fn the_tree_is_the_one_git_would_make() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let mut group = Group::begin(&mirror, None).expect("begun");
    // Names around the slash in byte order are where hand-made trees go wrong.
    let names = ["a-b/x", "a.b", "a/x", "a0", "a/y/z", "b"];
    group.add(&draft(names.map(|path| put(path, path)).to_vec()), &key()).expect("made");
    let last =
        group.add(&draft(vec![put("a/y/w", "new"), Edit::Remove { path: "a-b/x".into() }, put("a.b", "changed")]), &key()).expect("made");
    group.store(&mirror).expect("stored");
    let place = stage.path("person");
    std::fs::create_dir(&place).expect("folder");
    stage.git(&place, &["init", "-q"]);
    for (name, text) in [("a.b", "changed"), ("a/x", "a/x"), ("a0", "a0"), ("a/y/z", "a/y/z"), ("a/y/w", "new"), ("b", "b")] {
        let path = place.join(name);
        std::fs::create_dir_all(path.parent().expect("has one")).expect("folder");
        std::fs::write(path, text).expect("written");
    }
    stage.git(&place, &["add", "-A"]);
    assert_eq!(mirror.commit(last).expect("read").tree.to_string(), stage.git(&place, &["write-tree"]).trim());
}

#[test]
fn the_same_draft_on_the_same_base_is_the_same_commit() {
    let stage = Stage::new();
    let (one, other) = (stage.mirror("one"), stage.mirror("other"));
    assert_eq!(commit(&one, None, "a/b", "x"), commit(&other, None, "a/b", "x"));
}

#[test]
fn a_folder_that_becomes_empty_is_gone_and_the_last_file_leaves_an_empty_tree() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let mut group = Group::begin(&mirror, Some(commit(&mirror, None, "a/b/c", "x"))).expect("begun");
    let empty = group.add(&draft(vec![Edit::Remove { path: "a/b/c".into() }]), &key()).expect("made");
    let again = group.add(&draft(vec![put("a", "a file now")]), &key()).expect("made");
    group.store(&mirror).expect("stored");
    assert_eq!(mirror.commit(empty).expect("read").tree.to_string(), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
    assert_eq!(mirror.read(again, "a", 100).expect("read"), b"a file now");
    let said = stage.try_git(&mirror.place(), &["fsck", "--strict", "--full"]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

#[test]
fn a_commit_without_edits_keeps_the_tree() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let base = commit(&mirror, None, "a", "x");
    let mut group = Group::begin(&mirror, Some(base)).expect("begun");
    let claim = group.add(&Draft { edits: vec![], message: "claim".into(), author: stamp(), committer: stamp() }, &key()).expect("made");
    group.store(&mirror).expect("stored");
    assert_eq!(mirror.commit(claim).expect("read").tree, mirror.commit(base).expect("read").tree);
    let root = Group::begin(&mirror, None).and_then(|mut group| {
        group.add(&Draft { edits: vec![], message: "root".into(), author: stamp(), committer: stamp() }, &key())?;
        Ok(group)
    });
    assert_eq!(root.expect("made").store(&mirror).expect("stored").commits.len(), 1);
}

#[test]
fn nothing_is_written_before_it_is_stored() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let before = crate::git::stage::files(&mirror.place());
    let mut group = Group::begin(&mirror, None).expect("begun");
    let made = group.add(&draft(vec![put("a", "x")]), &key()).expect("made");
    drop(group);
    assert_eq!(crate::git::stage::files(&mirror.place()), before);
    assert!(mirror.commit(made).is_err());
}

#[test]
fn a_group_is_one_pack_however_many_commits() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let mut group = Group::begin(&mirror, None).expect("begun");
    for number in 0..50 {
        group.add(&draft(vec![put(&format!("c/{number}/status.yaml"), "x")]), &key()).expect("made");
    }
    group.store(&mirror).expect("stored");
    let packs = crate::git::stage::files(&mirror.place().join("objects"));
    assert_eq!(packs.len(), 2, "{packs:?}");
}

#[test]
fn what_cannot_be_a_commit_is_refused_and_the_group_goes_on() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let base = commit(&mirror, None, "a/b", "x");
    let mut group = Group::begin(&mirror, Some(base)).expect("begun");
    let mut tries: Vec<Draft> = [
        vec![put("../x", "")],
        vec![put(".git/config", "")],
        vec![put("a\nb", "")],
        vec![put("a", "")],
        vec![put("a/b/c", "")],
        vec![put("x", ""), put("x", "")],
        vec![put("x", ""), put("x/y", "")],
        vec![Edit::Remove { path: "nothing/here".into() }],
        vec![Edit::Remove { path: "a".into() }],
    ]
    .map(draft)
    .to_vec();
    tries.push(Draft { message: " \n".into(), ..draft(vec![]) });
    tries.push(Draft { message: "a\0b".into(), ..draft(vec![]) });
    tries.push(Draft { author: drydock_git::Stamp { name: "a <b>".into(), ..stamp() }, ..draft(vec![]) });
    let said: String = tries.iter().map(|draft| format!("{}\n", group.add(draft, &key()).expect_err("refused"))).collect();
    expect![[r#"
        "../x" cannot be a path in a repository: it must be relative, without empty, `.`, `..` or `.git` parts
        ".git/config" cannot be a path in a repository: it must be relative, without empty, `.`, `..` or `.git` parts
        "a\nb" cannot be a path in a repository: control characters and backslashes are refused
        a is a file and a folder at once: what is there must be removed by a commit of its own first
        a/b is a file and a folder at once: what is there must be removed by a commit of its own first
        one commit cannot change x twice, nor x and something inside it
        one commit cannot change x twice, nor x and something inside it
        nothing/here cannot be removed, it is not there
        a is a file and a folder at once: what is there must be removed by a commit of its own first
        a commit message must have text and no NUL
        a commit message must have text and no NUL
        "a <b>" <"drydock@example.org"> cannot be an author: neither may be empty or hold <, > or a line break
    "#]]
    .assert_eq(&said);
    assert_eq!(group.tip(), Some(base));
    group.add(&draft(vec![put("a/c", "fine")]), &key()).expect("made");
    assert_eq!(group.store(&mirror).expect("stored").commits.len(), 1);
}

/// A commit as an attacker would write it: any text, any signature.
fn forge(mirror: &Mirror, alter: impl Fn(String) -> String, signature: &str) -> Oid {
    let git = git2::Repository::open_bare(mirror.place()).expect("mirror");
    let tree = git.find_tree(git.treebuilder(None).expect("builder").write().expect("tree")).expect("tree");
    let person = git2::Signature::new("Eve", "eve@example.org", &git2::Time::new(1_795_000_000, 0)).expect("person");
    let text = git.commit_create_buffer(&person, &person, "forged\n", &tree, &[]).expect("text");
    let text = alter(text.as_str().expect("utf-8").to_owned());
    git.commit_signed(&text, signature, Some("gpgsig")).expect("written")
}

#[test]
fn only_a_good_signature_of_an_allowed_key_for_git_counts() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let good = commit(&mirror, None, "a", "x");
    assert_eq!(mirror.verify(good, &allowed()).expect("good"), "controller");
    // By somebody else.
    let other = SigningKey::from_openssh(&key_text(2), None).expect("key");
    let stranger = AllowedKeys::default().and("somebody else", &other);
    assert!(matches!(mirror.verify(good, &stranger), Err(Unverified::UnknownKey { .. })));
    assert!(matches!(mirror.verify(good, &AllowedKeys::default()), Err(Unverified::UnknownKey { .. })));
    // The good one's signature over another text.
    let git = git2::Repository::open_bare(mirror.place()).expect("mirror");
    let signature = git.extract_signature(&good, None).expect("signed").0;
    let signature = signature.as_str().expect("utf-8").to_owned();
    let moved = forge(&mirror, |text| text, &signature);
    assert!(matches!(mirror.verify(moved, &allowed()), Err(Unverified::Bad { .. })));
    // A good signature of the allowed key that was made for something else.
    let private = ssh_key::PrivateKey::from_openssh(key_text(1)).expect("key");
    let person = std::cell::RefCell::new(String::new());
    forge(
        &mirror,
        |text| {
            person.borrow_mut().clone_from(&text);
            text
        },
        "-",
    );
    let file = private
        .sign("file", ssh_key::HashAlg::Sha512, person.borrow().as_bytes())
        .expect("signed")
        .to_pem(ssh_key::LineEnding::LF)
        .expect("text");
    assert!(matches!(mirror.verify(forge(&mirror, |text| text, &file), &allowed()), Err(Unverified::Bad { .. })));
    // The control: the same text signed for git is accepted, so it is the purpose that is refused above.
    let right = private
        .sign("git", ssh_key::HashAlg::Sha512, person.borrow().as_bytes())
        .expect("signed")
        .to_pem(ssh_key::LineEnding::LF)
        .expect("text");
    assert_eq!(mirror.verify(forge(&mirror, |text| text, &right), &allowed()).expect("good"), "controller");
    // Other kinds.
    let pgp = "-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----";
    assert!(matches!(mirror.verify(forge(&mirror, |text| text, pgp), &allowed()), Err(Unverified::NotSsh(_))));
    let person = git2::Signature::new("Eve", "eve@example.org", &git2::Time::new(1, 0)).expect("person");
    let tree = git.find_commit(good).expect("commit").tree().expect("tree");
    let unsigned = git.commit(None, &person, &person, "unsigned", &tree, &[]).expect("written");
    assert_eq!(mirror.verify(unsigned, &allowed()), Err(Unverified::Unsigned(unsigned)));
}

#[test]
fn a_commit_that_git_signed_is_verified() {
    let stage = Stage::new();
    let place = stage.path("person");
    std::fs::create_dir(&place).expect("folder");
    stage.git(&place, &["init", "-q", "-b", "main"]);
    let mut mirror = stage.mirror("state");
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let file = stage.path(kind);
        assert!(
            std::process::Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", "", "-f"]).arg(&file).status().expect("runs").success()
        );
        let by = format!("user.signingKey={}", file.display());
        stage.git(&place, &["-c", "gpg.format=ssh", "-c", &by, "commit", "-q", "-S", "--allow-empty", "-m", "signed by git"]);
        stage.git(&place, &["push", "-q", &stage.remote().display().to_string(), "main"]);
        let head = mirror.fetch(&[main_branch()]).expect("fetched").of(&main_branch()).oid().expect("there");
        let public = std::fs::read_to_string(file.with_extension("pub")).expect("read");
        let allowed = AllowedKeys::parse(&format!("{kind} {public}")).expect("read");
        assert_eq!(mirror.verify(head, &allowed).expect("good"), kind);
    }
}

#[test]
fn keys_are_read_as_ssh_keygen_writes_them_and_never_shown() {
    let stage = Stage::new();
    for (kind, passphrase) in [("ed25519", ""), ("ed25519", "open sesame"), ("ecdsa", "")] {
        let file = stage.path(&format!("{kind}{}", passphrase.len()));
        let made =
            std::process::Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", passphrase, "-C", "CANARY", "-f"]).arg(&file).status();
        assert!(made.expect("ssh-keygen runs").success());
        let text = std::fs::read_to_string(&file).expect("read");
        let given = Some(passphrase).filter(|passphrase| !passphrase.is_empty());
        let key = SigningKey::from_openssh(&text, given).expect("key");
        let public = std::fs::read_to_string(file.with_extension("pub")).expect("read");
        assert!(public.starts_with(&key.public()), "{public} {}", key.public());
        assert!(format!("{key:?}").starts_with("SigningKey(SHA256:"));
        let mirror = stage.mirror(&format!("state {kind}{}", passphrase.len()));
        let mut group = Group::begin(&mirror, None).expect("begun");
        let made = group.add(&draft(vec![put("a", "x")]), &key).expect("made");
        group.store(&mirror).expect("stored");
        assert_eq!(mirror.verify(made, &AllowedKeys::default().and(kind, &key)).expect("good"), kind);
        if given.is_some() {
            expect!["the signing key is encrypted, and the passphrase for it is missing or wrong"]
                .assert_eq(&SigningKey::from_openssh(&text, Some("wrong")).expect_err("refused").to_string());
            assert!(SigningKey::from_openssh(&text, None).is_err());
        }
    }
    let file = stage.path("rsa");
    assert!(
        std::process::Command::new("ssh-keygen").args(["-q", "-t", "rsa", "-N", "", "-f"]).arg(&file).status().expect("runs").success()
    );
    expect!["ssh-rsa keys are not supported for signing commits; use ssh-ed25519"]
        .assert_eq(&SigningKey::from_openssh(&std::fs::read_to_string(&file).expect("read"), None).expect_err("refused").to_string());
    expect!["this is not an OpenSSH private key, as `ssh-keygen -t ed25519` writes it"]
        .assert_eq(&SigningKey::from_openssh("garbage", None).expect_err("refused").to_string());
}

struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The variable of an agent can be set for a child only: this test again, with one.
#[test]
fn a_persons_key_in_an_agent_signs_by_its_public_half() {
    if let Ok(file) = std::env::var("DRYDOCK_TEST_SIGNS") {
        let stage = Stage::new();
        let text = std::fs::read_to_string(&file).expect("read");
        let key = SigningKey::by_program(std::path::Path::new(&file), &text).expect("a public key");
        let mirror = stage.mirror("state");
        let mut group = Group::begin(&mirror, None).expect("begun");
        match group.add(&draft(vec![put("a", "x")]), &key) {
            Ok(made) => {
                group.store(&mirror).expect("stored");
                println!("TOLD {}", mirror.verify(made, &AllowedKeys::default().and("ann", &key)).expect("good"));
            }
            Err(error) => println!("TOLD {}", drydock_git::chain(&error)),
        }
        return;
    }
    let stage = Stage::new();
    let again = |file: &std::path::Path, socket: &str| {
        let mut child = std::process::Command::new(std::env::current_exe().expect("this test"));
        child.args(["git::commits::a_persons_key_in_an_agent_signs_by_its_public_half", "--exact", "--nocapture"]);
        let output = child.env("DRYDOCK_TEST_SIGNS", file).env("SSH_AUTH_SOCK", socket).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.lines().find_map(|line| line.split_once("TOLD ")).unwrap_or_else(|| panic!("{said}")).1.to_owned()
    };
    for kind in ["ed25519", "rsa"] {
        let file = stage.path(kind);
        let made = std::process::Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", "", "-f"]).arg(&file).status();
        assert!(made.expect("ssh-keygen runs").success());
        let socket = stage.path(&format!("agent-{kind}")).display().to_string();
        let mut agent = std::process::Command::new("ssh-agent");
        agent.args(["-D", "-a", &socket]).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
        let mut agent = Ended(agent.spawn().expect("ssh-agent starts"));
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(agent.0.stdout.take().expect("piped")), &mut line).expect("it is there");
        let added = std::process::Command::new("ssh-add").arg("-q").arg(&file).env("SSH_AUTH_SOCK", &socket).status();
        std::fs::remove_file(&file).expect("the agent alone has it");
        let public = file.with_extension("pub");
        let (with, without) = (again(&public, &socket), again(&public, ""));
        assert!(added.expect("ssh-add runs").success());
        assert_eq!(with, "ann");
        assert!(without.contains("did not sign: ") && without.contains("No private key found"), "{without}");
    }
}

#[test]
fn an_allowed_signers_file_is_read_or_its_bad_line_named() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let head = commit(&mirror, None, "a", "x");
    let list = format!("# who may\n\nada@example.org {}\n", key().public());
    assert_eq!(mirror.verify(head, &AllowedKeys::parse(&list).expect("read")).expect("good"), "ada@example.org");
    let odd = format!("{list}eve@example.org valid-before=\"2020\" {}\n", key().public());
    expect!["line 4 of the allowed signers is not `name key-type key`"]
        .assert_eq(&AllowedKeys::parse(&odd).expect_err("refused").to_string());
}
