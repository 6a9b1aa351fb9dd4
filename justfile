# `just` lists the recipes. All of them are commands that work without just.

_default:
    @just --list --unsorted

# Run every test
test *args:
    cargo test --workspace --features cluster {{ args }}

# Run only the parser's tests: takes seconds
parser *args:
    cargo test -p s3log-parser {{ args }}

# Run everything that a change must pass
ci:
    .ci/run

# Run clippy, and check the dependencies between modules
lint:
    .ci/layers
    cargo clippy --workspace --all-targets --features cluster -- -D warnings

# Format the code
fmt:
    cargo fmt --all

# Build the documentation and open it
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --features cluster --no-deps --open

# Regenerate program output in README.md and the pages beside it
pages:
    .ci/pages --write

# Benchmark the parser; takes two minutes to build
bench *args:
    cargo bench -p s3log-benches --no-default-features --bench parse {{ args }}

# Benchmark commands on a gigabyte of logs, with other tools for comparison: --python, --before, --only
workloads *args:
    cargo build --release --workspace
    target/release/workloads {{ args }}

# Count instructions per line with valgrind and compare with benches/instructions.tsv; --write stores them
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

# Regenerate the generated part of fixtures/
fixtures:
    cargo run -p s3log-benches --no-default-features --bin genlog -- fixtures fixtures

# Build the optimised binary; takes half an hour
release:
    cargo build --release --bin s3log
