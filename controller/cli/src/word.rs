//! A person's word: a signed commit on the status branch with the same tree.

use crate::Context;
use crate::args;
use crate::exit::{Exit, Failure};
use crate::place::{self, PASSPHRASE, Place};
use drydock_git::{BadKey, Draft, Group, Oid, Pushed, SigningKey, Stamp, Trouble, Unwritable};
use drydock_spec::wire::one_line;
use drydock_spec::wire::words::{self, MOST_REASON, Said};
use std::fs;
use std::io::{ErrorKind, Read};

/// How often a word is said again when somebody else wrote in between. A busy branch moves once a second; a commit takes a tenth of that.
const MOST_TRIES: u32 = 8;
/// An SSH key file has some 3 KiB at most.
const MOST_KEY: u64 = 64 << 10;

/// Checks a reason: something, and on one line.
pub fn reason(word: &args::Word) -> Result<String, Failure> {
    let text = one_line(&word.reason, MOST_REASON + 1);
    if text.is_empty() || text.chars().count() > MOST_REASON {
        let what = format!("a reason has between 1 and {MOST_REASON} characters");
        return Err(Failure::new(Exit::Usage, what, "give --reason a sentence that a colleague understands next year"));
    }
    Ok(text)
}

/// Tells that a word was said. Whether it counts is the controller's to judge: it is not asked, and may not run just now.
pub fn told(context: &mut Context, said: &Said, commit: Oid) {
    context.output.say(&format!("said: {said} (commit {commit})"));
    context.output.say("a controller hears it with its next look, if it knows this key: see allowedSigners.persons in its configuration");
}

/// Writes the word, signed, and pushes it.
pub fn say(context: &mut Context, place: &mut Place, word: &args::Word, said: &Said) -> Result<Oid, Failure> {
    let person = place::person(context, place.work_tree.as_deref());
    let key = key(context, word, &person)?;
    let (Some(name), Some(email)) = (person.name, person.email) else {
        let todo = "tell git: git config --global user.name NAME; git config --global user.email ADDRESS";
        return Err(Failure::new(Exit::Configuration, "git does not know who you are", todo));
    };
    let message = words::encode(said);
    // What was sent and not answered may land late.
    let mut sent = Vec::new();
    let mut locked = None;
    for _ in 0..MOST_TRIES {
        let tip = place.tip()?;
        if let Some(landed) = there(place, &sent) {
            return Ok(landed);
        }
        if let Some(why) = &place.stale {
            let what = format!("the status branch cannot be read: {why}");
            return Err(Failure::new(Exit::Unreachable, what, "nothing was written; try again when the remote answers"));
        }
        let who = Stamp { name: name.clone(), email: email.clone(), seconds: context.clock.now().0.div_euclid(1_000), offset_minutes: 0 };
        let draft = Draft { edits: Vec::new(), message: message.clone(), author: who.clone(), committer: who };
        let unwritable = |e: drydock_git::Unwritable| match &e {
            Unwritable::Key(_) => {
                Failure::of(Exit::Configuration, &e, "give the agent your key with ssh-add, or name a private key with --key")
            }
            _ => Failure::of(Exit::Local, &e, "check git's user.name and user.email, and the disk"),
        };
        let mut group = Group::begin(place.status_mirror(), Some(tip)).map_err(unwritable)?;
        let commit = group.add(&draft, &key).map_err(unwritable)?;
        group.store(place.status_mirror())?;
        match place.status_mirror().push(&place.branch, Some(tip), commit) {
            Pushed::Landed => return Ok(commit),
            Pushed::Rejected { why: drydock_git::Refusal::Moved, .. } => {
                locked = None;
                place.refresh()?;
            }
            Pushed::Rejected { why, .. } => {
                return Err(Failure::of(Exit::Refused, &why, "you need permission to push to the status branch"));
            }
            // Whoever holds it has mostly let go of it by the time this has looked again.
            Pushed::NotSent(Trouble::Locked { lock }) => {
                locked = Some(lock);
                place.refresh()?;
            }
            Pushed::NotSent(trouble) => return Err(trouble.into()),
            Pushed::Unknown(trouble) => {
                // It may have landed: look before saying anything again.
                let lost = trouble.to_string();
                sent.push(commit);
                place.refresh()?;
                if let Some(landed) = there(place, &sent) {
                    return Ok(landed);
                }
                if place.stale.is_some() {
                    let what = format!("the answer was lost: {lost}; it may still arrive");
                    return Err(Failure::new(Exit::Unreachable, what, "look with: drydock history CLUSTER; saying it twice does no harm"));
                }
            }
        }
    }
    if let Some(landed) = there(place, &sent) {
        return Ok(landed);
    }
    if let Some(lock) = locked {
        let what = format!("another writer holds {}, also at the {MOST_TRIES}th try", lock.display());
        return Err(Failure::new(Exit::Unreachable, what, "try again; if it stays and no git runs there, remove that file"));
    }
    let what = format!("the status branch moved {MOST_TRIES} times while this was written");
    Err(Failure::new(Exit::Unreachable, what, "try again"))
}

/// The one of these commits that the branch has, if it has any.
fn there(place: &Place, sent: &[Oid]) -> Option<Oid> {
    let now = place.status?;
    sent.iter().copied().find(|commit| place.status_mirror().is_ancestor(*commit, now).unwrap_or(false))
}

fn key(context: &Context, word: &args::Word, person: &place::Person) -> Result<SigningKey, Failure> {
    let usual = context.home.as_ref().map(|h| h.join(".ssh/id_ed25519"));
    let path = word.key.as_ref().map(|p| context.directory.join(p)).or(person.key.clone()).or(usual);
    let todo = "name your SSH key with --key, or its .pub where an agent has it; whoever has none makes one with: ssh-keygen -t ed25519";
    let Some(path) = path else { return Err(Failure::new(Exit::Configuration, "no signing key was found", todo)) };
    let mut text = String::new();
    fs::File::open(&path).and_then(|f| f.take(MOST_KEY).read_to_string(&mut text)).map_err(|e| {
        let todo = if e.kind() == ErrorKind::NotFound { todo } else { "name your SSH key with --key" };
        Failure::new(Exit::Configuration, format!("the signing key {} cannot be read: {e}", path.display()), todo)
    })?;
    let passphrase = std::env::var(PASSPHRASE).ok();
    let found = match SigningKey::from_openssh(&text, passphrase.as_deref()) {
        // As git does it: by the agent, a token, or a passphrase that is typed. A wrong passphrase of ours is no reason to ask for another.
        Err(BadKey::Kind(_)) => SigningKey::by_program(&path, &text),
        Err(BadKey::Passphrase) if passphrase.is_none() => SigningKey::by_program(&path, &text),
        Err(unreadable @ BadKey::Unreadable(_)) => SigningKey::by_program(&path, &text).map_err(|_| unreadable),
        read => read,
    };
    found.map_err(|e| {
        Failure::new(
            Exit::Configuration,
            format!("{}: {e}", path.display()),
            format!("name your SSH key with --key, or its .pub where an agent has it; its passphrase goes into {PASSPHRASE}"),
        )
    })
}
