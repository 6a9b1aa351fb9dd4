//! Fuzzes numbers and operations.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| s3log_parser_fuzz::number(data));
