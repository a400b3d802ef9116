//! All that tells how the host is besides the connection to the dashboard, put together: local API, pushes, log, systemd.

use std::path::Path;
use std::sync::Arc;

use anyhow::{anyhow, ensure};
use futures_util::future::{BoxFuture, join_all};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent::config;
use crate::agent::heartbeat_log::HeartbeatWriter;
use crate::agent::local_api::{self, Api, Door};
use crate::agent::notify::{self, Notify};
use crate::agent::push::{Backend, Times};
use crate::agent::status::Status;
use crate::agent::uplink::{Uplink, client_config};
use crate::base::secret::Secret;

/// Whom to tell, and what of.
#[derive(Debug)]
pub struct Tell {
    status: Arc<Status>,
    door: Option<Door>,
    backends: Vec<Backend>,
    log: Option<HeartbeatWriter>,
}

impl Tell {
    /// Prepares all that the configuration names. With `--once` nothing is opened here: an agent may run beside it.
    ///
    /// # Errors
    /// A file that is named cannot be read.
    pub fn new(
        tell: config::Tell,
        ca_file: Option<&Path>,
        uplink: &Uplink,
    ) -> anyhow::Result<Self> {
        let identity = &uplink.identity;
        let cells = uplink.cells();
        let mut status = Status::new(identity, cells, uplink.health.subscribe());
        let door = tell.local_api.filter(|_| !uplink.once).map(|api| {
            let token = api.token_file.as_deref().map(Secret::read).transpose()?;
            anyhow::Ok(Door::configured(api.listen, token))
        });
        let encrypted = tell.pushes.iter().any(|push| push.address.tls);
        let tls = encrypted.then(|| client_config(ca_file)).transpose()?;
        let times = Times::default();
        let mut backends = Vec::new();
        for push in tell.pushes {
            let backend = Backend::new(push, tls.clone(), identity.host.clone(), times);
            status.add_push(backend.state());
            backends.push(backend);
        }
        let log = tell.log.filter(|_| !uplink.once);
        let log = log.map(HeartbeatWriter::new);
        if let Some(log) = &log {
            status.add_log(log.state());
        }
        Ok(Self {
            status: Arc::new(status),
            door: door.transpose()?,
            backends,
            log,
        })
    }

    /// Starts all of it as `tasks`, until `stop`.
    pub fn start(
        self,
        tasks: &TaskTracker,
        state_dir: &Path,
        uplink: &Uplink,
        stop: &CancellationToken,
    ) {
        // One kind of task, whatever is in it: each kind would be some 6 kB of the program.
        let spawn = |task: BoxFuture<'static, ()>| tasks.spawn(task);
        let api = Arc::new(Api::new(Arc::clone(&self.status)));
        let doors = [Some(Door::own(state_dir)), self.door];
        for door in doors.into_iter().flatten() {
            let served = local_api::serve(Arc::clone(&api), door, stop.clone());
            spawn(Box::pin(served));
        }
        spawn(Box::pin(local_api::remember(api, stop.clone())));
        for backend in self.backends {
            let pushes = backend.run(Arc::clone(&self.status), stop.clone());
            spawn(Box::pin(pushes));
        }
        if let Some(log) = self.log {
            spawn(Box::pin(log.run(Arc::clone(&self.status), stop.clone())));
        }
        if let Some(notify) = Notify::of_process() {
            let health = uplink.health.subscribe();
            let limit = self.status.silence_limit();
            spawn(Box::pin(notify::watch(notify, health, limit, stop.clone())));
        }
    }

    /// With `--once`: pushes once to every back-end.
    ///
    /// # Errors
    /// Where it did not arrive, and why.
    pub async fn once(mut self) -> anyhow::Result<()> {
        let pushes = self
            .backends
            .iter_mut()
            .map(|backend| backend.once(&self.status));
        let failed: Vec<String> = join_all(pushes)
            .await
            .into_iter()
            .filter_map(|pushed| Some(format!("{:#}", pushed.err()?)))
            .collect();
        ensure!(failed.is_empty(), anyhow!(failed.join("; ")));
        Ok(())
    }
}
