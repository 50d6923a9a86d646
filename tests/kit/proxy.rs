//! A proxy for SOCKS5 and for HTTP's CONNECT at one port, which leads every name to this machine and counts who comes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Serves until the test's process ends.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    served: Arc<AtomicUsize>,
}

impl Proxy {
    /// Listens on a free port; with a login, `user:password`, whoever has another is refused.
    pub(crate) fn start(login: Option<&'static str>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&served);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counted = Arc::clone(&counted);
                thread::spawn(move || {
                    // Whoever breaks off is told nothing.
                    let _ = serve(stream, login, &counted);
                });
            }
        });
        Self { port, served }
    }

    /// How many connections it has led to a server since it was asked last.
    pub(crate) fn take(&self) -> usize {
        self.served.swap(0, Ordering::SeqCst)
    }
}

fn serve(mut client: TcpStream, login: Option<&str>, count: &AtomicUsize) -> Option<()> {
    let mut first = [0];
    client.read_exact(&mut first).ok()?;
    let port = if first == [5] { socks(&mut client, login)? } else { connect(&mut client, first[0], login)? };
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    count.fetch_add(1, Ordering::SeqCst);
    let answer: &[u8] =
        if first == [5] { &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0] } else { b"HTTP/1.1 200 OK\r\n\r\n" };
    client.write_all(answer).ok()?;
    let (mut from, mut to) = (client.try_clone().ok()?, server.try_clone().ok()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
    let (mut from, mut to) = (server, client);
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Both);
    Some(())
}

/// RFC 1928, RFC 1929.
fn socks(client: &mut TcpStream, login: Option<&str>) -> Option<u16> {
    let methods = counted(client)?;
    let method = if login.is_some() { 2 } else { 0 };
    client.write_all(&[5, if methods.contains(&method) { method } else { 255 }]).ok()?;
    if let Some(login) = login {
        let mut version = [0];
        client.read_exact(&mut version).ok()?;
        let given = [counted(client)?, b":".to_vec(), counted(client)?].concat();
        let is_right = given == login.as_bytes();
        client.write_all(&[1, u8::from(!is_right)]).ok()?;
        is_right.then_some(())?;
    }
    let mut request = [0; 4];
    client.read_exact(&mut request).ok()?;
    match request[3] {
        1 => client.read_exact(&mut [0; 4]).ok()?,
        3 => drop(counted(client)?),
        _ => client.read_exact(&mut [0; 16]).ok()?,
    }
    let mut port = [0; 2];
    client.read_exact(&mut port).ok()?;
    Some(u16::from_be_bytes(port))
}

fn counted(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut count = [0];
    client.read_exact(&mut count).ok()?;
    let mut bytes = vec![0; count[0].into()];
    client.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn connect(client: &mut TcpStream, first: u8, login: Option<&str>) -> Option<u16> {
    use base64::Engine as _;
    let mut head = vec![first];
    while !head.ends_with(b"\r\n\r\n") {
        let mut next = [0];
        client.read_exact(&mut next).ok()?;
        head.extend(next);
    }
    let head = String::from_utf8(head).ok()?;
    let wanted = login.map(|login| base64::engine::general_purpose::STANDARD.encode(login));
    if wanted.is_some_and(|wanted| !head.contains(&format!("Basic {wanted}\r\n"))) {
        client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").ok()?;
        return None;
    }
    head.strip_prefix("CONNECT ")?.split(' ').next()?.rsplit_once(':')?.1.parse().ok()
}
