//! Fuzzes sequences of times.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| s3log_parser_fuzz::time(data));
