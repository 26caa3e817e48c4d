//! schema, completions, man and help.

use crate::harness::{World, check_in};
use expect_test::expect;

#[test]
fn schemas_are_listed_and_printed() {
    let world = World::bare();
    check_in(
        &world,
        &world.path(""),
        "schema",
        expect![[r#"
        cluster
        fleet
        problems
        cluster-facts
        cluster-status
        answer-doctor
        answer-history
        answer-plan
        answer-status
        answer-validate
        controller
        controller-config
        --- exit 0
    "#]],
    );
    let schema: serde_json::Value = serde_json::from_str(&world.run("schema answer-status").out).unwrap();
    assert_eq!(schema["title"], "StatusAnswer");
    check_in(
        &world,
        &world.path(""),
        "schema nonsense",
        expect![[r#"
        --- standard error
        drydock: there is no schema "nonsense"
          schemas are: cluster, fleet, problems, cluster-facts, cluster-status, answer-doctor, answer-history, answer-plan, answer-status, answer-validate, controller, controller-config
        --- exit 2
    "#]],
    );
}

#[test]
fn completions_and_the_manual_know_every_command() {
    let world = World::bare();
    let script = world.run("completions bash").out;
    assert!(!script.contains("drydock__lab") && !script.contains("lab)"), "what is for us alone is not offered");
    let man = world.run("man").out;
    for command in [
        "run",
        "init",
        "validate",
        "plan",
        "status",
        "why",
        "history",
        "probe",
        "doctor",
        "credential",
        "accept",
        "node",
        "clock",
        "schema",
    ] {
        assert!(script.contains(&format!("drydock__subcmd__{command}")) || script.contains(&format!("drydock__{command}")), "{command}");
        assert!(man.contains(&format!("DRYDOCK {}", command.to_uppercase())), "{command}");
    }
    assert!(man.contains("another controller holds the status branch"), "exit codes");
    check_in(
        &world,
        &world.path(""),
        "completions nonsense",
        expect![[r#"
        --- standard error
        error: invalid value 'nonsense' for '<SHELL>'
          [possible values: bash, elvish, fish, powershell, zsh]

        For more information, try '--help'.
        --- exit 2
    "#]],
    );
}

#[test]
fn help_names_every_command_and_exit_code() {
    let world = World::bare();
    check_in(
        &world,
        &world.path(""),
        "--help",
        expect![[r#"
            Operating system upgrades of Windows failover clusters by pull request

            Usage: drydock <COMMAND>

            Commands:
              demo         See it work: a fleet repository, simulated clusters, a controller, and two pull
                           requests, in a minute
              run          Run a controller: watch the fleet repository and upgrade its clusters
              init         Make the status branch, once per fleet
              validate     Check files of a fleet repository
              plan         Show what merging the working tree would do to each cluster
              status       Show how clusters stand
              why          Say in plain words what a cluster waits for, and what to do
              history      Show what was done to a cluster
              probe        Look at a cluster's nodes once; orders nothing
              doctor       Walk to every node of a cluster, from its name to its facts, and say where it stops
                           and what to do
              credential   Speak about a credential for nodes
              accept       Let in a rewritten revision, or a foreign commit of the status branch
              node         Speak about one node
              clock        Speak about the time
              schema       Print a JSON Schema
              completions  Print completions for a shell
              man          Print the manual page

            Options:
              -h, --help     Print help
              -V, --version  Print version

            Exit codes:
              0  fine
              1  done, and something was found: an invalid file, a cluster that needs a person
              2  the command line is wrong, or names something that is not there
              3  the configuration, or a key that it names, cannot be used
              4  a repository or a node does not answer; trying again may help
              5  a remote or a node refused; trying again does not help
              6  this machine: disk, permissions, the state folder
              7  another controller holds the status branch; a supervisor must not restart this one
              8  the repository was written by a newer Drydock; upgrade this one
              9  a fault in Drydock itself; please report it
            --- exit 0
        "#]],
    );
    check_in(
        &world,
        &world.path(""),
        "status --help",
        expect![[r#"
            Show how clusters stand

            Usage: drydock status [OPTIONS] [CLUSTER]...

            Arguments:
              [CLUSTER]...
                      Only these clusters

            Options:
              -w, --watch
                      Show it again whenever it changes

              -o, --output <OUTPUT>
                      How to answer

                      Possible values:
                      - table: One line per cluster
                      - wide:  And one line per node
                      - json:  For tools; see `drydock schema`
                      - yaml:  As the status files have it

                      [default: table]

              -h, --help
                      Print help (see a summary with '-h')

            Repository:
                  --repository <REPOSITORY>
                      The fleet repository: a path or a URL. The `origin` of the clone around the current
                      directory when left out

                  --base <BRANCH>
                      The fleet's branch: the one that people merge to, and that controllers watch

                      [default: main]

                  --status-branch <BRANCH>
                      The status branch. What fleet.yaml says, or drydock/status, when left out

                  --ssh-key <FILE>
                      The SSH private key for ssh:// remotes. The agent's when left out

                  --token-file <FILE>
                      A file whose first line is the token for https:// remotes

                  --ca-file <FILE>
                      Certificates (PEM) trusted beside the system's
            --- exit 0
        "#]],
    );
    check_in(
        &world,
        &world.path(""),
        "statsu",
        expect![[r#"
        --- standard error
        error: unrecognized subcommand 'statsu'

          tip: a similar subcommand exists: 'status'

        Usage: drydock <COMMAND>

        For more information, try '--help'.
        --- exit 2
    "#]],
    );
}
