//! Kubeconfigs as people and programs write them: each is read by `kubectl` and by us, and each asks the same real API
//! server, with the same answer. Where we read what `kubectl` does not, or refuse what it takes, the table says so.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bridgehead::files;
use bridgehead::k8s::kubeconfig::{access, of, read, to_yaml};
use bridgehead::k8s::{Clients, Proxies};
use hyper::Request;
use proptest::prelude::*;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::kit::command::Running;
use crate::kit::proxy::Proxy;
use crate::kit::wait::until;
use crate::kit::{Lab, command};

const SITE: &str = "corpus";

/// What only an administrator may read.
const ASKED: &str = "/api/v1/namespaces/kube-system";

/// What becomes of a kubeconfig.
#[derive(Debug, Clone, Copy)]
enum End {
    /// Both are answered alike: `admin`, or the name of whoever may not read.
    Alike(&'static str),
    /// We are answered; `kubectl` does not read it.
    Ours(&'static str),
    /// We refuse it with these words; whether `kubectl` does too.
    Refused(&'static str, bool),
}
use End::{Alike, Ours, Refused};

const ADMIN: End = Alike("admin");
/// This server lets nobody in who says nothing; `kubectl` then asks for a name.
const NOBODY: End = Refused("Unauthorized", true);
const ACCOUNT: End = Alike("system:serviceaccount:default:default");

/// What the kubeconfig of a real server says.
struct Parts {
    server: String,
    port: u16,
    ca: String,
    cert: String,
    key: String,
    token: String,
    /// The server's own certificate, PEM.
    leaf: String,
    socks: Proxy,
    login: Proxy,
    folder: PathBuf,
}

type Case = (&'static str, String, End);

fn encode(text: impl AsRef<[u8]>) -> String {
    STANDARD.encode(text)
}

fn decode(data: &str) -> String {
    String::from_utf8(STANDARD.decode(data).unwrap()).unwrap()
}

fn wrapped(text: &str, width: usize, indent: &str) -> String {
    let lines: Vec<_> = text.as_bytes().chunks(width).map(|line| str::from_utf8(line).unwrap()).collect();
    lines.join(&format!("\n{indent}"))
}

/// A token that nobody has signed.
fn jwt(claims: &Value) -> String {
    format!(
        "{}.{}.c2ln",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    )
}

impl Parts {
    fn cluster(&self) -> Value {
        json!({ "server": self.server, "certificate-authority-data": self.ca })
    }

    fn cluster_with(&self, more: &Value) -> Value {
        let mut cluster = self.cluster();
        cluster.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        cluster
    }

    fn user(&self) -> Value {
        json!({ "client-certificate-data": self.cert, "client-key-data": self.key })
    }

    fn user_with(&self, more: &Value) -> Value {
        let mut user = self.user();
        user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        user
    }

    fn of_cluster(&self, cluster: &Value) -> String {
        document(cluster, &self.user()).to_string()
    }

    fn of_user(&self, user: &Value) -> String {
        document(&self.cluster(), user).to_string()
    }

    /// One written by hand, in which pieces differ.
    fn by_hand(&self, pieces: &[(&str, &str)]) -> String {
        let mut text = format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster:\n    server: {}\n    certificate-authority-data: {}\ncontexts:\n- name: case\n  context:\n    cluster: c\n    user: u\nusers:\n- name: u\n  user:\n    client-certificate-data: {}\n    client-key-data: {}\n",
            self.server, self.ca, self.cert, self.key
        );
        for (from, to) in pieces {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        text
    }

    /// The wrong way to reach it, but for a proxy that leads every name to this machine.
    fn elsewhere(&self, proxy: &str) -> String {
        self.of_cluster(&self.cluster_with(&json!({
            "server": format!("https://cluster.example:{}", self.port), "tls-server-name": "127.0.0.1", "proxy-url": proxy,
        })))
    }

    fn written(&self) -> Vec<Case> {
        let Self { ca, cert, key, server, .. } = self;
        let folded = |mark: &str, width| {
            let field = |text: &str| format!("{mark}\n      {}", wrapped(text, width, "      "));
            self.by_hand(&[(ca, &field(ca)), (cert, &field(cert)), (key, &field(key))])
        };
        let quoted = format!("\"{}\"", wrapped(ca, 64, "").replace('\n', "\\n"));
        vec![
            ("plain", self.by_hand(&[]), ADMIN),
            ("json", document(&self.cluster(), &self.user()).to_string(), ADMIN),
            ("json, pretty", serde_json::to_string_pretty(&document(&self.cluster(), &self.user())).unwrap(), ADMIN),
            ("base64 in lines of 76", folded("|", 76), ADMIN),
            ("base64 in lines of 64, without the last line end", folded("|-", 64), ADMIN),
            ("base64 in lines, with every line end", folded("|+", 76), ADMIN),
            ("base64 in lines that become spaces", folded(">", 76), Ours("admin")),
            ("base64 in quotes with line ends", self.by_hand(&[(ca, &quoted)]), ADMIN),
            ("quotes", self.by_hand(&[(ca, &format!("'{ca}'")), ("name: c\n", "name: 'c'\n"), (server, &format!("\"{server}\""))]), ADMIN),
            ("lines of Windows", self.by_hand(&[("\n", "\r\n")]), ADMIN),
            ("a byte order mark", format!("\u{feff}{}", self.by_hand(&[])), ADMIN),
            ("a document's start and end", format!("%YAML 1.1\n---\n{}...\n", self.by_hand(&[])), ADMIN),
            ("comments", self.by_hand(&[("clusters:\n", "# mine\nclusters: # all\n"), ("    user: u\n", "    user: u   # me\n")]), ADMIN),
            ("deeper lists", self.by_hand(&[("\n- name: c\n  cluster:\n    server", "\n    - name: c\n      cluster:\n        server"), ("\n    certificate-authority-data", "\n        certificate-authority-data")]), ADMIN),
            ("anchors", self.by_hand(&[("  cluster:\n    server", "  cluster: &c\n    server"), ("contexts:\n", "- name: d\n  cluster: *c\ncontexts:\n"), ("    cluster: c\n", "    cluster: d\n")]), ADMIN),
            ("merge keys", self.by_hand(&[("clusters:\n", &format!("x: &x {{server: '{server}', tls-server-name: nonsense}}\nclusters:\n")), (&format!("    server: {server}\n"), "    <<: *x\n    tls-server-name: 127.0.0.1\n")]), ADMIN),
            ("tags", self.by_hand(&[("name: c\n", "name: !!str c\n"), ("  user:\n    client", "  user: !!map\n    client")]), ADMIN),
            ("a key twice", self.by_hand(&[("    server:", "    server: https://127.0.0.1:1\n    server:")]), ADMIN),
            ("unknown keys", self.by_hand(&[("kind: Config\n", "kind: Config\nx-team: [a, {b: 1}]\n"), ("    server:", "    x: 0x1F\n    server:")]), ADMIN),
            ("no kind", self.by_hand(&[("apiVersion: v1\nkind: Config\n", "")]), ADMIN),
            ("nulls", self.by_hand(&[("kind: Config\n", "kind: Config\npreferences: ~\nextensions: null\ncurrent-context:\n"), ("    server:", "    proxy-url: ~\n    tls-server-name: ''\n    server:")]), ADMIN),
            ("an order of its own", self.by_hand(&[("apiVersion: v1\n", ""), ("users:\n", "apiVersion: v1\nusers:\n")]), ADMIN),
            ("names that are like numbers", self.by_hand(&[("name: c\n", "name: '1e3'\n"), ("cluster: c\n", "cluster: '1e3'\n")]), ADMIN),
            ("names that are numbers", self.by_hand(&[("name: c\n", "name: 12\n"), ("cluster: c\n", "cluster: 12\n")]), Ours("admin")),
            ("names in other letters", self.by_hand(&[("name: c\n", "name: kölner:cluster/@1\n"), ("cluster: c\n", "cluster: kölner:cluster/@1\n")]), ADMIN),
            ("a second document", format!("{}---\nusers: []\n", self.by_hand(&[])), ADMIN),
            ("an entry without a name", self.by_hand(&[("users:\n", "- context: {cluster: x}\nusers:\n")]), ADMIN),
            ("a namespace and extensions", self.by_hand(&[("    user: u\n", "    user: u\n    namespace: team\n    extensions:\n    - {name: minikube.sigs.k8s.io, extension: {version: v1}}\n")]), ADMIN),
            ("no YAML", self.by_hand(&[("clusters:\n", "clusters: [\n")]), Refused("cannot read", true)),
            ("a list", "- a\n".to_owned(), Refused("it is not a map", true)),
            ("nothing", String::new(), Refused("has no context `case`", true)),
        ]
    }

    fn clusters(&self) -> Vec<Case> {
        let Self { server, port, .. } = self;
        let ca = decode(&self.ca);
        let authority = |pem: &str| {
            self.of_cluster(&json!({ "server": server, "certificate-authority-data": encode(pem) }))
        };
        let at = |url: String| self.of_cluster(&self.cluster_with(&json!({ "server": url })));
        let other = rcgen::generate_simple_self_signed(["other.example".to_owned()]).unwrap().cert.pem();
        files::replace(&self.folder.join("ca.crt"), ca.as_bytes(), 0o600).unwrap();
        let file = |name: &str| self.of_cluster(&json!({ "server": server, "certificate-authority": name }));
        vec![
            ("the server's own certificate as its authority", authority(&self.leaf), ADMIN),
            ("authorities, the right one last", authority(&format!("{other}{ca}")), ADMIN),
            ("an authority among other text", authority(&format!("CN=caf\u{e9}\nIssuer: me\n{ca}# end")), ADMIN),
            ("an authority beside a broken one", authority(&format!("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n{ca}")), ADMIN),
            ("an authority with lines of Windows", authority(&ca.replace('\n', "\r\n")), ADMIN),
            ("an authority twice", authority(&format!("{ca}{ca}")), ADMIN),
            ("another authority", authority(&other), Refused("not by the authority that the kubeconfig trusts", true)),
            ("an authority that is none", authority("no PEM"), Refused("not base64 of PEM", true)),
            ("an authority of a key", authority(&decode(&self.key)), Refused("no certificate that can be used", true)),
            ("an authority that is not base64", self.of_cluster(&json!({ "server": server, "certificate-authority-data": "?" })), Refused("not base64 of PEM", true)),
            ("the authority's file beside it", file("ca.crt"), ADMIN),
            ("the authority's file by its path", file(self.folder.join("ca.crt").to_str().unwrap()), ADMIN),
            ("no file", file("gone.crt"), Refused("gone.crt", true)),
            ("no authority", self.of_cluster(&json!({ "server": server })), Refused("certificate", true)),
            ("a slash at the end", at(format!("{server}/")), ADMIN),
            ("no scheme", at(format!("127.0.0.1:{port}")), Ours("admin")),
            ("the port of every address", self.of_cluster(&self.cluster_with(&json!({ "server": format!("https://0.0.0.0:{port}"), "tls-server-name": "127.0.0.1" }))), ADMIN),
            ("another name", at(format!("https://localhost:{port}")), ADMIN),
            ("a name of the certificate", self.of_cluster(&self.cluster_with(&json!({ "tls-server-name": "kubernetes.default.svc" }))), ADMIN),
            ("a name that the certificate lacks", self.of_cluster(&self.cluster_with(&json!({ "tls-server-name": "other.example" }))), Refused("other.example", true)),
            ("no server", self.of_cluster(&json!({ "certificate-authority-data": self.ca })), Refused("without `server`", true)),
            ("a server that is no URL", at("ftp://a".to_owned()), Refused("no URL", true)),
            ("no check of the server", self.of_cluster(&json!({ "server": server, "insecure-skip-tls-verify": true })), Refused("insecure-skip-tls-verify", false)),
            ("a check of the server", self.of_cluster(&self.cluster_with(&json!({ "insecure-skip-tls-verify": false }))), ADMIN),
            ("no compression", self.of_cluster(&self.cluster_with(&json!({ "disable-compression": true }))), ADMIN),
            ("extensions of minikube", self.of_cluster(&self.cluster_with(&json!({ "extensions": [{ "name": "cluster_info", "extension": { "provider": "minikube.sigs.k8s.io" } }] }))), ADMIN),
            ("no cluster", json!({ "contexts": [{ "name": "case", "context": { "user": "u" } }] }).to_string(), Refused("names no cluster", true)),
            ("a cluster that is not there", json!({ "contexts": [{ "name": "case", "context": { "cluster": "gone" } }] }).to_string(), Refused("which is not there", true)),
            ("SOCKS5", self.elsewhere(&format!("socks5://127.0.0.1:{}", self.socks.port)), ADMIN),
            ("SOCKS5 with a login", self.elsewhere(&format!("socks5://me:a%40b@127.0.0.1:{}", self.login.port)), ADMIN),
            ("SOCKS5 that resolves names", self.elsewhere(&format!("socks5h://127.0.0.1:{}", self.socks.port)), Ours("admin")),
            ("an HTTP proxy", self.elsewhere(&format!("http://127.0.0.1:{}", self.socks.port)), ADMIN),
            ("an HTTP proxy with a login", self.elsewhere(&format!("http://me:a%40b@127.0.0.1:{}/", self.login.port)), ADMIN),
            ("a proxy of another kind", self.elsewhere("ftp://127.0.0.1:1"), Refused("`proxy-url`", true)),
        ]
    }

    fn users(&self) -> Vec<Case> {
        let Self { token, .. } = self;
        let now = jiff::Timestamp::now().as_second();
        let oidc = |token: &str| {
            let config =
                json!({ "idp-issuer-url": "https://issuer.example", "client-id": "kube", "id-token": token });
            self.of_user(&json!({ "auth-provider": { "name": "oidc", "config": config } }))
        };
        for (name, text) in
            [("me.crt", decode(&self.cert)), ("me.key", decode(&self.key)), ("token", format!("{token}\n"))]
        {
            files::replace(&self.folder.join(name), text.as_bytes(), 0o600).unwrap();
        }
        let script = format!(
            "#!/bin/sh\ncase \"$KUBERNETES_EXEC_INFO\" in *\"$WANTED\"*) ;; *) exit 9;; esac\ncat <<END\n{}\nEND\n",
            json!({ "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": { "token": token } })
        );
        files::replace(&self.folder.join("login"), script.as_bytes(), 0o700).unwrap();
        let plugin = |wanted: &str, more: &Value| {
            let mut plugin = json!({ "apiVersion": "client.authentication.k8s.io/v1", "command": "./login", "interactiveMode": "Never", "env": [{ "name": "WANTED", "value": wanted }] });
            plugin.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({ "exec": plugin })
        };
        let told = self.cluster_with(&json!({ "extensions": [{ "name": "client.authentication.k8s.io/exec", "extension": { "audience": "fleet-7" } }] }));
        let provided = json!({ "provideClusterInfo": true });
        let context = |user: Value| {
            let mut document = document(&self.cluster(), &json!({}));
            document["contexts"][0]["context"] = user;
            document.to_string()
        };
        vec![
            ("a token", self.of_user(&json!({ "token": token })), ACCOUNT),
            ("a token of nobody", self.of_user(&json!({ "token": "0123abc" })), Refused("Unauthorized", true)),
            ("a token's file", self.of_user(&json!({ "tokenFile": "token" })), ACCOUNT),
            ("files", self.of_user(&json!({ "client-certificate": "me.crt", "client-key": "./me.key" })), ADMIN),
            ("a file and a text", self.of_user(&json!({ "client-certificate": "me.crt", "client-key-data": self.key })), ADMIN),
            ("empty texts", self.of_user(&self.user_with(&json!({ "token": "", "tokenFile": "", "username": "", "client-key": "" }))), ADMIN),
            ("a certificate without its key", self.of_user(&json!({ "client-certificate-data": self.cert })), Refused("key", true)),
            ("a key that is not base64", self.of_user(&self.user_with(&json!({ "client-key-data": "?" }))), Refused("`client-key-data` is not base64", true)),
            ("somebody else", self.of_user(&self.user_with(&json!({ "as": "jane", "as-groups": ["system:authenticated"] }))), Alike("jane")),
            ("somebody else in all", self.of_user(&self.user_with(&json!({ "as": "jane", "as-uid": "7", "as-groups": ["a"], "as-user-extra": { "reason": ["b"] } }))), Alike("jane")),
            ("no credentials", self.of_user(&json!({})), NOBODY),
            ("credentials that are null", self.of_user(&Value::Null), NOBODY),
            ("no user", context(json!({ "cluster": "c" })), NOBODY),
            ("an empty user", context(json!({ "cluster": "c", "user": "" })), NOBODY),
            ("a user that is not there", context(json!({ "cluster": "c", "user": "gone" })), NOBODY),
            ("OpenID Connect", oidc(token), ACCOUNT),
            ("OpenID Connect that has ended", oidc(&jwt(&json!({ "exp": now - 60 }))), Refused("ended at", true)),
            ("OpenID Connect without an end", oidc(&jwt(&json!({ "sub": "a" }))), Refused("does not say when it ends", true)),
            ("OpenID Connect with another text", oidc("nonsense"), Refused("is no JSON Web Token", true)),
            ("OpenID Connect without a token", oidc(""), Refused("is not there", true)),
            ("a provider that is gone", self.of_user(&json!({ "auth-provider": { "name": "gcp", "config": {} } })), Refused("gave up in 1.26", true)),
            ("a plugin", self.of_user(&plugin("", &json!({}))), ACCOUNT),
            ("a plugin that is told of the cluster", document(&self.cluster(), &plugin(&self.server, &provided)).to_string(), ACCOUNT),
            ("a plugin that is told of an extension", document(&told, &plugin("fleet-7", &provided)).to_string(), ACCOUNT),
            ("a plugin that fails", self.of_user(&plugin("never told", &json!({}))), Refused("the credential plugin failed", true)),
            ("a plugin with empty lists", self.of_user(&plugin("", &json!({ "args": null, "installHint": "buy it" }))), ACCOUNT),
            ("a malformed user", self.of_user(&json!({ "token": ["x"] })), Refused("malformed", true)),
        ]
    }
}

fn document(cluster: &Value, user: &Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "Config", "preferences": {}, "current-context": "",
        "clusters": [{ "name": "c", "cluster": cluster }], "users": [{ "name": "u", "user": user }],
        "contexts": [{ "name": "case", "context": { "cluster": "c", "user": "u" } }] })
}

/// Whom the server took somebody for who may not read; `admin` for one who may.
fn who(message: &str) -> String {
    let name = message.split_once("User \"").and_then(|(_, rest)| rest.split_once('"'));
    name.map_or_else(|| message.to_owned(), |(name, _)| name.to_owned())
}

/// What we are answered, or why not.
async fn ours(file: &Path) -> Result<String, String> {
    let chain = |error: &dyn std::error::Error| {
        let causes = std::iter::successors(Some(error), |error| error.source());
        causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    };
    let files = read(file).map_err(|error| chain(&error))?;
    let access = access(file, &files, "case").map_err(|error| chain(&error))?;
    let client = Clients::new(Proxies::default()).get(&access).await.map_err(|error| chain(&error))?;
    let request = Request::get(ASKED).body(Vec::new()).unwrap();
    match client.request_text(request).await {
        Ok(_) => Ok("admin".to_owned()),
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(who(&status.message)),
        Err(error) => Err(chain(&error)),
    }
}

/// The same of `kubectl`.
fn theirs(lab: &Lab, file: &Path) -> Result<String, String> {
    let mut kubectl = lab.command("kubectl");
    kubectl
        .args(["--context", "case", "--request-timeout", "10s", "get", "--raw", ASKED, "--kubeconfig"])
        .arg(file);
    let answer = command::run(kubectl);
    match answer.code() {
        0 => Ok("admin".to_owned()),
        _ if answer.stderr.contains("(Forbidden)") => Ok(who(&answer.stderr)),
        _ => Err(answer.stderr),
    }
}

/// The parts of a cluster and a user that `kubectl` reads there, as far as we keep them as they are.
fn same_content(lab: &Lab, name: &str, file: &Path) {
    let read = access(file, &read(file).unwrap(), "case").unwrap();
    same(name, &of([("case", &read)]), &seen(lab, file), "case");
}

/// What `kubectl` reads.
fn seen(lab: &Lab, file: &Path) -> Value {
    let mut kubectl = lab.command("kubectl");
    kubectl.args(["config", "view", "--raw", "--output", "json", "--kubeconfig"]).arg(file);
    command::run(kubectl).document()
}

fn same(name: &str, ours: &Value, theirs: &Value, context: &str) {
    let entry = |list: &str, key: &str, name: &Value| {
        let mut entries = theirs[list].as_array().into_iter().flatten();
        entries.find(|entry| entry["name"] == *name).map(|entry| entry[key].clone()).unwrap_or_default()
    };
    let context = entry("contexts", "context", &context.into());
    let (cluster, user) =
        (entry("clusters", "cluster", &context["cluster"]), entry("users", "user", &context["user"]));
    let (our_cluster, our_user) = (&ours["clusters"][0]["cluster"], &ours["users"][0]["user"]);
    for key in ["tls-server-name", "proxy-url"] {
        assert_eq!(our_cluster[key], cluster[key], "{name}: {key}");
    }
    let server = cluster["server"].as_str().unwrap().trim_end_matches('/');
    assert!(our_cluster["server"].as_str().unwrap().ends_with(server), "{name}: {our_cluster}");
    for key in [
        "token",
        "username",
        "client-certificate-data",
        "client-key-data",
        "as",
        "as-uid",
        "as-groups",
        "as-user-extra",
    ] {
        // An empty list says nothing.
        let said =
            |user: &Value| Some(user[key].clone()).filter(|value| *value != json!([]) && !value.is_null());
        if key != "token" || user["auth-provider"].is_null() && user["tokenFile"].is_null() {
            assert_eq!(said(our_user), said(&user), "{name}: {key}");
        }
    }
}

/// An API server, and what leads to it.
fn parts(lab: &Lab) -> Parts {
    lab.write_profile(SITE, "[hub.local]\n");
    // An API server is enough: the run ends where it would install Argo CD.
    let stopped =
        lab.bridgehead_with(&["up", SITE], &[("BRIDGEHEAD_FAULT", "before:1:hub/argocd/namespace")]);
    assert_eq!(stopped.code(), 137, "{}", stopped.stderr);
    let shown = lab.ok(&["kubeconfig", "show", SITE, "--output", "json"]).document();
    let (cluster, user) = (&shown["clusters"][0]["cluster"], &shown["users"][0]["user"]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let folder = lab.path("kubeconfigs");
    files::make_folder(&folder).unwrap();
    files::replace(&folder.join("admin"), shown.to_string().as_bytes(), 0o600).unwrap();
    let mut token = String::new();
    // The account is made by a controller, in its time.
    until("there is an account", || {
        let mut kubectl = lab.command("kubectl");
        kubectl.args(["create", "token", "default", "--kubeconfig"]).arg(folder.join("admin"));
        token = command::run(kubectl).stdout.trim().to_owned();
        !token.is_empty()
    });
    let server = text(&cluster["server"]);
    let port = server.rsplit_once(':').unwrap().1.parse().unwrap();
    let pair = files::read(&lab.state(SITE).join("hub/pki/api-server.pem")).unwrap();
    let leaf = pair[..pair.find("-----BEGIN PRIVATE").unwrap()].to_owned();
    Parts {
        server,
        port,
        token,
        leaf,
        folder,
        ca: text(&cluster["certificate-authority-data"]),
        cert: text(&user["client-certificate-data"]),
        key: text(&user["client-key-data"]),
        socks: Proxy::start(None),
        login: Proxy::start(Some("me:a@b")),
    }
}

/// `kubectl proxy` knows who asks, so that its users need not say it: nobody's credentials go over plain HTTP.
fn behind_a_proxy_of_kubectl(lab: &Lab, parts: &Parts) {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let mut kubectl = lab.command("kubectl");
    kubectl.args(["proxy", "--port", &port.to_string(), "--kubeconfig"]).arg(parts.folder.join("admin"));
    let running = Running::start(kubectl);
    until("kubectl proxy serves", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let cluster = json!({ "server": format!("http://127.0.0.1:{port}") });
    let nobody = json!({ "clusters": [{ "name": "c", "cluster": cluster }], "contexts": [{ "name": "case", "context": { "cluster": "c" } }] });
    let somebody = document(&cluster, &json!({ "token": "canary" }));
    for text in [nobody, somebody] {
        let file = parts.folder.join("plain.yaml");
        files::replace(&file, text.to_string().as_bytes(), 0o600).unwrap();
        assert_eq!(runtime.block_on(ours(&file)).as_deref(), Ok("admin"), "{text}");
        assert_eq!(theirs(lab, &file).as_deref(), Ok("admin"), "{text}");
        let read = access(&file, &read(&file).unwrap(), "case").unwrap();
        assert!(!of([("case", &read)]).to_string().contains("canary"));
    }
    running.signal(Signal::TERM);
    running.finish();
}

/// What the environment says of proxies, as Go reads it.
async fn through_the_environments_proxy(parts: &Parts) {
    let elsewhere = parts.of_cluster(&parts.cluster_with(&json!({
        "server": format!("https://cluster.example:{}", parts.port), "tls-server-name": "127.0.0.1",
    })));
    let ask = async |text: &str, no_proxy: &str| {
        let file = parts.folder.join("environment.yaml");
        files::replace(&file, text.as_bytes(), 0o600).unwrap();
        let access = access(&file, &read(&file).unwrap(), "case").unwrap();
        let proxy = format!("127.0.0.1:{}", parts.socks.port);
        let clients = Clients::new(Proxies::new(None, Some(&proxy), Some(no_proxy)));
        let request = Request::get(ASKED).body(Vec::new()).unwrap();
        let answer = clients.get(&access).await.unwrap().request_text(request).await;
        (answer.is_ok(), parts.socks.take())
    };
    parts.socks.take();
    assert_eq!(ask(&elsewhere, "other.example,").await, (true, 1));
    assert_eq!(
        ask(&elsewhere, "cluster.example,").await,
        (false, 0),
        "what it lists is asked directly, and is nowhere"
    );
    assert_eq!(ask(&parts.by_hand(&[]), "").await, (true, 0), "loopback is asked directly");
}

#[test]
fn kubeconfigs_are_read_as_kubectl_reads_them() {
    let lab = Lab::new();
    let parts = parts(&lab);
    let cases: Vec<_> = [parts.written(), parts.clusters(), parts.users()].concat();
    assert!(cases.len() >= 60, "{}", cases.len());
    let files: Vec<_> = (0..cases.len()).map(|number| parts.folder.join(format!("{number}.yaml"))).collect();
    for ((_, text, _), file) in cases.iter().zip(&files) {
        files::replace(file, text.as_bytes(), 0o600).unwrap();
    }
    let wrong = Mutex::new(Vec::new());
    let next = std::sync::atomic::AtomicUsize::new(0);
    // `kubectl` mostly waits.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                loop {
                    let number = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    let (Some((name, _, end)), Some(file)) = (cases.get(number), files.get(number)) else {
                        return;
                    };
                    let (ours, theirs) = (runtime.block_on(ours(file)), theirs(&lab, file));
                    let is_right = match end {
                        Alike(who) => ours.as_deref() == Ok(*who) && theirs.as_deref() == Ok(*who),
                        Ours(who) => ours.as_deref() == Ok(*who) && theirs.is_err(),
                        Refused(why, theirs_too) => {
                            ours.as_ref().is_err_and(|said| said.contains(why))
                                && theirs.is_err() == *theirs_too
                        }
                    };
                    if !is_right {
                        wrong
                            .lock()
                            .unwrap()
                            .push(format!("{name} ({end:?}): we {ours:?}, kubectl {theirs:?}"));
                    } else if matches!(end, Alike(_)) {
                        same_content(&lab, name, file);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    // Each of the proxies was asked by both, for every kubeconfig that names it.
    assert!(parts.socks.take() >= 5 && parts.login.take() >= 4);
    behind_a_proxy_of_kubectl(&lab, &parts);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(through_the_environments_proxy(&parts));
}

/// Texts that mean something to YAML if they stand there bare.
fn word() -> impl Strategy<Value = String> {
    const ODD: [&str; 14] = [
        "yes",
        "~",
        "1e3",
        "0x1F",
        "- a",
        "a: b",
        "a #b",
        "'",
        "{}",
        "*a",
        "!t",
        "null",
        "2001-01-01",
        "k\u{f6}ln",
    ];
    prop_oneof![proptest::sample::select(&ODD[..]).prop_map(ToOwned::to_owned), "[a-z0-9.:/@_-]{1,12}"]
}

/// What clusters and users may say, in any combination.
fn entries() -> impl Strategy<Value = (Value, Value)> {
    let cluster = (
        proptest::option::of(word()),
        proptest::option::of(proptest::sample::select(
            &["http://p:1", "socks5://p:1", "https://u:p@p:1"][..],
        )),
        proptest::option::of(any::<bool>()),
        "[a-z]{1,8}(/[a-z]{1,4})?",
    );
    let user = (
        proptest::option::of(word()),
        proptest::option::of(word()),
        proptest::option::of(proptest::collection::vec(word(), 0..3)),
        proptest::option::of("[ -~\u{e4}]{0,80}"),
    );
    (cluster, user).prop_map(|((name, proxy, compression, server), (token, other, groups, data))| {
        let mut cluster = json!({ "server": format!("https://{server}"), "certificate-authority-data": encode(CERTIFICATE) });
        for (key, value) in [("tls-server-name", name), ("proxy-url", proxy.map(ToOwned::to_owned))] {
            if let Some(value) = value {
                cluster[key] = value.into();
            }
        }
        if let Some(compression) = compression {
            cluster["disable-compression"] = compression.into();
        }
        let mut user = json!({});
        for (key, value) in [("token", token), ("as", other), ("client-key-data", data.map(encode))] {
            if let Some(value) = value {
                user[key] = value.into();
            }
        }
        if let Some(groups) = groups.filter(|_| !user["as"].is_null()) {
            user["as-groups"] = groups.into();
        }
        (cluster, user)
    })
}

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() })]
    /// One question to `kubectl` answers for all the contexts of a file.
    #[test]
    fn generated_kubeconfigs_mean_the_same_to_kubectl(
        entries in proptest::collection::vec(entries(), 1..12), name in word(), as_json in any::<bool>(), crlf in any::<bool>(),
    ) {
        let list = |key: &str, pick: &dyn Fn(&(Value, Value)) -> Value| -> Value {
            let named = |(number, entry)| json!({ "name": format!("n{number}"), key: pick(entry) });
            entries.iter().enumerate().map(named).collect()
        };
        let contexts: Value = (0..entries.len())
            .map(|number| json!({ "name": format!("{name}-{number}"), "context": { "cluster": format!("n{number}"), "user": format!("n{number}") } }))
            .collect();
        let document = json!({
            "apiVersion": "v1", "kind": "Config", "contexts": contexts,
            "clusters": list("cluster", &|(cluster, _)| cluster.clone()), "users": list("user", &|(_, user)| user.clone()),
        });
        let text = if as_json { document.to_string() } else { to_yaml(&document) };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        files::replace(&file, (if crlf { text.replace('\n', "\r\n") } else { text }).as_bytes(), 0o600).unwrap();
        let lab = Lab::new();
        let ours = read(&file).unwrap();
        let theirs = seen(&lab, &file);
        for number in 0..entries.len() {
            let context = format!("{name}-{number}");
            let read = access(&file, &ours, &context).unwrap();
            same(&context, &of([("case", &read)]), &theirs, &context);
        }
    }
}
