#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drydock_windows::fuzzing::certificate(bytes));
