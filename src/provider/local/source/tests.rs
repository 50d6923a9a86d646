//! With the real git, in folders that are made for it.

use std::fs::File;
use std::os::unix::fs::symlink;
use std::sync::{Arc, Mutex};

use super::*;
use crate::engine::event::RunResult;
use crate::engine::run::{Mode, Report, Run};
use crate::engine::{Events, Tree};

/// What git does for the tests themselves must not depend on who runs them.
fn git(folder: &Path, arguments: &[&str]) -> Git {
    let git = Git::of_the_person(folder, "-c").args(["user.name=x", "-c", "user.email=x@localhost"]);
    git.args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1")
}

struct World {
    root: tempfile::TempDir,
    messages: Arc<Mutex<Vec<String>>>,
}

impl World {
    fn new() -> Self {
        let world = Self { root: tempfile::tempdir().unwrap(), messages: Arc::default() };
        files::make_folder(&world.folder()).unwrap();
        world
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join("content of ü")
    }

    fn put(&self, path: impl AsRef<Path>, text: &str) {
        let path = self.folder().join(path);
        files::make_folder(path.parent().unwrap()).unwrap();
        files::replace(&path, text.as_bytes(), 0o600).unwrap();
    }

    fn env(&self) -> Env {
        Env {
            root: None,
            state: self.root.path().join("state"),
            cache: self.root.path().join("cache"),
            components: None,
            executable: "/bin/false".into(),
            variable: |_| None,
            aws: crate::aws::Sessions::default(),
            clients: crate::k8s::Clients::default(),
            hosts: crate::env::Hosts::new(crate::env::Settings::default()),
            answers: crate::env::Answers::default(),
            looks: crate::env::Looks::default(),
            kubeconfigs: crate::env::Kubeconfigs::default(),
        }
    }

    fn step(&self) -> impl Step + use<> {
        let repository = Repository {
            source: RepositorySource::Folder(self.folder()),
            basepath: String::new(),
            path: ".".to_owned(),
            revision: "main".to_owned(),
        };
        step(&self.env(), &"x".parse().unwrap(), &"addons".parse().unwrap(), &repository)
    }

    async fn run(&self, mode: Mode) -> Report {
        let messages = Arc::clone(&self.messages);
        let events = Events::new("x".parse().unwrap(), move |event| {
            messages.lock().unwrap().push(serde_json::to_string(event).unwrap());
        });
        let run = Run::new(mode, events);
        run.walk(&Tree::from(self.step())).await
    }

    async fn up(&self) -> RepositoryFacts {
        let report = self.run(Mode::Apply).await;
        assert_eq!(report.result, RunResult::Converged, "{:?}", self.messages);
        let facts = report.facts.repository(&"addons".parse().unwrap()).cloned().unwrap();
        assert!(self.run(Mode::Plan).await.is_unchanged());
        facts
    }

    /// What one gets who clones what is served: every path with its content, or `-> target`.
    async fn cloned(&self, facts: &RepositoryFacts) -> BTreeMap<String, String> {
        let to = tempfile::tempdir().unwrap();
        let clone = ["clone", "--quiet", "--branch", "main", &facts.url, to.path().to_str().unwrap()];
        git(self.root.path(), &clone).run(&[]).await.unwrap();
        let head = git(to.path(), &["rev-parse", "HEAD"]).run(&[]).await.unwrap();
        assert_eq!(Some(line(&head)), facts.commit);
        let listing = list(to.path(), Path::new("/nowhere")).await.unwrap();
        let read = |(path, kind): (&Vec<u8>, &Kind)| {
            let text = match kind {
                Kind::File => files::read(&to.path().join(OsStr::from_bytes(path))).unwrap(),
                Kind::Executable => "executable".to_owned(),
                Kind::Link(target) => format!("-> {}", String::from_utf8_lossy(target)),
            };
            (String::from_utf8_lossy(path).into_owned(), text)
        };
        listing.files.iter().map(read).collect()
    }

    async fn git(&self, arguments: &[&str]) {
        git(&self.folder(), arguments).run(&[]).await.unwrap();
    }
}

fn pairs(content: &[(&str, &str)]) -> BTreeMap<String, String> {
    content.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

#[tokio::test]
async fn a_plain_folder_is_served_with_everything_in_it() {
    let world = World::new();
    world.put("a.yaml", "a");
    world.put("below/b.yaml", "b\r\n");
    world.put(".gitattributes", "*.yaml -text\n");
    symlink("../a.yaml", world.folder().join("below/link")).unwrap();
    files::replace(&world.folder().join("run.sh"), b"#!/bin/sh\n", 0o700).unwrap();
    let facts = world.up().await;
    let expected = [
        (".gitattributes", "*.yaml -text\n"),
        ("a.yaml", "a"),
        ("below/b.yaml", "b\r\n"),
        ("below/link", "-> ../a.yaml"),
        ("run.sh", "executable"),
    ];
    assert_eq!(world.cloned(&facts).await, pairs(&expected));
}

#[tokio::test]
async fn names_may_be_odd() {
    let world = World::new();
    let names = [
        "with space",
        "new\nline",
        "\"quoted\"",
        "back\\slash",
        "tab\tand\rreturn\r",
        "ümläut",
        "-dash",
        "*",
    ];
    for name in names {
        world.put(name, name);
    }
    File::create(world.folder().join(OsStr::from_bytes(b"not utf-8 \xff"))).unwrap();
    let facts = world.up().await;
    let cloned = world.cloned(&facts).await;
    assert!(names.iter().all(|name| cloned[*name] == *name), "{cloned:?}");
    assert_eq!(cloned.len(), names.len() + 1);
}

#[tokio::test]
async fn a_work_tree_is_served_as_it_is_and_not_as_it_is_committed() {
    let world = World::new();
    world.git(&["init", "--quiet"]).await;
    world.put(".gitignore", "ignored\n");
    world.put("ignored", "no");
    world.put("kept", "1");
    world.put("deleted", "1");
    world.put("folder/replaced", "1");
    world.git(&["add", "."]).await;
    world.git(&["commit", "--quiet", "-m", "x"]).await;
    world.put("kept", "2");
    world.put("new", "1");
    files::remove(&world.folder().join("deleted")).unwrap();
    files::remove_folder(&world.folder().join("folder")).unwrap();
    world.put("folder", "1");
    world.put("clone/inside", "1");
    git(&world.folder().join("clone"), &["init", "--quiet"]).run(&[]).await.unwrap();
    let facts = world.up().await;
    let expected = [(".gitignore", "ignored\n"), ("folder", "1"), ("kept", "2"), ("new", "1")];
    assert_eq!(world.cloned(&facts).await, pairs(&expected));
    let messages = world.messages.lock().unwrap().concat();
    assert!(messages.contains("left out, being a repository of its own: clone"), "{messages}");
}

#[tokio::test]
async fn a_change_is_named_and_one_content_is_one_commit() {
    let world = World::new();
    world.put("a", "1");
    world.put("b", "1");
    let first = world.up().await;
    world.put("a", "2");
    files::remove(&world.folder().join("b")).unwrap();
    let plan = world.run(Mode::Plan).await;
    let changes: Vec<_> = plan.changes.values().flatten().map(ToString::to_string).collect();
    assert_eq!(changes, ["update repository addons: 2 changed: a, b"]);
    let second = world.up().await;
    assert_ne!(first.commit, second.commit);
    world.put("a", "1");
    world.put("b", "1");
    assert_eq!(world.up().await, first);
}

#[tokio::test]
async fn a_half_made_repository_is_completed() {
    let world = World::new();
    world.put("a", "1");
    let facts = world.up().await;
    let bare = world.env().site_folder(&"x".parse().unwrap()).join("git/addons.git");
    for damage in ["HEAD", "refs/heads/main", "config"] {
        files::remove(&bare.join(damage)).unwrap();
        assert_eq!(world.up().await, facts, "{damage}");
    }
    files::remove_folder(&bare.join("objects")).unwrap();
    assert_eq!(world.up().await, facts);
}

#[tokio::test]
async fn the_state_in_the_folder_is_not_served() {
    let world = World::new();
    let repository = Repository {
        source: RepositorySource::Folder(world.root.path().to_owned()),
        basepath: String::new(),
        path: ".".to_owned(),
        revision: "main".to_owned(),
    };
    world.put("a", "1");
    let step = step(&world.env(), &"x".parse().unwrap(), &"addons".parse().unwrap(), &repository);
    let run = Run::new(Mode::Apply, Events::new("x".parse().unwrap(), |_| {}));
    assert_eq!(run.walk(&Tree::from(step)).await.result, RunResult::Converged);
}

#[tokio::test]
async fn a_repository_elsewhere_yields_its_url() {
    let world = World::new();
    let repository = Repository {
        source: RepositorySource::Url("https://git.example/a".to_owned()),
        basepath: String::new(),
        path: ".".to_owned(),
        revision: "main".to_owned(),
    };
    let step = step(&world.env(), &"x".parse().unwrap(), &"addons".parse().unwrap(), &repository);
    let observed = step.observe(&Facts::default()).await.unwrap();
    let expected = RepositoryFacts { url: "https://git.example/a".to_owned(), commit: None };
    assert_eq!(observed.facts.repository(&"addons".parse().unwrap()), Some(&expected));
    assert!(observed.changes.is_empty());
}
