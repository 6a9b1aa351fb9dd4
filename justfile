# `just` lists what there is. Everything here is a cargo command that works without just.

_default:
    @just --list --unsorted

# Run every test
test *args:
    cargo test --workspace --features cluster {{ args }}

# Run the parser's tests alone: seconds
parser *args:
    cargo test -p s3log-parser {{ args }}

# Run everything that a change must pass
ci:
    .ci/run

# Run clippy, and the check of who uses whom
lint:
    .ci/layers
    cargo clippy --workspace --all-targets --features cluster -- -D warnings

# Format the code
fmt:
    cargo fmt --all

# Build the documentation and open it
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --features cluster --no-deps --open

# Write into README.md and the pages beside it what the program prints now
pages:
    .ci/pages --write

# Measure the parser: two minutes to build
bench *args:
    cargo bench -p s3log-benches --no-default-features --bench parse {{ args }}

# Measure whole commands over a gigabyte, beside other tools where Python has them: --python, --before, --only
workloads *args:
    cargo build --release --workspace
    target/release/workloads {{ args }}

# Count instructions a line with valgrind, against benches/instructions.tsv; --write stores them
instructions *args:
    cargo build --release --workspace
    target/release/instructions {{ args }}

# Fuzz the parser (line, lines, time, number, key, cdn); needs nightly and cargo-fuzz
[working-directory("parser")]
fuzz target="line" *args:
    mkdir -p fuzz/corpus/{{ target }}
    cargo +nightly fuzz run {{ target }} fuzz/corpus/{{ target }} -- -dict=fuzz/s3log.dict -max_len=600 {{ args }}

# Fuzz the decoder into Arrow; needs nightly and cargo-fuzz
[working-directory("engine")]
fuzz-decoder *args:
    mkdir -p fuzz/corpus/decoder
    cargo +nightly fuzz run decoder fuzz/corpus/decoder -- -dict=../parser/fuzz/s3log.dict -max_len=4000 {{ args }}

# Write the generated part of fixtures/ again
fixtures:
    cargo run -p s3log-benches --no-default-features --bin genlog -- fixtures fixtures

# Build the optimised binary: half an hour
release:
    cargo build --release --bin s3log
