//! A log object of a CDN, with any choice of fields.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| s3log_parser_fuzz::cdn(data));
