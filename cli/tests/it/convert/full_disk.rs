//! Disks without room, and directories that nobody may write into.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::source::Logs;
use super::world::{Expected, Place, Run, World};

const OBJECTS: usize = 120;
/// Where shells find what they call.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn world() -> (World, Expected) {
    let world = World::new(Place::Directory, &Logs::new(OBJECTS, 7));
    let expected = world.expected();
    (world, expected)
}

/// A conversion in a shell that prepares something before: the script has it in `"$@"`.
fn in_shell(world: &World, before: &[&str], script: &str) -> Run {
    let mut command = Command::new("/usr/bin/env");
    command.args(before).args(["sh", "-c", script, "sh"]);
    command.arg(assert_cmd::cargo::cargo_bin!("s3log")).args(world.arguments());
    let mut command = world.environment(command);
    command.env("PATH", PATH);
    world.spawn(command)
}

/// What failed has left nothing half-committed, and the next run does it.
fn recovers(world: &World, expected: &Expected) {
    world.verify_so_far(expected);
    world.convert().expect(0);
    world.verify(expected);
}

/// Files may not grow beyond a size, which every system can be told: a write fails as on a full disk, for another reason.
#[test]
fn files_that_cannot_grow() {
    let (world, expected) = world();
    // Blocks of 512 bytes, in some shells of 1024: too few for a data file.
    for blocks in [4, 8, 16] {
        world.clear_dataset();
        // If the signal is ignored, what is left is an error of the write.
        let run = in_shell(&world, &[], &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\""));
        run.wait().expect_failure(&[]);
        assert_eq!(world.verify_so_far(&expected).len(), 0);
        recovers(&world, &expected);
    }
}

/// A file system of its own, which may be mounted without being root where the kernel lets users have name spaces.
#[test]
fn a_disk_without_room() {
    let mount = ["unshare", "--user", "--map-root-user", "--mount"];
    let (world, expected) = world();
    world.convert().expect(0);
    let blocks = world.objects().values().map(|bytes| bytes.len().div_ceil(4096)).sum::<usize>();
    for share in [0.1, 0.4, 0.7] {
        world.clear_dataset();
        fs::create_dir(world.path("set")).unwrap();
        let size = (blocks as f64 * share * 4096.0) as usize;
        // The mount ends with the shell: what it holds is copied out of it.
        let script = format!(
            "mount -t tmpfs -o size={size} none set || exit 77; \"$@\"; code=$?; mkdir out && cp -R set/. out && exit $code"
        );
        let ended = in_shell(&world, &mount, &script).wait();
        if ended.stderr.contains("unshare: ") || ended.code == Some(77) {
            eprintln!("no disk could be made, so none was full: {}", ended.stderr);
            return;
        }
        ended.expect_failure(&["space"]);
        world.clear_dataset();
        fs::rename(world.path("out"), world.path("set")).unwrap();
        recovers(&world, &expected);
    }
}

#[test]
fn a_directory_that_nobody_may_write_into() {
    let (world, expected) = world();
    // Root may write anywhere but below a file.
    fs::write(world.path("set"), "a file").unwrap();
    world.convert().expect_failure(&["set"]);
    assert_eq!(fs::read_to_string(world.path("set")).unwrap(), "a file");
    fs::remove_file(world.path("set")).unwrap();

    let mode = |mode| fs::set_permissions(world.path("set"), fs::Permissions::from_mode(mode)).unwrap();
    fs::create_dir(world.path("set")).unwrap();
    mode(0o555);
    if fs::write(world.path("set").join("x"), "").is_ok() {
        eprintln!("run by root, who may write into every directory");
        fs::remove_file(world.path("set").join("x")).unwrap();
    } else {
        world.convert().expect_failure(&["permission", "hint: "]);
        assert!(world.objects().is_empty());
    }
    mode(0o755);
    recovers(&world, &expected);
}
