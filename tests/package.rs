//! The Debian package, looked at and installed into an empty root, and the container, as far as it can be
//! looked at; `packaging/try-deb` goes on from there in a whole Debian with its systemd. Built here of the
//! program as the tests have it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fall over")]
#![expect(clippy::disallowed_methods, reason = "tests live in the real world: its clock is theirs")]

#[path = "package/empty_root.rs"]
mod empty_root;
#[path = "support/ports.rs"]
mod ports;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Builds it in a folder; gives its path.
fn built(folder: &Path) -> PathBuf {
    let mut build = Command::new(root().join("packaging/deb"));
    build.args(["--binary", env!("CARGO_BIN_EXE_alert-relay"), "--out", folder.to_str().unwrap()]);
    // Packing a program with all that a debugger wants would take longest of all.
    let done = build.env("DEB_COMPRESSION", "none").env("SOURCE_DATE_EPOCH", "1700000000").output().unwrap();
    PathBuf::from(text(&done).trim())
}

/// Mode and owner of each file and folder in it, by path.
fn contents(package: &Path) -> BTreeMap<String, (String, String)> {
    let listed = text(&Command::new("dpkg-deb").arg("--contents").arg(package).output().unwrap());
    let entry = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words[5].trim_start_matches('.').to_owned(), (words[0].to_owned(), words[1].to_owned()))
    };
    listed.lines().map(entry).collect()
}

#[test]
fn the_package_holds_what_belongs_where_it_belongs() {
    let folder = tempfile::tempdir().unwrap();
    let package = built(folder.path());
    let contents = contents(&package);
    let units = fs::read_dir(root().join("systemd")).into_iter().flatten();
    let units: Vec<String> = units
        .map(|unit| unit.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".service") || name.ends_with(".socket"))
        .map(|name| format!("/usr/lib/systemd/system/{name}"))
        .collect();
    let doc = "/usr/share/doc/alert-relay";
    let wanted = [
        ("/usr/bin/alert-relay", "-rwxr-xr-x"),
        ("/etc/alert-relay/relay.yaml", "-rw-r--r--"),
        ("/etc/alert-relay/secrets/", "drwx------"),
        (&format!("{doc}/copyright"), "-rw-r--r--"),
        (&format!("{doc}/changelog.gz"), "-rw-r--r--"),
        (&format!("{doc}/README.md"), "-rw-r--r--"),
        (&format!("{doc}/README.zh-CN.md"), "-rw-r--r--"),
        (&format!("{doc}/SECURITY.md"), "-rw-r--r--"),
        (&format!("{doc}/README.Debian"), "-rw-r--r--"),
        (&format!("{doc}/examples/relay.example.yaml"), "-rw-r--r--"),
        (&format!("{doc}/examples/relay.schema.json"), "-rw-r--r--"),
        ("/usr/share/man/man1/alert-relay.1.gz", "-rw-r--r--"),
        ("/usr/share/man/man1/alert-relay-check.1.gz", "-rw-r--r--"),
        ("/usr/share/bash-completion/completions/alert-relay", "-rw-r--r--"),
        ("/usr/share/zsh/vendor-completions/_alert-relay", "-rw-r--r--"),
        ("/usr/share/fish/vendor_completions.d/alert-relay.fish", "-rw-r--r--"),
        (&format!("{doc}/monitoring/alert-relay.rules.yml"), "-rw-r--r--"),
        (&format!("{doc}/docs/install.md"), "-rw-r--r--"),
        (&format!("{doc}/docs/targets/pagerduty.md"), "-rw-r--r--"),
    ];
    for (path, mode) in wanted.into_iter().chain(units.iter().map(|unit| (unit.as_str(), "-rw-r--r--"))) {
        assert_eq!(contents.get(path).map(|(mode, _)| mode.as_str()), Some(mode), "{path} in {contents:#?}");
    }
    let homes = ["/etc/alert-relay/", "/usr/bin/", "/usr/lib/systemd/system/", "/usr/share/"];
    for (path, (mode, owner)) in &contents {
        let is_way = homes.iter().any(|home| home.starts_with(path.as_str()));
        assert!(is_way || homes.iter().any(|home| path.starts_with(home)), "{path} does not belong there");
        assert_eq!(owner, "root/root", "{path}");
        assert!(!mode[7..].contains('w') && !mode.contains('s'), "{path}: {mode}");
    }
    let again = tempfile::tempdir().unwrap();
    assert!(fs::read(&package).unwrap() == fs::read(built(again.path())).unwrap(), "two builds differ");
}

#[test]
fn the_package_says_what_it_is_and_its_scripts_and_configuration_are_sound() {
    let folder = tempfile::tempdir().unwrap();
    let package = built(folder.path());
    let field = |name: &str| {
        text(&Command::new("dpkg-deb").arg("--field").arg(&package).arg(name).output().unwrap())
            .trim()
            .to_owned()
    };
    assert_eq!(
        (field("Package").as_str(), field("Version").as_str()),
        ("alert-relay", env!("CARGO_PKG_VERSION"))
    );
    assert!(field("Depends").starts_with("libc6 (>= 2."), "{}", field("Depends"));
    let out = folder.path().join("unpacked");
    text(&Command::new("dpkg-deb").arg("--raw-extract").arg(&package).arg(&out).output().unwrap());
    assert_eq!(fs::read_to_string(out.join("DEBIAN/conffiles")).unwrap(), "/etc/alert-relay/relay.yaml\n");
    for script in ["postinst", "prerm", "postrm"] {
        text(&Command::new("sh").arg("-n").arg(out.join("DEBIAN").join(script)).output().unwrap());
    }
    let sums =
        Command::new("md5sum").args(["--quiet", "--check", "DEBIAN/md5sums"]).current_dir(&out).output();
    text(&sums.unwrap());
    text(&Command::new(out.join("usr/bin/alert-relay")).arg("--version").output().unwrap());
}

#[test]
fn what_is_installed_to_begin_with_passes_the_check_without_a_warning() {
    for file in ["packaging/relay.yaml", "packaging/container.yaml"] {
        let check = Command::new(env!("CARGO_BIN_EXE_alert-relay"))
            .args(["check", "--config"])
            .arg(root().join(file))
            .output()
            .unwrap();
        let said = text(&check) + &String::from_utf8_lossy(&check.stderr);
        assert!(said.contains("is good"), "{file}: {said}");
    }
}

#[test]
fn the_container_is_made_of_files_that_are_there_and_runs_as_nobody_in_particular() {
    let file = fs::read_to_string(root().join("Containerfile")).unwrap();
    let mut known = BTreeSet::new();
    let joined = file.replace("\\\n", " ");
    for line in joined.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let (word, rest) = line.split_once(' ').unwrap();
        known.insert(word.to_owned());
        let words: Vec<&str> = rest.split_whitespace().collect();
        if word == "COPY" && !rest.starts_with("--from") {
            let (_, sources) = words.split_last().unwrap();
            for source in sources {
                assert!(root().join(source).exists(), "COPY {source}: there is no such file");
            }
        }
    }
    let expected = [
        "CMD",
        "COPY",
        "ENTRYPOINT",
        "EXPOSE",
        "FROM",
        "HEALTHCHECK",
        "RUN",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
        "WORKDIR",
    ];
    assert_eq!(known, expected.map(str::to_owned).into());
    let last = file.rsplit_once("\nFROM ").unwrap().1;
    assert!(last.contains("\nUSER 65532:65532\n"), "it must not run as root");
    // What the build leaves out of the sources must not be needed by it.
    let copied = |needed: &str| {
        file.lines().any(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some("COPY") && words.any(|word| word == needed)
        })
    };
    let ignored = fs::read_to_string(root().join(".containerignore")).unwrap();
    let included = files_in_sources_by_name();
    assert!(included.contains("relay.schema.json"), "{included:?}");
    let always = ["src", "templates", "benches", "examples", "Cargo.toml", "Cargo.lock"].map(str::to_owned);
    for needed in included.into_iter().chain(always) {
        let top = needed.split('/').next().unwrap();
        assert!(copied(top), "the build needs {needed}, and the Containerfile does not copy {top}");
        assert!(ignored.lines().any(|line| line == format!("!{top}")), ".containerignore keeps {top} out");
    }
}

/// Files outside of `src` that the program is made of, as the sources name them.
fn files_in_sources_by_name() -> BTreeSet<String> {
    let mut folders = vec![root().join("src")];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap_or_default();
            for part in
                ["include_str!(\"", "include_bytes!(\""].iter().flat_map(|start| text.split(start).skip(1))
            {
                let named = folder.join(part.split('"').next().unwrap()).canonicalize().unwrap();
                let below = named.strip_prefix(root().canonicalize().unwrap()).unwrap();
                if !below.starts_with("src") {
                    found.insert(below.to_str().unwrap().to_owned());
                }
            }
        }
    }
    found
}
