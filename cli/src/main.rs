//! The program `s3log`: everything it does is in the library.

use std::process::ExitCode;

/// Queries allocate and free blocks of a mebibyte at a high rate on all threads; the system's allocator returns them to the kernel and
/// takes them again, page fault by page fault. mimalloc asks for no huge pages (`no_thp`): what a virtual machine clears two mebibytes
/// at a time it often has to get from its host first, and not all of it is used.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    s3log::run(std::env::args_os())
}
