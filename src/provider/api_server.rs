//! Asking an API server how far it has come.

use std::time::Duration;

use hyper::Request;
use kube::Client;

use crate::engine::innermost;

/// How long an API server may take to say how it is.
const ANSWER: Duration = Duration::from_secs(3);

/// Says why an API server is not ready; `None` once it is.
pub(super) async fn unready(client: &Client) -> Option<String> {
    ask(client, "/readyz").await
}

/// Says why an API server does not serve its administrator; `None` once it does.
///
/// That is a good second before it is ready: the default roles and priority classes are made by hooks that first
/// wait that long, and nothing that an administrator writes needs them.
pub(super) async fn unserving(client: &Client) -> Option<String> {
    ask(
        client,
        "/readyz?exclude=poststarthook/rbac/bootstrap-roles\
         &exclude=poststarthook/scheduling/bootstrap-system-priority-classes",
    )
    .await
}

async fn ask(client: &Client, path: &str) -> Option<String> {
    let request = match Request::get(path).body(Vec::new()) {
        Ok(request) => request,
        Err(error) => return Some(error.to_string()),
    };
    match tokio::time::timeout(ANSWER, client.request_text(request)).await {
        Err(_) => Some("it does not answer".to_owned()),
        Ok(Ok(_)) => None,
        Ok(Err(kube::Error::Api(status))) => Some(failed_checks(&status.message)),
        Ok(Err(error)) => Some(innermost(&error)),
    }
}

/// The checks that fail, of the list in which the API server says so; or else all that it says.
fn failed_checks(answer: &str) -> String {
    let failed: Vec<&str> = answer
        .lines()
        .filter_map(|line| line.strip_prefix("[-]"))
        .map(|line| line.split_whitespace().next().unwrap_or_default())
        .collect();
    match failed.as_slice() {
        [] => answer.to_owned(),
        [only] => format!("{only} is not done yet"),
        [first, more @ ..] => format!("{first} and {} more are not done yet", more.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::failed_checks;

    #[test]
    fn only_what_fails_is_told() {
        let answer = "[+]ping ok\n[-]etcd failed: reason withheld\n[-]poststarthook/x failed: reason withheld\n\
                      readyz check failed";
        assert_eq!(failed_checks(answer), "etcd and 1 more are not done yet");
        assert_eq!(failed_checks("Unauthorized"), "Unauthorized");
    }
}
