//! Only what changed is read, and odd things are named.

use crate::git::stage::{Stage, commit, commits, draft, key, main_branch, put};
use drydock_git::{Change, Edit, Group, Mirror, Oid, Unreadable};
use expect_test::{Expect, expect};

fn check(mirror: &Mirror, old: Option<Oid>, new: Oid, under: &str, expected: Expect) {
    let line = |change: &Change| format!("{:?} {:?} {}\n", change.what, change.kind, change.path);
    expected.assert_eq(&mirror.changed(old, new, under).expect("read").iter().map(line).collect::<String>());
}

#[test]
fn changes_are_named_below_the_folder_that_was_asked_for() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let mut group = Group::begin(&mirror, None).expect("begun");
    let files = ["README.md", "clusters/eu/oslo.yaml", "clusters/eu/bergen.yaml", "clusters/us/reno.yaml", "fleet.yaml"];
    let old = group.add(&draft(files.map(|path| put(path, path)).to_vec()), &key()).expect("made");
    let edits = vec![
        put("clusters/eu/oslo.yaml", "changed"),
        put("clusters/eu/new/deep.yaml", "new"),
        Edit::Remove { path: "clusters/us/reno.yaml".into() },
        put("README.md", "changed"),
    ];
    let new = group.add(&draft(edits), &key()).expect("made");
    group.store(&mirror).expect("stored");
    check(
        &mirror,
        Some(old),
        new,
        "clusters/",
        expect![[r#"
        Modified File clusters/eu/oslo.yaml
        Added File clusters/eu/new/deep.yaml
        Deleted File clusters/us/reno.yaml
    "#]],
    );
    check(
        &mirror,
        Some(old),
        new,
        "",
        expect![[r#"
        Modified File README.md
        Modified File clusters/eu/oslo.yaml
        Added File clusters/eu/new/deep.yaml
        Deleted File clusters/us/reno.yaml
    "#]],
    );
    check(
        &mirror,
        None,
        old,
        "clusters/eu",
        expect![[r#"
        Added File clusters/eu/bergen.yaml
        Added File clusters/eu/oslo.yaml
    "#]],
    );
    check(&mirror, Some(new), new, "", expect![""]);
    check(&mirror, Some(old), new, "nothing/here", expect![""]);
    assert_eq!(
        mirror.identity(old, "clusters/eu/bergen.yaml").expect("read"),
        mirror.identity(new, "clusters/eu/bergen.yaml").expect("read")
    );
    assert_ne!(mirror.identity(old, "clusters/eu").expect("read"), mirror.identity(new, "clusters/eu").expect("read"));
}

/// Commits what is in a folder, as people do.
fn commit_folder(stage: &Stage, prepare: &str) -> Oid {
    let place = stage.path("person");
    if !place.exists() {
        std::fs::create_dir(&place).expect("folder");
        stage.git(&place, &["init", "-q", "-b", "main"]);
    }
    let done = std::process::Command::new("sh").arg("-ec").arg(prepare).current_dir(&place).status().expect("sh runs");
    assert!(done.success());
    stage.git(&place, &["add", "-A"]);
    stage.git(&place, &["commit", "-q", "-m", "a person's work"]);
    stage.git(&place, &["push", "-q", "-f", &stage.remote().display().to_string(), "main"]);
    stage.git(&place, &["rev-parse", "HEAD"]).trim().parse().expect("an id")
}

#[test]
fn links_submodules_and_odd_names_are_seen_as_what_they_are() {
    let stage = Stage::new();
    let old = commit_folder(&stage, "mkdir -p clusters; echo x > clusters/becomes-folder; echo y > clusters/becomes-link; echo z > target");
    let new = commit_folder(
        &stage,
        "rm clusters/becomes-folder clusters/becomes-link; mkdir clusters/becomes-folder; echo x > clusters/becomes-folder/inside; \
         ln -s ../target clusters/becomes-link; ln -s /etc clusters/folder-link; printf x > \"clusters/$(printf '\\377')name\"; \
         git init -q clusters/module; cd clusters/module; git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x",
    );
    let mut mirror = stage.mirror("state");
    mirror.fetch(&[main_branch()]).expect("fetched");
    check(
        &mirror,
        Some(old),
        new,
        "clusters",
        expect![[r#"
        Deleted File clusters/becomes-folder
        Added File clusters/becomes-folder/inside
        Modified Symlink clusters/becomes-link
        Added Symlink clusters/folder-link
        Added Submodule clusters/module
        Added Unnameable clusters/�name
    "#]],
    );
    let say = |path: &str| mirror.read(new, path, 1000).expect_err("refused").to_string();
    expect!["clusters/becomes-link is a symbolic link; put the file or folder itself there"].assert_eq(&say("clusters/becomes-link"));
    expect!["clusters/folder-link is a symbolic link; put the file or folder itself there"].assert_eq(&say("clusters/folder-link/passwd"));
    expect!["clusters/module is a submodule; put the file or folder itself there"].assert_eq(&say("clusters/module"));
    expect!["clusters/module is a submodule; put the file or folder itself there"].assert_eq(&say("clusters/module/x"));
    expect!["clusters is a folder, a file is expected"].assert_eq(&say("clusters"));
    expect!["there is no clusters/nothing in that commit"].assert_eq(&say("clusters/nothing"));
    expect!["there is no target/x in that commit"].assert_eq(&say("target/x"));
    expect![[r#""../target" cannot be a path in a repository: it must be relative, without empty, `.`, `..` or `.git` parts"#]]
        .assert_eq(&say("../target"));
}

#[test]
fn a_folder_that_is_a_link_hides_nothing_behind_it() {
    let stage = Stage::new();
    let new = commit_folder(&stage, "mkdir real; echo x > real/a; ln -s real clusters");
    let mut mirror = stage.mirror("state");
    mirror.fetch(&[main_branch()]).expect("fetched");
    check(
        &mirror,
        None,
        new,
        "clusters",
        expect![[r#"
        Added Symlink clusters
    "#]],
    );
}

#[test]
fn a_huge_file_is_refused_by_its_size_alone() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let head = commit(&mirror, None, "big", &"x".repeat(5_000_000));
    let no = mirror.read(head, "big", 1_000_000).expect_err("refused");
    assert_eq!(no, Unreadable::TooLarge { path: "big".into(), size: 5_000_000, limit: 1_000_000 });
    assert_eq!(mirror.read(head, "big", 5_000_000).expect("read").len(), 5_000_000);
}

#[test]
fn a_tree_deeper_than_anyone_needs_is_refused() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let deep = format!("{}x", "d/".repeat(100));
    let head = commit(&mirror, None, &deep, "x");
    assert!(matches!(mirror.changed(None, head, ""), Err(Unreadable::TooDeep(_))));
}

#[test]
fn a_commit_that_nobody_has_is_said_to_be_missing() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let nobody: Oid = "1".repeat(40).parse().expect("an id");
    let head = commit(&mirror, None, "a", "x");
    let blob = mirror.identity(head, "a").expect("read").expect("there");
    for missing in [nobody, blob] {
        assert_eq!(mirror.read(missing, "a", 10), Err(Unreadable::NoSuchCommit(missing)));
        assert_eq!(mirror.changed(Some(missing), head, ""), Err(Unreadable::NoSuchCommit(missing)));
        assert_eq!(mirror.commit(missing), Err(Unreadable::NoSuchCommit(missing)));
        assert_eq!(mirror.walk(missing, None, 1), Err(Unreadable::NoSuchCommit(missing)));
        assert!(!mirror.is_ancestor(missing, head).expect("known"));
        assert_eq!(mirror.is_ancestor(head, missing), Err(Unreadable::NoSuchCommit(missing)));
    }
}

#[test]
fn a_walk_is_newest_first_and_says_when_there_is_more() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let all = commits(&mirror, None, &[("a", "1"), ("a", "2"), ("a", "3"), ("a", "4")]);
    let walk = mirror.walk(all[3], Some(all[0]), 10).expect("walked");
    assert_eq!((walk.commits, walk.more), (vec![all[3], all[2], all[1]], false));
    let walk = mirror.walk(all[3], None, 2).expect("walked");
    assert_eq!((walk.commits, walk.more), (vec![all[3], all[2]], true));
    let walk = mirror.walk(all[3], None, 4).expect("walked");
    assert_eq!((walk.commits.len(), walk.more), (4, false));
    assert_eq!(mirror.walk(all[0], Some(all[3]), 10).expect("walked").commits, []);
    assert_eq!(mirror.commit(all[1]).expect("read").parents, [all[0]]);
    assert_eq!(mirror.commit(all[1]).expect("read").message, "a\n\nCluster: oslo\n");
}

#[test]
fn folders_in_folders_without_a_file_end_the_look() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let git = git2::Repository::open_bare(mirror.place()).expect("opened");
    let mut tree = git.treebuilder(None).expect("begun").write().expect("written");
    for _ in 0..50 {
        let mut both = git.treebuilder(None).expect("begun");
        both.insert("a", tree, 0o040_000).expect("put");
        both.insert("b", tree, 0o040_000).expect("put");
        tree = both.write().expect("written");
    }
    let who = git2::Signature::new("Someone", "someone@example.org", &git2::Time::new(1_767_571_200, 0)).expect("fine");
    let bomb = git.commit(None, &who, &who, "x", &git.find_tree(tree).expect("there"), &[]).expect("made");
    assert!(matches!(mirror.changed(None, bomb, ""), Err(Unreadable::TooManyChanges(_))));
}
