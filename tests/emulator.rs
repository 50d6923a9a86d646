//! The emulated AWS account that the tests of EKS stand on: it does what AWS is documented to do, and leaves nothing.

use rustix::process::{Pid, Signal};
use serde_json::json;

use crate::kit::Lab;
use crate::kit::aws::Aws;
use crate::kit::process;
use crate::kit::wait::until;

#[test]
fn an_account_is_as_it_was_after_a_cluster_with_nodes() {
    let lab = Lab::new();
    let aws = Aws::start(&lab);
    let before = aws.inventory();
    let outcome = aws.check();
    assert_eq!(outcome.code(), 0, "{}{}{}", outcome.stdout, outcome.stderr, aws.log());
    assert!(outcome.stdout.ends_with("the account is as it was\n"), "{}", outcome.stdout);
    assert_eq!(aws.inventory(), before);
    assert_eq!(aws.children(), Vec::<Pid>::new(), "a deleted cluster's processes");
    let created = json!("CreateCluster");
    let answers: Vec<_> = aws.calls().into_iter().filter(|call| call["operation"] == created).collect();
    assert!(
        answers.iter().any(|call| call["status"] == 403) && answers.iter().any(|call| call["status"] == 200)
    );
}

/// Prints how the account answers to what orders may be about.
const TRIES: &str = r#"
import boto3, botocore.exceptions, json
network = json.dumps({"Resources": {"Gateway": {"Type": "AWS::EC2::InternetGateway"}}})
stacks = boto3.client("cloudformation")
for name, attempt in {
    "denied": lambda: boto3.client("iam").list_roles(),
    "quota": lambda: boto3.client("ec2").create_vpc(CidrBlock="10.0.0.0/16"),
    "made": lambda: stacks.create_stack(StackName="made", TemplateBody=network),
    "failed": lambda: stacks.get_waiter("stack_create_complete").wait(StackName="made", WaiterConfig={"Delay": 1}),
    "gone": lambda: stacks.delete_stack(StackName="made"),
}.items():
    try:
        attempt()
        print(name, "ok")
    except botocore.exceptions.ClientError as error:
        print(name, error.response["Error"]["Code"])
    except botocore.exceptions.WaiterError as error:
        print(name, error.last_response["Stacks"][0]["StackStatus"])
"#;

#[test]
fn an_account_goes_wrong_as_it_is_told() {
    let lab = Lab::new();
    let aws = Aws::start(&lab);
    aws.deny("iam", "List*");
    aws.quota("vpc", "L-F678F1CE", 1);
    aws.fail(&json!({ "kind": "stack", "resource": "Gateway", "message": "ordered" }));
    let told = aws.boto(TRIES);
    let answers = "denied AccessDenied\nquota VpcLimitExceeded\nmade ok\nfailed ROLLBACK_COMPLETE\ngone ok\n";
    assert_eq!(told.stdout, answers, "{}{}", told.stderr, aws.log());
    aws.obey();
    let told = aws.boto(TRIES);
    assert_eq!(told.stdout, "denied ok\nquota ok\nmade ok\nfailed ok\ngone ok\n", "{}", told.stderr);
}

#[test]
fn an_account_ends_with_all_that_it_has_started() {
    let lab = Lab::new();
    let aws = Aws::start_with(&lab, &["--microburst"]);
    assert!(aws.endpoint().starts_with("http://127.0.0.1:"));
    let children = aws.children();
    assert_eq!(children.len(), 1, "microburst");
    let folder = aws.folder().to_owned();
    assert!(!process::below(&folder).is_empty());
    drop(aws);
    assert_eq!(process::below(&folder), []);

    // Killed, it cannot take them with it; the kernel does.
    let aws = Aws::start_with(&lab, &["--microburst"]);
    let children = aws.children();
    process::signal(aws.pid(), Signal::KILL);
    until("its children have ended", || children.iter().all(|child| process::state_of(*child) == 'Z'));
}
