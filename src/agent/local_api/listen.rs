//! Where the local API listens, and how many are answered at once.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::exchange::exchange;
use super::{Api, Door};
use crate::agent::config::Listen;

/// Between two attempts to listen where that failed.
pub(super) const AGAIN: Duration = Duration::from_secs(30);
/// After the system had no place for a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Both directions of a connection.
pub(super) trait Both: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Both for T {}
/// A connection of either kind.
pub(super) type Stream = Pin<Box<dyn Both>>;

/// An open door.
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

/// Listens; what an agent before this one has left there is replaced.
pub(super) async fn bind(listen: &Listen, mode: u32) -> io::Result<Listener> {
    match listen {
        Listen::Tcp(address) => {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok(Listener::Tcp(TcpListener::from_std(listener)?))
        }
        Listen::Unix(path) => {
            clear(path).await?;
            let listener = UnixListener::bind(path)?;
            std::fs::set_permissions(path, Permissions::from_mode(mode))?;
            Ok(Listener::Unix(listener, path.clone()))
        }
    }
}

/// Removes a socket that nobody listens at.
async fn clear(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            let what = "something else than a socket is there";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        }
        Ok(_) => {}
    }
    // One that does not answer at once because too many wait there lives as well.
    match UnixStream::connect(path).await {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => std::fs::remove_file(path),
        _ => {
            let what = "another program listens there";
            Err(io::Error::new(io::ErrorKind::AddrInUse, what))
        }
    }
}

impl Listener {
    async fn next(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::pin(stream))
            }
            Self::Unix(listener, _) => Ok(Box::pin(listener.accept().await?.0)),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Takes connections until `stop`, at most as many at once as the door allows; the others wait to be taken.
pub(super) async fn accept(
    listener: &Listener,
    api: Arc<Api>,
    door: Arc<Door>,
    stop: &CancellationToken,
) {
    let mut connections = JoinSet::new();
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        open.store(connections.len(), Relaxed);
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            stream = listener.next(), if connections.len() < door.most => match stream {
                Ok(stream) => {
                    let (api, door, open) = (Arc::clone(&api), Arc::clone(&door), Arc::clone(&open));
                    connections.spawn(exchange(stream, api, door, open));
                }
                Err(error) => {
                    tracing::debug!("a connection to the local API failed: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
    connections.shutdown().await;
}
