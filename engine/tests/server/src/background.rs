//! A runtime with its own threads, which serves connections until it is dropped.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// Two, so that a test which keeps one thread busy does not block the others.
const THREADS: usize = 2;

/// A separate runtime, because that of a test may have a single thread, blocked on a child process.
#[derive(Debug)]
pub(crate) struct Background {
    runtime: Option<Runtime>,
    address: SocketAddr,
}

impl Background {
    /// Listens on a free port of 127.0.0.1 and calls `serve` for each connection.
    pub(crate) fn serve<F>(name: &str, serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name(name)
            .enable_all()
            .build()
            .expect("a runtime starts");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port of 127.0.0.1");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let address = listener.local_addr().expect("a bound listener has an address");
        let listener = {
            let _entered = runtime.enter();
            TcpListener::from_std(listener).expect("a listener of the runtime")
        };
        runtime.spawn(async move {
            loop {
                // Fails for a single connection, or for lack of file descriptors, which other connections will release.
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let _ = stream.set_nodelay(true);
                        tokio::spawn(serve(stream));
                    }
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
                }
            }
        });
        Self { runtime: Some(runtime), address }
    }

    /// The URL on which it listens.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Dropping a runtime waits for its threads, which is not allowed within another runtime: let a plain thread
            // wait.
            let _ = std::thread::spawn(move || drop(runtime)).join();
        }
    }
}
