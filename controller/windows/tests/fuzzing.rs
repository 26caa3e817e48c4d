//! Every parser of what a node sends, with twenty thousand damaged inputs each, the same ones at every run.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on shall stop, and says aloud what it leaves out")]

use drydock_windows::fuzzing;

/// Enough for damage of every kind at every place of these small seeds; some seconds in all. `DRYDOCK_FUZZ_RUNS` asks for more.
fn runs() -> u64 {
    std::env::var("DRYDOCK_FUZZ_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000)
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n.max(1)).unwrap()).unwrap()
    }
}

/// Damages one of the seeds: bytes changed, removed, doubled, swapped for pieces of other seeds, cut.
fn damaged(dice: &mut Dice, seeds: &[&[u8]]) -> Vec<u8> {
    let mut bytes = seeds[dice.below(seeds.len())].to_vec();
    for _ in 0..1 + dice.below(6) {
        let at = dice.below(bytes.len().max(1)).min(bytes.len());
        match dice.below(7) {
            0 if at < bytes.len() => bytes[at] = dice.next().to_le_bytes()[0],
            1 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            2 => bytes.truncate(at),
            3 => {
                let end = (at + dice.below(40)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let end = (at + dice.below(40)).min(bytes.len());
                let piece = bytes[at..end].repeat(1 + dice.below(8));
                bytes.splice(at..at, piece);
            }
            5 => {
                let other = seeds[dice.below(seeds.len())];
                let from = dice.below(other.len());
                let to = (from + dice.below(60)).min(other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            _ => {
                let word: &[u8] =
                    [&b"\r\n\r\n"[..], b"\0", b"\xff\xff\xff\xff", b"<!DOCTYPE x [", b"&#0;", b"4294967295", b"-1", b"]]>"][dice.below(8)];
                bytes.splice(at..at, word.iter().copied());
            }
        }
    }
    bytes
}

fn run(seed: u64, entry: fn(&[u8]), seeds: &[&[u8]]) {
    for undamaged in seeds {
        entry(undamaged);
    }
    let mut dice = Dice(seed);
    for n in 0..runs() {
        let input = damaged(&mut dice, seeds);
        let result = std::panic::catch_unwind(|| entry(&input));
        assert!(result.is_ok(), "run {n} of seed {seed}: {:?}", String::from_utf8_lossy(&input));
    }
}

const ENVELOPE: &[u8] = br#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><s:Header><a:RelatesTo>uuid:00000000-0000-4001-8000-000000000002</a:RelatesTo></s:Header><s:Body><rsp:ReceiveResponse><rsp:Stream Name="stdout" CommandId="C">QUJD</rsp:Stream><rsp:CommandState CommandId="C" State="http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/Done"><rsp:ExitCode>0</rsp:ExitCode></rsp:CommandState></rsp:ReceiveResponse></s:Body></s:Envelope>"#;
const CREATED: &[u8] = br#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><s:Body><rsp:Shell><rsp:ShellId>S</rsp:ShellId></rsp:Shell></s:Body></s:Envelope>"#;
const COMMAND: &[u8] = br#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><s:Body><rsp:CommandResponse><rsp:CommandId>C</rsp:CommandId></rsp:CommandResponse></s:Body></s:Envelope>"#;
const SHELLS: &[u8] = br#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell" xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration"><s:Body><n:EnumerateResponse><n:EnumerationContext>x</n:EnumerationContext><n:Items><rsp:Shell><rsp:ShellId>A</rsp:ShellId><rsp:Name>drydock:x:0</rsp:Name></rsp:Shell></n:Items></n:EnumerateResponse></s:Body></s:Envelope>"#;
const FAULT: &[u8] = br#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:TimedOut</s:Value></s:Subcode></s:Code><s:Detail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="2150858793"><f:Message>late</f:Message></f:WSManFault></s:Detail></s:Fault></s:Body></s:Envelope>"#;

#[test]
fn envelopes() {
    run(1, fuzzing::wsman_response, &[ENVELOPE, CREATED, COMMAND, SHELLS, FAULT]);
}

#[test]
fn http_answers() {
    let seeds: &[&[u8]] = &[
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nA: b\r\n\r\n",
        b"HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Negotiate TlRMTVNTUAAC\r\nWWW-Authenticate: Basic realm=\"WSMAN\"\r\n\r\n",
    ];
    run(2, fuzzing::http_response, seeds);
}

#[test]
fn lines_of_a_session_host() {
    let token = "0123456789abcdef0123456789abcdef";
    let answer = format!("\n{token} {{\"id\":1,\"ok\":true,\"value\":{{\"a\":[1,\"\\u00e9\",null]}}}}\n");
    let error = format!(
        "noise\n{token} {{\"id\":2,\"ok\":false,\"error\":{{\"category\":\"x\",\"id\":\"y\",\"message\":\"z\",\"script\":\"s\",\"line\":3}}}}\n"
    );
    run(3, fuzzing::frame_line, &[answer.as_bytes(), error.as_bytes(), b"\xff\xfe\n"]);
}

#[test]
fn sealed_messages_answers_of_a_kdc_key_tables_caches_and_certificates() {
    let mut sealed = b"--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=3\r\n--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n".to_vec();
    sealed.extend([4, 0, 0, 0, 9, 9, 9, 9, 1, 2, 3]);
    sealed.extend(b"--Encrypted Boundary--\r\n");
    let refusal = b"\x7e\x2c\x30\x2a\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x1e\xa6\x03\x02\x01\x12\xac\x19\x04\x17\x30\x15\xa1\x03\x02\x01\x03\xa2\x0e\x04\x0c\x34\x02\x00\xc0\0\0\0\0\0\0\0\0";
    let table =
        [&[5, 2, 0, 0, 0, 66, 0, 1, 0, 8][..], b"LAB.TEST", &[0, 3], b"svc", &[0, 0, 0, 1, 1, 2, 3, 4, 2, 0, 18, 0, 32], &[7; 32]].concat();
    let certificate = b"\x30\x1e\x30\x03\x02\x01\x01\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c\x05\x00\x03\x04\x00sig";
    let counted = |b: &[u8]| [&u32::try_from(b.len()).unwrap().to_be_bytes()[..], b].concat();
    let user = [&[0, 0, 0, 1, 0, 0, 0, 1][..], &counted(b"LAB.TEST"), &counted(b"svc")].concat();
    let service = [&[0, 0, 0, 2, 0, 0, 0, 2][..], &counted(b"LAB.TEST"), &counted(b"krbtgt"), &counted(b"LAB.TEST")].concat();
    let rest = [&[0, 18][..], &counted(&[7; 32]), &[0; 21], &[0; 8], &counted(b"\x61\x03abc"), &[0; 4]].concat();
    let cache = [&[5, 4, 0, 0][..], &user, &user, &service, &rest].concat();
    run(4, fuzzing::sspi_frame, &[&sealed, refusal, &table, &cache, certificate]);
}

#[test]
fn files_of_known_hosts() {
    let seeds: &[&[u8]] = &[
        b"n01.shop ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB x\n",
        b"|1|c2FsdA==|aGFzaA== ssh-rsa AAAAB3NzaC1yc2EB\n@revoked * ssh-ed25519 AAAA\n",
        b"[n01.shop]:2222,*.shop,!n02.shop ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 c\n# comment\n",
    ];
    run(5, fuzzing::known_hosts, seeds);
}
