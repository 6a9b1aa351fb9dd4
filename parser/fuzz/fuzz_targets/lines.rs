//! Fuzzes the splitting of a log object into lines, as a whole and in chunks.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| s3log_parser_fuzz::lines(data));
