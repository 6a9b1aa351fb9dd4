//! The lines of a log object, whole and in chunks.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| s3log_parser_fuzz::lines(data));
