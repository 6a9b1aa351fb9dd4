//! The program `s3log`; everything is in the library.

use std::process::ExitCode;

/// All threads allocate and free blocks of 1 MiB at a high rate. The system allocator returns them to the kernel each
/// time, which costs page faults. `no_thp`: with huge pages, a virtual machine has to get 2 MiB at a time from its
/// host, and much of it stays unused.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    s3log::run(std::env::args_os())
}
