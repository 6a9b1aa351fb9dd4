//! Fuzzes the decoding of object keys by operation.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| s3log_parser_fuzz::key(data));
