//! A road to a server that a test can close: everything on it goes through, or nobody is there, or nothing comes back.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::{self, JoinHandle};

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch::{self, Receiver, Sender};

/// What becomes of who takes a road.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// They get through.
    Open,
    /// Connections are refused, and those that there were are cut off.
    Refused,
    /// Connections are accepted, and nothing goes through them, either way, until the road is open again.
    Silent,
}

/// A port of this machine from which a road leads to another; closed for good when it is dropped.
pub(crate) struct Road {
    pub(crate) port: u16,
    state: Option<Sender<State>>,
    thread: Option<JoinHandle<()>>,
}

impl Road {
    /// An open one.
    pub(crate) fn to(port: u16) -> Self {
        let (state, seen) = watch::channel(State::Open);
        let (told, here) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let entry = bound((Ipv4Addr::LOCALHOST, 0).into());
                let address = entry.local_addr().unwrap();
                let listener = entry.listen(BACKLOG).unwrap();
                told.send(address.port()).unwrap();
                keep(listener, address, (Ipv4Addr::LOCALHOST, port).into(), seen).await;
            });
        });
        Self { port: here.recv().unwrap(), state: Some(state), thread: Some(thread) }
    }

    /// From now on.
    pub(crate) fn set(&self, state: State) {
        self.state.as_ref().unwrap().send_replace(state);
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        drop(self.state.take());
        let _ = self.thread.take().unwrap().join();
    }
}

const BACKLOG: u32 = 64;

/// A port that is nobody else's, on which nobody listens yet.
fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

async fn keep(mut listener: TcpListener, address: SocketAddr, end: SocketAddr, mut state: Receiver<State>) {
    loop {
        let traveller = tokio::select! {
            traveller = listener.accept() => traveller.unwrap().0,
            changed = state.changed() => {
                if changed.is_err() {
                    return;
                }
                if *state.borrow_and_update() == State::Refused {
                    drop(listener);
                    // The port is kept meanwhile.
                    let entry = bound(address);
                    if state.wait_for(|state| *state != State::Refused).await.is_err() {
                        return;
                    }
                    listener = entry.listen(BACKLOG).unwrap();
                }
                continue;
            }
        };
        tokio::spawn(travel(traveller, end, state.clone()));
    }
}

async fn travel(traveller: TcpStream, end: SocketAddr, mut state: Receiver<State>) {
    let mut open = state.clone();
    let through = async {
        open.wait_for(|state| *state == State::Open).await.map_err(io::Error::other)?;
        let (here, back) = split(traveller);
        let (answers, there) = split(TcpStream::connect(end).await?);
        tokio::try_join!(pass(here, there, open.clone()), pass(answers, back, open)).map(drop)
    };
    // How a connection ends does not matter.
    tokio::select! { _ = through => {}, _ = state.wait_for(|state| *state == State::Refused) => {} }
}

async fn pass(
    mut from: ReadHalf<TcpStream>,
    mut to: WriteHalf<TcpStream>,
    mut state: Receiver<State>,
) -> io::Result<()> {
    let mut piece = vec![0; 64 << 10];
    loop {
        let count = from.read(&mut piece).await?;
        state.wait_for(|state| *state == State::Open).await.map_err(io::Error::other)?;
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(&piece[..count]).await?;
    }
}
