//! Full disks and read-only directories.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::source::Logs;
use super::world::{Expected, Place, Run, World};

const OBJECTS: usize = 120;
/// The PATH for shells.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn world() -> (World, Expected) {
    let world = World::new(Place::Directory, &Logs::new(OBJECTS, 7));
    let expected = world.expected();
    (world, expected)
}

/// Runs a conversion from a shell script, in which `"$@"` is the command. `before` wraps the shell.
fn in_shell(world: &World, before: &[&str], script: &str) -> Run {
    let mut command = Command::new("/usr/bin/env");
    command.args(before).args(["sh", "-c", script, "sh"]);
    command.arg(assert_cmd::cargo::cargo_bin!("s3log")).args(world.arguments());
    let mut command = world.environment(command);
    command.env("PATH", PATH);
    world.spawn(command)
}

/// Verifies that the failed run left nothing half-committed, and that the next run succeeds.
fn recovers(world: &World, expected: &Expected) {
    world.verify_so_far(expected);
    world.convert().expect(0);
    world.verify(expected);
}

/// A limit on file size, which every system supports: writes fail as on a full disk, with a different error.
#[test]
fn files_that_cannot_grow() {
    let (world, expected) = world();
    // Blocks of 512 bytes, or 1024 in some shells: not enough for a data file.
    for blocks in [4, 8, 16] {
        world.clear_dataset();
        // With the signal ignored, the write returns an error.
        let run = in_shell(&world, &[], &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\""));
        run.wait().expect_failure(&[]);
        assert_eq!(world.verify_so_far(&expected).len(), 0);
        recovers(&world, &expected);
    }
}

/// A separate file system, which can be mounted without root where the kernel permits user namespaces.
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
        // The mount disappears with the shell, so its contents are copied out.
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
    // Even root cannot create anything below a regular file.
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
