//! A deadline for the first bytes of a connection. HTTP's own deadlines begin with a request, and the server first waits
//! for the bytes that tell the version of HTTP: without this, a client that says nothing would stay for ever.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// After so many bytes the version is known: HTTP/2's preface is that long.
const FIRST: usize = 24;

/// Accepts what `inner` accepts, with a deadline for the first bytes.
#[derive(Debug, Clone)]
pub(super) struct FirstBytes<A> {
    inner: A,
    within: Duration,
}

impl<A> FirstBytes<A> {
    /// The first bytes must come `within` that time after a connection is accepted.
    pub fn new(inner: A, within: Duration) -> Self {
        Self { inner, within }
    }
}

impl<A, I, S> Accept<I, S> for FirstBytes<A>
where
    A: Accept<I, S>,
    A::Future: Send + 'static,
{
    type Stream = Hurried<A::Stream>;
    type Service = A::Service;
    type Future =
        Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send + 'static>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let accepted = self.inner.accept(stream, service);
        let within = self.within;
        Box::pin(async move {
            let (stream, service) = accepted.await?;
            let hurried = Hurried {
                stream,
                n_read: 0,
                deadline: Some(Box::pin(sleep(within))),
            };
            Ok((hurried, service))
        })
    }
}

/// A stream whose first bytes must come in time.
#[derive(Debug)]
pub(super) struct Hurried<S> {
    stream: S,
    /// Bytes so far, while there is a deadline.
    n_read: usize,
    /// None once enough has come: an open connection keeps no timer for this.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Hurried<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let Some(deadline) = &mut self.deadline else {
            return read;
        };
        if read.is_pending() {
            let late = || Err(io::ErrorKind::TimedOut.into());
            return deadline.as_mut().poll(context).map(|()| late());
        }
        self.n_read += buffer.filled().len() - before;
        if self.n_read >= FIRST {
            self.deadline = None;
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Hurried<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
