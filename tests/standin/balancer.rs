//! An agent's way to its server: a port of its own, through which all its connections go.

use reqwest::Url;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::fatal::Fatal;
use crate::ports;

/// Where the agent finds its server.
pub(crate) const SERVER: &str = "https://127.0.0.1:6444";

/// Listens, and passes connections on for ever.
pub(crate) async fn start(server: &str) -> Result<(), Fatal> {
    let url = server.parse::<Url>().ok().filter(|url| url.scheme() == "https");
    let invalid = || Fatal::new(format!("Error: only https:// URLs are supported, invalid scheme: {server}"));
    let url = url.ok_or_else(invalid)?;
    let address = (url.host_str().unwrap_or_default().to_owned(), url.port().unwrap_or(443));
    let listener = TcpListener::bind(("127.0.0.1", ports::API_SERVER)).await;
    let listener = listener.map_err(|error| Fatal::of("Error starting load balancer", &error))?;
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let address = address.clone();
            tokio::spawn(async move {
                // Whoever asks learns by the end of the connection that nobody answers.
                if let Ok(mut server) = TcpStream::connect(address).await {
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                }
            });
        }
    });
    Ok(())
}
