//! The person's own kubeconfig: merged into, taken out of, exported; killed in between; and what cannot be used.

mod corpus;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use bridgehead::files;
use bridgehead::k8s::kubeconfig::KubectlLock;

use crate::kit::wait::until;
use crate::kit::{Lab, command};

/// As somebody has it who works with other clusters, too, and wrote part of it by hand.
const THEIRS: &str = "apiVersion: v1\r\nkind: Config\r\ncurrent-context: work\r\nclusters:\r\n- name: work\r\n  cluster: {server: 'https://work.example:6443', insecure-skip-tls-verify: no}\r\ncontexts:\r\n- {name: work, context: {cluster: work, user: aws}}\r\nusers:\r\n- name: aws\r\n  user:\r\n    exec: {apiVersion: client.authentication.k8s.io/v1, command: aws, args: [eks, get-token]}\r\n";

const SITE: &str = "home";

/// The same, as any program reads it that knows kubeconfigs.
fn seen(lab: &Lab, path: &Path) -> serde_json::Value {
    let mut kubectl = lab.command("kubectl");
    kubectl.args(["config", "view", "--raw", "--output", "json", "--kubeconfig"]).arg(path);
    command::run(kubectl).document()
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

/// The names of the entries, in their order.
fn names(text: &str) -> Vec<&str> {
    let entry =
        |line| ["  name: ", "- name: "].into_iter().find_map(|before| str::strip_prefix(line, before));
    text.lines().filter_map(entry).collect()
}

#[test]
fn the_own_kubeconfig_takes_a_site_in_and_lets_it_go() {
    let lab = Lab::new();
    lab.write_profile(SITE, "[kube.contexts]\nargocd = \"home/k3s\"\n[hub.local]\n");
    // An API server is enough: the run ends where it would install Argo CD.
    let stopped = ("BRIDGEHEAD_FAULT", "before:1:hub/argocd/namespace");
    assert_eq!(lab.bridgehead_with(&["up", SITE], &[stopped]).code(), 137);
    let file = lab.path("home/.kube/config");

    a_folder_and_a_file_are_made(&lab, &file);
    everything_else_stays(&lab, &file);
    kills_leave_the_old_file_or_the_new_one(&lab, &file);
    what_cannot_be_used_is_left_alone(&lab, &file);
    several_files_and_a_link(&lab, &file);
    what_a_person_set_stays(&lab, &file);
    owner_group_and_mode_stay(&lab, &file);
    the_shell_says_which_files(&lab, &file);
    contexts_that_left_the_profile_go(&lab, &file);
    nothing_that_kubectl_writes_is_lost(&lab, &file);
    a_shell_uses_what_is_exported(&lab);

    what_is_somebody_elses_is_not_written_over(&lab, &file);

    files::replace(&file, THEIRS.as_bytes(), 0o600).unwrap();
    lab.ok(&["kubeconfig", "merge", SITE]);
    lab.ok(&["down", SITE]);
    assert!(!lab.path("home/.kube/home.yml").exists(), "`down` removes what was saved");
    assert!(!files::read(&file).unwrap().contains("home/k3s"), "`down` takes our entries out again");
    assert_eq!(files::read(&lab.path("home/.kube/config.bak")).unwrap().matches("home/k3s").count(), 5);
}

fn a_folder_and_a_file_are_made(lab: &Lab, file: &Path) {
    assert!(!file.parent().unwrap().exists());
    lab.ok(&["kubeconfig", "remove", SITE]);
    assert!(!file.exists(), "nothing to remove, nothing made");
    lab.ok(&["kubeconfig", "merge", SITE]);
    assert_eq!((mode(file), mode(file.parent().unwrap())), (0o600, 0o700));
    assert_eq!(names(&files::read(file).unwrap()), ["home/k3s"; 3]);
    let mut kubectl = lab.command("kubectl");
    kubectl.args(["--kubeconfig"]).arg(file).args(["--context", "home/k3s", "get", "--raw", "/version"]);
    let answer = command::run(kubectl);
    assert!(answer.stdout.contains("gitVersion"), "{answer:?}");
}

fn everything_else_stays(lab: &Lab, file: &Path) {
    files::replace(file, THEIRS.as_bytes(), 0o644).unwrap();
    let before = seen(lab, file);
    lab.ok(&["kubeconfig", "merge", SITE]);
    assert_eq!(files::read(&lab.path("home/.kube/config.bak")).unwrap(), THEIRS);
    let merged = files::read(file).unwrap();
    assert_eq!(mode(file), 0o640, "what is secret by now is not for everybody");
    assert_eq!(merged.matches("\r\n").count(), merged.matches('\n').count(), "lines end as they did");
    assert!(merged.contains("insecure-skip-tls-verify: no"), "as it was written:\n{merged}");
    let after = seen(lab, file);
    assert_eq!(after["current-context"], "work");
    for list in ["clusters", "contexts", "users"] {
        let (before, after) = (before[list].as_array().unwrap(), after[list].as_array().unwrap());
        assert!(before.iter().all(|entry| after.contains(entry)), "{list}: {after:?}");
    }

    let again = lab.ok(&["kubeconfig", "merge", SITE, "--output", "json"]);
    assert_eq!(again.events().last().unwrap()["changes"], 0);
    assert_eq!(files::read(file).unwrap(), merged);
    // `kubectl` writes the file its own way, and our entries are still known to be ours.
    let mut kubectl = lab.command("kubectl");
    kubectl.args(["config", "set-context", "mine", "--cluster", "work", "--kubeconfig"]).arg(file);
    assert_eq!(command::run(kubectl).code(), 0);
    lab.ok(&["kubeconfig", "merge", SITE, "--use"]);
    assert_eq!(seen(lab, file)["current-context"], "home/k3s");
    lab.ok(&["kubeconfig", "remove", SITE]);
    let left = seen(lab, file);
    assert_eq!(left["current-context"], "");
    assert_eq!(left["users"], before["users"]);
    assert!(left["contexts"].to_string().contains("mine"));
}

fn kills_leave_the_old_file_or_the_new_one(lab: &Lab, file: &Path) {
    files::replace(file, THEIRS.as_bytes(), 0o600).unwrap();
    lab.ok(&["kubeconfig", "merge", SITE]);
    let merged = files::read(file).unwrap();
    for (verb, before, after) in [("merge", THEIRS, merged.as_str()), ("remove", merged.as_str(), "")] {
        for point in ["before:1", "after:1", "before:2", "after:2"] {
            files::replace(file, before.as_bytes(), 0o600).unwrap();
            files::remove(&lab.path("home/.kube/config.bak")).unwrap();
            let fault = format!("{point}:site/kubeconfig");
            let killed = lab.bridgehead_with(&["kubeconfig", verb, SITE], &[("BRIDGEHEAD_FAULT", &fault)]);
            assert_eq!(killed.code(), 137, "{}", killed.stderr);
            let found = files::read(file).unwrap();
            let done = point == "after:2";
            assert_eq!(found == before, !done, "{verb}, {point}: {found}");
            assert!(
                done || point == "before:1"
                    || files::read(&lab.path("home/.kube/config.bak")).unwrap() == before
            );
            lab.ok(&["kubeconfig", verb, SITE]);
            let end = files::read(file).unwrap();
            assert!(if verb == "merge" { end == after } else { !end.contains("home/k3s") }, "{verb}: {end}");
        }
    }
}

fn what_cannot_be_used_is_left_alone(lab: &Lab, file: &Path) {
    for (text, said) in [
        ("users: [\n{secret: }}", "it is not YAML"),
        ("- secret", "is not a kubeconfig: it is not a map"),
        ("users: [{name: home/k3s, user: {token: secret}}]", "that is not the site's"),
        ("a: 1\n---\nb: secret\n", "it has a second document"),
    ] {
        files::replace(file, text.as_bytes(), 0o600).unwrap();
        let refused = lab.bridgehead(&["kubeconfig", "merge", SITE]);
        assert_eq!(refused.code(), 4, "{}", refused.stderr);
        assert!(refused.stderr.contains(said) && refused.stderr.contains("hint:"), "{}", refused.stderr);
        assert!(!refused.stderr.contains("secret"), "{}", refused.stderr);
        assert_eq!(files::read(file).unwrap(), text);
    }
    files::replace(file, THEIRS.as_bytes(), 0o600).unwrap();
    files::replace(&lab.path("home/.kube/config.lock"), b"", 0o600).unwrap();
    let waited = lab.bridgehead(&["kubeconfig", "merge", SITE]);
    assert_eq!(waited.code(), 5, "{}", waited.stderr);
    assert!(waited.stderr.contains("`kubectl` is writing the file"), "{}", waited.stderr);
    files::remove(&lab.path("home/.kube/config.lock")).unwrap();
    let folder = lab.path("root").to_string_lossy().into_owned();
    let refused = lab.bridgehead(&["kubeconfig", "merge", SITE, "--kubeconfig", &folder]);
    assert_eq!(refused.code(), 4);
    assert!(refused.stderr.contains(&format!("cannot read `{folder}`")), "{}", refused.stderr);
    assert_eq!(files::read(file).unwrap(), THEIRS);
}

fn several_files_and_a_link(lab: &Lab, file: &Path) {
    let (absent, real, link) = (lab.path("absent"), lab.path("real"), lab.path("home/link"));
    files::replace(&real, THEIRS.as_bytes(), 0o600).unwrap();
    symlink(&real, &link).unwrap();
    let paths = std::env::join_paths([&absent, &link, file]).unwrap().into_string().unwrap();
    lab.ok(&["kubeconfig", "merge", SITE, "--kubeconfig", &paths]);
    assert!(files::read(&real).unwrap().contains("home/k3s"), "the first that is there");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink(), "a link stays one");
    assert_eq!(files::read(file).unwrap(), THEIRS);
    assert!(!absent.exists());
    lab.ok(&["kubeconfig", "remove", SITE, "--kubeconfig", &paths]);
    assert!(!files::read(&real).unwrap().contains("home/k3s"));
}

/// Other tools write there, too.
fn what_a_person_set_stays(lab: &Lab, file: &Path) {
    files::replace(file, THEIRS.as_bytes(), 0o600).unwrap();
    lab.ok(&["kubeconfig", "merge", SITE]);
    let mut kubectl = lab.command("kubectl");
    kubectl.args(["config", "set-context", "home/k3s", "--namespace", "team", "--kubeconfig"]).arg(file);
    assert_eq!(command::run(kubectl).code(), 0);
    let written = files::read(file).unwrap();
    let again = lab.ok(&["kubeconfig", "merge", SITE, "--output", "json"]);
    assert_eq!(again.events().last().unwrap()["changes"], 0, "{}", again.stdout);
    assert_eq!(files::read(file).unwrap(), written);
    assert!(seen(lab, file)["contexts"].to_string().contains("\"namespace\":\"team\""));
}

fn owner_group_and_mode_stay(lab: &Lab, file: &Path) {
    const SOMEBODY: (u32, u32) = (1234, 2345);
    files::replace(file, THEIRS.as_bytes(), 0o600).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o660)).unwrap();
    // Only root can give a file away.
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        chown(file, Some(SOMEBODY.0), Some(SOMEBODY.1)).unwrap();
    }
    let owner = |path: &Path| path.metadata().map(|of| (of.uid(), of.gid())).unwrap();
    let before = owner(file);
    lab.ok(&["kubeconfig", "merge", SITE]);
    let backup = lab.path("home/.kube/config.bak");
    for path in [file, backup.as_path()] {
        assert_eq!((mode(path), owner(path)), (0o660, before), "{}", path.display());
    }
    files::remove(file).unwrap();
}

/// `KUBECONFIG` means what it means to `kubectl`, where nothing else says which files; the site's own are no answer.
fn the_shell_says_which_files(lab: &Lab, file: &Path) {
    let (absent, other) = (lab.path("absent"), lab.path("other"));
    files::replace(&other, THEIRS.as_bytes(), 0o600).unwrap();
    let saved = lab.path("home/.kube/home.yml");
    let paths = std::env::join_paths([&absent, &saved, &other]).unwrap().into_string().unwrap();
    let merge = |paths: &str| {
        let merged = lab.bridgehead_with(&["kubeconfig", "merge", SITE], &[("KUBECONFIG", paths)]);
        assert_eq!(merged.code(), 0, "{}", merged.stderr);
    };
    merge(&paths);
    assert!(files::read(&other).unwrap().contains("home/k3s") && !absent.exists() && !saved.exists());
    assert!(!file.exists());
    merge(saved.to_str().unwrap());
    assert!(files::read(file).unwrap().contains("home/k3s"));
}

/// They are known by their mark; those of others stay.
fn contexts_that_left_the_profile_go(lab: &Lab, file: &Path) {
    files::replace(file, THEIRS.as_bytes(), 0o600).unwrap();
    lab.ok(&["kubeconfig", "merge", SITE]);
    let profile = files::read(&lab.profile(SITE)).unwrap();
    lab.write_profile(SITE, &profile.replace("home/k3s", "home/renamed"));
    let merged = lab.ok(&["kubeconfig", "merge", SITE, "--output", "json"]);
    let detail = &merged.events_of("applied")[0]["changes"][0]["detail"];
    assert_eq!(detail, "contexts home/renamed; without the contexts home/k3s");
    assert_eq!(
        names(&files::read(file).unwrap()),
        ["work", "home/renamed", "work", "home/renamed", "aws", "home/renamed"]
    );
    lab.write_profile(SITE, &profile);
    lab.ok(&["kubeconfig", "merge", SITE]);
    assert!(!files::read(file).unwrap().contains("home/renamed"));
}

/// Two write the same file again and again. `kubectl` gives up at once while we have its lock; we wait.
fn nothing_that_kubectl_writes_is_lost(lab: &Lab, file: &Path) {
    files::replace(file, THEIRS.as_bytes(), 0o600).unwrap();
    let set_context = |name: &str| {
        let mut kubectl = lab.command("kubectl");
        kubectl.args(["config", "set-context", name, "--cluster", "work", "--kubeconfig"]).arg(file);
        command::run(kubectl)
    };
    let held = KubectlLock::take(file).unwrap().unwrap();
    let refused = set_context("mine");
    assert!(refused.code() != 0 && refused.stderr.contains("config.lock"), "{}", refused.stderr);
    drop(held);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..20 {
                let name = format!("mine-{number}");
                until("kubectl has the lock", || set_context(&name).code() == 0);
            }
        });
        for verb in ["merge", "remove"].repeat(4) {
            lab.ok(&["kubeconfig", verb, SITE]);
        }
    });
    let text = seen(lab, file)["contexts"].to_string();
    for number in 0..20 {
        assert!(text.contains(&format!("\"mine-{number}\"")), "mine-{number} was lost: {text}");
    }
    assert!(!lab.path("home/.kube/config.lock").exists());
}

fn a_shell_uses_what_is_exported(lab: &Lab) {
    let line = lab.ok(&["kubeconfig", "export", SITE]).stdout;
    let saved: PathBuf = lab.path("home/.kube/home.yml");
    assert_eq!(line, format!("export KUBECONFIG='{}'\n", saved.display()));
    assert_eq!(mode(&saved), 0o600);
    let mut shell = lab.command("sh");
    shell.args(["-c", "eval \"$1\"; kubectl config current-context", "sh", &line]);
    assert_eq!(command::run(shell).stdout, "home/k3s\n");
}

/// A file of a site's own is replaced as a whole, so it has to be one.
fn what_is_somebody_elses_is_not_written_over(lab: &Lab, file: &Path) {
    files::replace(file, THEIRS.as_bytes(), 0o600).unwrap();
    let path = file.to_str().unwrap();
    let refused = lab.bridgehead(&["kubeconfig", "export", SITE, "--k3s-kubeconfig", path]);
    assert_eq!((refused.code(), refused.stdout.as_str()), (4, ""), "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("`{path}` holds what is not the site's")), "{}", refused.stderr);
    assert_eq!(files::read(file).unwrap(), THEIRS);
}

#[test]
fn a_site_that_is_not_up_has_nothing_to_merge() {
    let lab = Lab::new();
    lab.write_profile(SITE, "[hub.local]\n");
    for verb in ["merge", "export"] {
        let refused = lab.bridgehead(&["kubeconfig", verb, SITE]);
        assert_eq!((refused.code(), refused.stdout.as_str()), (4, ""), "{}", refused.stderr);
        assert!(refused.stderr.contains("bridgehead up home"), "{}", refused.stderr);
    }
    assert!(!lab.path("home/.kube").exists());
}
