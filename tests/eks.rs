//! Amazon EKS, in an emulated account with real API servers: a site comes up there, is seen to differ when somebody changes
//! it, and leaves the account as it was.

use std::net::Ipv4Addr;

use bridgehead::files;
use serde_json::{Value, json};

use crate::kit::aws::Aws;
use crate::kit::command::{Outcome, run};
use crate::kit::http::Server;
use crate::kit::{Lab, git};

/// The workload that Git declares for every spoke.
const WORKLOAD: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: greeting}\ndata: {text: hello}\n";

/// A hub and a spoke in an account.
struct Fleet {
    lab: Lab,
    aws: Aws,
    git: Server,
}

impl Fleet {
    fn new() -> Self {
        let lab = Lab::new();
        for (file, text) in [
            ("addons/bootstrap/none.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: none}\n"),
            ("workloads/demo/greeting.yaml", WORKLOAD),
        ] {
            let path = lab.path("root").join(file);
            files::make_folder(path.parent().unwrap()).unwrap();
            files::replace(&path, text.as_bytes(), 0o644).unwrap();
        }
        let git = git::serve(&lab, Ipv4Addr::LOCALHOST);
        let aws = Aws::start(&lab);
        let fleet = Self { lab, aws, git };
        fleet.write("");
        fleet
    }

    /// Writes the profile, with more about the hub's cluster.
    fn write(&self, hub: &str) {
        let url = &self.git.url;
        let profile = format!(
            "[hub.eks]\nregion = \"eu-west-1\"\n{hub}\n\
             [spokes.dev.eks]\nregion = \"eu-west-1\"\n[spokes.dev.eks.tags]\nteam = \"blue\"\n\
             [spokes.dev.eks.vpc]\ncidr = \"10.1.0.0/16\"\nnat = \"none\"\n\
             [repos.addons]\nurl = \"{url}/fleet.git\"\nbasepath = \"addons/\"\npath = \"bootstrap\"\n\
             [repos.workload]\nurl = \"{url}/fleet.git\"\nbasepath = \"workloads/\"\npath = \"demo\"\n"
        );
        self.lab.write_profile("cloud", &profile);
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        self.lab.bridgehead_with(arguments, &self.aws.env())
    }

    fn ok(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.run(arguments);
        let Outcome { stdout, stderr, .. } = &outcome;
        assert_eq!(outcome.code(), 0, "bridgehead {arguments:?}:\n{stdout}{stderr}{}", self.aws.log());
        outcome
    }

    /// What kubectl says of a cluster, by the kubeconfig that bridgehead gives out and the credentials of the account.
    fn kubectl(&self, cluster: &str, arguments: &[&str]) -> Outcome {
        let mut kubectl = self.lab.kubectl(&self.ok(&["kubeconfig", "show", "cloud"]).stdout);
        kubectl.envs(self.aws.env());
        kubectl.args(["--context", &format!("cloud/{cluster}")]).args(arguments);
        run(kubectl)
    }

    fn object(&self, cluster: &str, arguments: &[&str]) -> Value {
        let outcome = self.kubectl(cluster, &[&["get", "--output", "json"], arguments].concat());
        assert_eq!(outcome.code(), 0, "{arguments:?}: {}", outcome.stderr);
        outcome.document()
    }

    /// Changes something behind bridgehead's back.
    fn by_hand(&self, script: &str) {
        let outcome = self
            .aws
            .boto(&format!("import boto3\neks, iam = boto3.client('eks'), boto3.client('iam')\n{script}"));
        assert_eq!(outcome.code(), 0, "{script}: {}", outcome.stderr);
    }

    /// What a plan would change, and nothing else, is what was changed by hand; `up` puts it back.
    fn is_healed(&self, script: &str, change: &str) {
        self.by_hand(script);
        let plan = self.run(&["plan", "cloud", "--exit-code"]);
        assert_eq!(plan.code(), 3, "{script}: {}{}", plan.stdout, plan.stderr);
        let is_decision = |line: &&str| ["  + ", "  ~ ", "  - "].iter().any(|sign| line.starts_with(sign));
        let changes: Vec<_> = plan.stdout.lines().filter(is_decision).collect();
        assert!(changes.len() == 1 && changes[0].contains(change), "{script}: {}", plan.stdout);
        self.ok(&["up", "cloud", "--yes"]);
        self.ok(&["plan", "cloud", "--exit-code"]);
    }
}

#[test]
fn a_site_comes_up_in_an_account_and_leaves_it_as_it_was() {
    let fleet = Fleet::new();
    let before = fleet.aws.inventory();
    let plan = fleet.ok(&["plan", "cloud"]);
    assert!(plan.stdout.contains("+ create EKS cluster cloud-hub"), "{}", plan.stdout);
    assert_eq!(fleet.aws.inventory(), before, "a plan has changed the account");

    fleet.ok(&["up", "cloud", "--yes"]);
    the_secrets_say_where_the_clusters_are(&fleet);
    let greeting = fleet.object("dev", &["configmap/greeting", "--namespace", "workload"]);
    assert_eq!(greeting["data"]["text"], "hello");
    let again = fleet.ok(&["up", "cloud", "--yes", "--output", "json"]);
    assert!(again.events_of("applied").is_empty(), "one more `up` changed something: {}", again.stdout);

    let role = "cloud-hub-eu-west-1-node";
    let policy = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy";
    fleet.is_healed(
        &format!("iam.detach_role_policy(RoleName='{role}', PolicyArn='{policy}')"),
        "AmazonEKS_CNI_Policy is not attached",
    );
    fleet.is_healed(
        "eks.untag_resource(resourceArn=eks.describe_cluster(name='cloud-dev')['cluster']['arn'], tagKeys=['team'])",
        "EKS cluster cloud-dev (tags): team",
    );
    fleet.is_healed(
        "eks.delete_access_entry(clusterName='cloud-dev', principalArn=boto3.client('sts').get_caller_identity()['Arn'])",
        "to EKS cluster cloud-dev: administrator",
    );
    fleet.is_healed(
        "eks.delete_addon(clusterName='cloud-hub', addonName='kube-proxy')",
        "EKS addon kube-proxy of EKS cluster cloud-hub",
    );

    let down = fleet.ok(&["down", "cloud", "--yes"]);
    assert_eq!(fleet.aws.inventory(), before, "`down` has left something: {}", down.stderr);
    assert!(!fleet.lab.state("cloud").exists());
    nothing_secret_was_said(&fleet);
}

/// The contract with Git: labels, annotations, and credentials that work.
fn the_secrets_say_where_the_clusters_are(fleet: &Fleet) {
    for cluster in ["hub", "dev"] {
        let secret = fleet.object("hub", &["secret", cluster, "--namespace", "argocd"]);
        let id = json!(format!("cloud-{cluster}"));
        assert_eq!(secret["metadata"]["labels"]["aws_cluster_name"], id);
        let annotations = &secret["metadata"]["annotations"];
        assert_eq!(annotations["aws_cluster_name"], id);
        assert_eq!(annotations["aws_region"], "eu-west-1");
        assert_eq!(annotations["aws_account_id"], "111122223333");
        assert!(annotations["aws_vpc_id"].as_str().unwrap().starts_with("vpc-"), "{annotations}");
    }
}

/// Neither the key of the account nor a token is in anything that stays.
fn nothing_secret_was_said(fleet: &Fleet) {
    let secret =
        fleet.aws.env().into_iter().find(|(name, _)| *name == "AWS_SECRET_ACCESS_KEY").unwrap().1.to_owned();
    let logs = fleet.lab.path("state/bridgehead/log");
    let mut texts = 0;
    for entry in logs.read_dir().unwrap().flatten().filter(|entry| entry.path().is_file()) {
        let text = files::read(&entry.path()).unwrap();
        assert!(!text.contains(&secret) && !text.contains("k8s-aws-v1."), "{}", entry.path().display());
        texts += 1;
    }
    assert!(texts > 0, "no logs were found");
}

#[test]
fn what_is_not_ours_is_left_alone_and_what_fails_says_why() {
    let fleet = Fleet::new();
    the_wrong_account_is_refused(&fleet);
    a_role_of_somebody_elses_is_left_alone(&fleet);
    let before = fleet.aws.inventory();

    fleet.aws.deny("eks", "CreateCluster");
    let refused = fleet.run(&["up", "cloud", "--yes"]);
    assert_eq!(refused.code(), 4, "{}", refused.stderr);
    assert!(refused.stderr.contains("cannot create EKS cluster cloud-hub"), "{}", refused.stderr);
    assert!(refused.stderr.contains("may not do this"), "{}", refused.stderr);
    fleet.aws.obey();

    let failure = json!({
        "kind": "nodegroup", "cluster": "cloud-dev", "nodegroup": "default", "code": "Ec2SubnetInvalidConfiguration",
        "message": "One or more subnets do not assign public addresses.", "resourceIds": ["subnet-1"],
    });
    fleet.aws.fail(&failure);
    let failed = fleet.run(&["up", "cloud", "--yes"]);
    assert_eq!(failed.code(), 4, "{}", failed.stderr);
    assert!(failed.stderr.contains("Ec2SubnetInvalidConfiguration"), "{}", failed.stderr);
    fleet.aws.obey();

    let down = fleet.ok(&["down", "cloud", "--yes"]);
    assert_eq!(fleet.aws.inventory(), before, "`down` has left something: {}", down.stderr);
}

fn the_wrong_account_is_refused(fleet: &Fleet) {
    let before = fleet.aws.inventory();
    fleet.write("account_id = \"999988887777\"");
    for command in [&["up", "cloud", "--yes"][..], &["down", "cloud", "--yes"]] {
        let refused = fleet.run(command);
        assert_eq!(refused.code(), 4, "{command:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("is to be in the account 999988887777"), "{}", refused.stderr);
    }
    assert_eq!(fleet.aws.inventory(), before);
    fleet.write("");
}

fn a_role_of_somebody_elses_is_left_alone(fleet: &Fleet) {
    let role = "RoleName='cloud-hub-eu-west-1-node'";
    fleet.by_hand(&format!(
        "iam.create_role({role}, AssumeRolePolicyDocument='{{\"Version\":\"2012-10-17\",\"Statement\":[]}}')"
    ));
    let theirs = |inventory: &Value| inventory["iam:roles"].clone();
    let before = theirs(&fleet.aws.inventory());
    let refused = fleet.run(&["up", "cloud", "--cluster", "hub", "--yes"]);
    assert_eq!(refused.code(), 4, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("IAM role cloud-hub-eu-west-1-node is there already"),
        "{}",
        refused.stderr
    );
    fleet.ok(&["down", "cloud", "--yes"]);
    assert_eq!(theirs(&fleet.aws.inventory()), before, "a role of somebody else's was changed");
    fleet.by_hand(&format!("iam.delete_role({role})"));
}
