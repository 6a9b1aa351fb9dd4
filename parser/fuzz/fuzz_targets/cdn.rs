//! Fuzzes a CDN log object with arbitrary projections.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| s3log_parser_fuzz::cdn(data));
