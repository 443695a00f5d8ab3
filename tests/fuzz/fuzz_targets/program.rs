//! Any bytes as an `ExecRequest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _was_a_program = fondaco_tests::fuzz::program(bytes);
});
