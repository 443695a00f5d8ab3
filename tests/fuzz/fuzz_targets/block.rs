//! Any bytes as a block or a matrix header.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _was_a_block = fondaco_tests::fuzz::block(bytes);
});
