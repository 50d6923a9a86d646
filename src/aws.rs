//! AWS: who we are there, and calls that are signed, tried again and told in one way.
//!
//! Everything goes by the SDK's own chain of credentials and its own variables (`AWS_PROFILE`, `AWS_ENDPOINT_URL`, ...;
//! see the *AWS SDKs and Tools Reference Guide*), so that what works for the `aws` command works here.

mod ec2;
mod error;
mod identity;
mod query;
mod session;
mod token;

pub use ec2::{Resource, Subnet, Zone};
pub use error::{Answer, AwsError};
pub use identity::Identity;
pub use session::{Account, Place, Sessions};
pub use token::{Token, TokenError};
