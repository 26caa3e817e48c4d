//! doctor, probe --record, credential retry: what concerns real nodes. None is reached here; the way to them is tested in the package windows.

use crate::harness::{KEY, Said, World};
use drydock::exit::Exit;
use drydock_spec::wire::answer::{DoctorAnswer, DoctorOutcome};
use expect_test::{Expect, expect};
use std::fs;

/// Three nodes: a port that nobody listens on, one that is not WinRM's, and a credential that nobody configured.
fn shop(port: u16) -> String {
    format!(
        r#"apiVersion: drydock/v1alpha1
kind: Cluster
metadata:
  name: shop-7
spec:
  nodes:
    - name: S1
      address: 127.0.0.1
      connection: {{transport: WinRM, port: 1, credential: shops}}
    - name: S2
      address: 127.0.0.2
      connection: {{transport: WinRM, port: {port}, credential: shops}}
    - name: S3
      address: 127.0.0.3
      connection: {{transport: SSH, credential: others}}
  connection:
    transport: WinRM
    credential: shops
  operatingSystem:
    version: 23H2
  source:
    windowsUpdate: {{}}
"#
    )
}

/// A fleet with that cluster, and a controller's configuration with the credential `shops`.
fn world(port: u16) -> World {
    let world = World::bare();
    world.commit("main", "a shop", &[("clusters/shops/shop-7.yaml", &shop(port))]);
    let config = format!(
        "apiVersion: drydock/v1alpha1\nkind: ControllerConfiguration\nname: north\ndesired: {{remote: fleet.git}}\nstateDirectory: state\nsigningKey: key\n\
         nodes:\n  credentials:\n    - name: shops\n      user: CORP\\svc\n      secret: {{passwordFile: secret}}\n      winRm: {{authentication: NTLM, fingerprint: '{}'}}\n",
        "ab".repeat(32)
    );
    fs::write(world.path("north.yaml"), config).unwrap();
    fs::write(world.path("key"), KEY).unwrap();
    fs::write(world.path("secret"), "canary\n").unwrap();
    world
}

fn run(world: &World, line: &str) -> Said {
    world.run_in(&world.path(""), line)
}

fn check(said: &Said, expect: Expect) {
    expect.assert_eq(&said.all());
}

/// A port of 127.0.0.2 that answers everybody with the same words; the thread ends with the test's process.
fn chatterbox() -> u16 {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.2:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _told = stream.write_all(b"220 mail.example ESMTP\r\n");
            let _heard = stream.read(&mut [0; 512]);
        }
    });
    port
}

#[test]
fn the_doctor_says_for_each_node_at_which_step_it_stops_and_what_to_do() {
    let port = chatterbox();
    let world = world(port);
    let mut said = run(&world, "doctor shop-7 --config north.yaml");
    said.out = said.out.replace(&port.to_string(), "PORT");
    check(
        &said,
        expect![[r#"
        S1  127.0.0.1:1 over HTTPS with NTLM, credential shops
          ok     name            127.0.0.1 is an address
          STOP   port
                 DD0601: 127.0.0.1:1 refuses connections on this port; check that the node is up, that the service listens there and that the firewalls between let it through
                   on the node: Get-Service WinRM, sshd; Get-ChildItem WSMan:\localhost\Listener; from here: nc -vz ADDRESS PORT
          -      TLS             not reached
          -      authentication  not reached
          -      shell           not reached
          -      PowerShell      not reached
          -      modules         not reached
          -      rights          not reached
          -      facts           not reached

        S2  127.0.0.2:PORT over HTTPS with NTLM, credential shops
          ok     name            127.0.0.2 is an address
          ok     port            127.0.0.2:PORT takes connections
          STOP   TLS
                 DD0603: the port does not speak TLS; correct the node's certificate, or the authorities or the fingerprint in the controller's configuration
                   from here: openssl s_client -connect ADDRESS:PORT | openssl x509 -noout -subject -dates -fingerprint -sha256, and compare with the node
          -      authentication  not reached
          -      shell           not reached
          -      PowerShell      not reached
          -      modules         not reached
          -      rights          not reached
          -      facts           not reached

        S3  no way is configured
          -      name            not reached
          -      port            not reached
          -      TLS             not reached
          STOP   authentication
                 DD0604: credential others cannot be used: the controller's configuration has none of that name
                   correct nodes.credentials in the controller's configuration, or what it names
          -      shell           not reached
          -      PowerShell      not reached
          -      modules         not reached
          -      rights          not reached
          -      facts           not reached

        3 things were found; specs/errors.md has a page for each code
        --- exit 1
    "#]],
    );
    let said = run(&world, "doctor shop-7 s3 --config north.yaml --observe -o json");
    let answer: DoctorAnswer = serde_json::from_str(&said.out).unwrap();
    assert_eq!((answer.kind.as_str(), answer.cluster.as_str(), answer.observe, answer.items.len()), ("ClusterDoctor", "shop-7", true, 1));
    let stops: Vec<_> =
        answer.items[0].steps.iter().filter(|s| s.outcome == DoctorOutcome::Stopped).map(|s| s.findings[0].code.as_str()).collect();
    assert_eq!((stops, said.exit), (vec!["DD0604"], Exit::Found));
    assert_eq!(answer.items[0].steps.len(), 9);
    for line in ["doctor shop-7 --config north.yaml", "doctor shop-7 --config north.yaml -o json"] {
        let said = run(&world, line);
        assert!(!said.all().contains("canary"), "a secret");
    }
}

#[test]
fn the_doctor_has_no_way_to_a_cluster_or_a_node_that_is_none() {
    let world = world(2);
    check(
        &run(&world, "doctor till-042 --config north.yaml"),
        expect![[r#"
        --- standard error
        drydock: till-042 is a simulated cluster: there is no way to walk
          drydock probe till-042 --config north.yaml looks at it
        --- exit 2
    "#]],
    );
    check(
        &run(&world, "doctor shop-7 S9 --config north.yaml"),
        expect![[r#"
        --- standard error
        drydock: shop-7 has no node "S9"
          its nodes are: S1, S2, S3
        --- exit 2
    "#]],
    );
}

#[test]
fn a_recording_of_nodes_that_are_silent_says_so_and_is_not_mixed_with_another() {
    let world = world(2);
    let other = shop(2).replace("      connection: {transport: SSH, credential: others}\n", "");
    world.commit("main", "one credential", &[("clusters/shops/shop-7.yaml", &other)]);
    check(
        &run(&world, "probe shop-7 --config north.yaml --record tape"),
        expect![[r#"
            0 answers of 3 nodes are in DIR/tape
            18 questions were not answered; drydock doctor shop-7 --config FILE says why
            names, addresses, identifiers and words were replaced; look through the files before you hand them over
            --- exit 1
        "#]],
    );
    let one = fs::read_to_string(world.path("tape/NODE-1.probe-node.json")).unwrap();
    expect![[r#"
        {
          "recording": 1,
          "node": "NODE-1",
          "script": "probe-node",
          "error": {
            "code": "DD0601"
          }
        }
    "#]]
    .assert_eq(&one);
    check(
        &run(&world, "probe shop-7 --config north.yaml --record tape"),
        expect![[r#"
        --- standard error
        drydock: DIR/tape is not empty
          name a folder that is empty or not there
        --- exit 6
    "#]],
    );
    check(
        &run(&world, "probe till-042 --config north.yaml --record tape2"),
        expect![[r#"
        --- standard error
        drydock: the cluster is simulated: there is nothing to record
          name a cluster of real nodes
        --- exit 2
    "#]],
    );
    assert!(!world.path("tape2").exists());
}

#[test]
fn a_credential_is_tried_again_by_a_persons_word() {
    let world = world(2);
    check(
        &run(&world, "credential retry shops --config north.yaml"),
        expect![[r#"
        the refusals of credential shops are forgotten; it logs on once, alone, with the next look at a cluster that uses it
        --- exit 0
    "#]],
    );
    let kept = world.path("state/credentials/shops.json");
    let said = |path| serde_json::from_slice::<serde_json::Value>(&fs::read(path).unwrap()).unwrap()["said"].clone();
    assert_eq!(said(&kept), 1, "the controller's own record has heard it");
    run(&world, "credential retry shops --config north.yaml");
    assert_eq!(said(&kept), 2);
    check(
        &run(&world, "credential retry others --config north.yaml"),
        expect![[r#"
        --- standard error
        drydock: the configuration has no credential "others"
          credentials are: shops
        --- exit 2
    "#]],
    );
}
