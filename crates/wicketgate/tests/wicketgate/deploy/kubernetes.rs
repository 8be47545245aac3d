//! The manifests for Kubernetes: its schemas take them, what they say of each other holds, and their configuration serves.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::peers::python;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::{Process, Ready, Signal};
use wicketgate_testkit::raw::{EchoBackend, Endpoint, RawClient};
use wicketgate_testkit::tls::Authority;

use super::{BINARY, read, root};

/// How long a line of the log may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The version whose schemas are asked: `preStop.sleep` is in all that are served with patches.
const VERSION: &str = "1.34";

fn folder() -> PathBuf {
    root().join("deploy/kubernetes")
}

fn manifest(name: &str) -> Value {
    serde_saphyr::from_str(&read(&format!("deploy/kubernetes/{name}.yaml"))).unwrap()
}

/// Whether Kubernetes' schemas take these files, and what is said of them.
fn validate(files: &[PathBuf]) -> (bool, String) {
    let mut command = python::interpreter().unwrap();
    command.args(["-m", "kubernetes_validate", "--strict", "--kubernetes-version", VERSION]).args(files);
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn kubernetes_takes_each_manifest_and_kustomize_names_them_all() {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| !path.ends_with("kustomization.yaml")).collect();
    files.sort();
    let (is_valid, said) = validate(&files);
    assert!(is_valid, "{said}");
    let list = manifest("kustomization");
    let mut named: Vec<_> = list["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| folder().join(name.as_str().unwrap()))
        .collect();
    named.sort();
    assert_eq!(named, files);
    // What it does not know it does not take.
    let dir = Dir::new().unwrap();
    let wrong = read("deploy/kubernetes/deployment.yaml").replace("readOnlyRootFilesystem:", "readOnlyRoot:");
    let (is_valid, said) = validate(&[dir.write("deployment.yaml", wrong).unwrap()]);
    assert!(!is_valid && said.contains("readOnlyRoot"), "{said}");
}

#[test]
fn pods_may_do_nothing_and_have_time_to_drain() {
    let (deployment, config) = (manifest("deployment"), manifest("configmap"));
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let closed = json!({
        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}
    });
    assert_eq!(container["securityContext"], closed);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(pod["automountServiceAccountToken"], false);
    let config: Value = serde_saphyr::from_str(config["data"]["wicketgate.yaml"].as_str().unwrap()).unwrap();
    let drain: u64 = config["drain"]["timeout"].as_str().unwrap().trim_end_matches('s').parse().unwrap();
    let leave = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(leave > 0 && grace > leave + drain, "{grace}s for {leave}s and {drain}s");
    // All speak of the same pods, and of ports that there are.
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    let (service, policy) = (manifest("service"), manifest("networkpolicy"));
    for labelled in [
        &deployment["spec"]["selector"]["matchLabels"],
        &service["spec"]["selector"],
        &policy["spec"]["podSelector"]["matchLabels"],
        &manifest("poddisruptionbudget")["spec"]["selector"]["matchLabels"],
    ] {
        assert_eq!(labelled, labels);
    }
    let port = &container["ports"][0];
    assert_eq!(service["spec"]["ports"][0]["targetPort"], port["name"]);
    assert_eq!(policy["spec"]["ingress"][0]["ports"][0]["port"], port["name"]);
    let bound = config["listeners"][0]["bind"].as_str().unwrap();
    assert!(bound.ends_with(&format!(":{}", port["containerPort"])), "{bound}");
    let target = config["upstreams"][0]["targets"][0].as_str().unwrap();
    let reached = policy["spec"]["egress"][1]["ports"][0]["port"].to_string();
    assert!(target.ends_with(&format!(":{reached}")), "{target}");
}

/// A folder as Kubernetes mounts a ConfigMap or a Secret: its files are links through `..data`, which is turned at a change.
struct Volume {
    folder: PathBuf,
    versions: u32,
}

impl Volume {
    fn new(folder: PathBuf, files: &[(&str, &str)]) -> Self {
        fs::create_dir(&folder).unwrap();
        let mut volume = Self { folder, versions: 0 };
        volume.put(files);
        for (name, _) in files {
            symlink(Path::new("..data").join(name), volume.folder.join(name)).unwrap();
        }
        volume
    }

    fn put(&mut self, files: &[(&str, &str)]) {
        self.versions += 1;
        let version = format!("..version{}", self.versions);
        fs::create_dir(self.folder.join(&version)).unwrap();
        for (name, text) in files {
            let path = self.folder.join(&version).join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o440)).unwrap();
        }
        symlink(&version, self.folder.join("..data_tmp")).unwrap();
        fs::rename(self.folder.join("..data_tmp"), self.folder.join("..data")).unwrap();
    }
}

/// Runs the program as a probe of the container does; its exit code and what it printed.
fn probe(name: &str, dir: &Dir) -> (i32, String) {
    let deployment = manifest("deployment");
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let words = container[name]["exec"]["command"].as_array().unwrap();
    let words: Vec<_> = words.iter().map(|word| word.as_str().unwrap()).collect();
    assert_eq!(words[0], "/usr/bin/wicketgate");
    let run = dir.path().display().to_string();
    let mut command = Command::new(BINARY);
    command.args(words[1..].iter().map(|word| word.replace("/run/wicketgate", &run)));
    let output = command.current_dir("/").output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_serves_and_is_followed_when_kubernetes_puts_another() {
    let (dir, port, backend) =
        (Dir::new().unwrap(), Port::free().unwrap(), EchoBackend::start().await.unwrap());
    let authority = Authority::new().unwrap();
    let issued = authority.localhost().unwrap();
    let key = fs::read_to_string(&issued.key_file).unwrap();
    let certificate = fs::read_to_string(&issued.certificate_file).unwrap();
    Volume::new(dir.join("tls"), &[("tls.crt", certificate.as_str()), ("tls.key", key.as_str())]);
    let config = manifest("configmap")["data"]["wicketgate.yaml"].as_str().unwrap().to_owned();
    let config = config
        .replace("0.0.0.0:8443", &port.addr().to_string())
        .replace("/etc/wicketgate-tls", &dir.join("tls").display().to_string())
        .replace("/run/wicketgate", &dir.path().display().to_string())
        .replace("backend.backend.svc.cluster.local:9000", &backend.addr().unwrap().to_string());
    let mut volume = Volume::new(dir.join("config"), &[("wicketgate.yaml", config.as_str())]);
    let file = dir.join("config/wicketgate.yaml");
    let checked = Command::new(BINARY).args(["check", "--strict", "--config"]).arg(&file).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let mut command = Command::new(BINARY);
    command.args(["run", "--config"]).arg(&file);
    let gateway = Process::spawn(command, Ready::port(port.addr())).await.unwrap();
    let endpoint = Endpoint::tls(port.addr(), authority.client(&["http/1.1"]).unwrap());
    let mut session = RawClient::open(&endpoint, "/").await.unwrap();
    session.echoes("here").await.unwrap();
    assert_eq!(probe("readinessProbe", &dir), (0, "ready\n".into()));
    let more = config
        .replace("routes:\n", "routes:\n  - {name: more, match: {path: /more}, respond: {status: 204}}\n");
    volume.put(&[("wicketgate.yaml", more.as_str())]);
    gateway.line("configuration reloaded", PATIENCE).await.unwrap();
    let mut client = RawClient::connect(&endpoint).await.unwrap();
    client.send(b"GET /more HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(client.response().await.unwrap().0.status().unwrap(), 204);
    // What is wrong changes nothing, and the probes do not ask it.
    volume.put(&[("wicketgate.yaml", "routes: 1\n")]);
    gateway.line("configuration not reloaded", PATIENCE).await.unwrap();
    assert_eq!(probe("readinessProbe", &dir), (0, "ready\n".into()));
    session.echoes("still").await.unwrap();
    // It drains: no new connection is for it, and it is not to be ended.
    gateway.signal(Signal::TERM).unwrap();
    gateway.line("draining", PATIENCE).await.unwrap();
    assert_eq!(probe("readinessProbe", &dir), (1, "draining\n".into()));
    assert_eq!(probe("livenessProbe", &dir), (0, "ok\n".into()));
    session.echoes("and still").await.unwrap();
}
