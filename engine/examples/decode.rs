//! Decodes bytes into Arrow, without DataFusion, and without I/O in the library.
//!
//! `cargo run -p s3log-engine --no-default-features --release --example decode -- FILE`
#![expect(clippy::print_stdout, reason = "an example prints")]

use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use s3log_engine::decode::{BLOCK_SIZE, BufferPool, LineBlocks, RecordsDecoder};
use s3log_engine::schema::Table;
use std::io::Read as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: decode FILE")?;
    let mut file = std::fs::File::open(path)?;
    let mut blocks = LineBlocks::new(BufferPool::new(BLOCK_SIZE));
    let mut decoder = RecordsDecoder::for_columns(Table::Logs, &["remote_ip", "bytes_sent"])?;
    let mut sent = 0;
    loop {
        let len = file.read(blocks.space())?;
        blocks.advance(len);
        while let Some(block) = if len == 0 { blocks.finish() } else { blocks.next_block() } {
            let batch = decoder.decode(&block)?;
            sent += arrow::compute::sum(batch.column(1).as_primitive::<Int64Type>()).unwrap_or(0);
        }
        if len == 0 {
            break;
        }
    }
    println!("{sent} bytes sent by {:?}", decoder.counts());
    Ok(())
}
