//! Who carries transfers while the world answers others? A thread with its own sockets.

use std::thread::JoinHandle;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use world::{Outcome, Transfer};

use super::{Client, carry_out};

/// A way to hand transfers over. They end with it.
pub(crate) struct Courier {
    // The world asks for a few at a time: as many as it has slots.
    transfers: UnboundedSender<Transfer>,
    _thread: JoinHandle<()>,
}

impl Courier {
    /// Starts carrying; `answer` hears what became of each, by its ticket.
    ///
    /// # Errors
    /// The machine gives no thread or no sockets.
    pub(crate) fn start(
        client: Client,
        answer: impl Fn(u64, Outcome) + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let (transfers, handed) = unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new()
            .name("endpoint".into())
            .spawn(move || runtime.block_on(run(client, handed, answer)))?;
        Ok(Self { transfers, _thread: thread })
    }

    /// Hands one over. The thread outlives whoever does.
    pub(crate) fn carry(&self, transfer: Transfer) {
        let _ = self.transfers.send(transfer);
    }
}

async fn run(
    client: Client,
    mut handed: UnboundedReceiver<Transfer>,
    answer: impl Fn(u64, Outcome) + Send + Sync + 'static,
) {
    let mut carried = JoinSet::new();
    loop {
        tokio::select! {
            transfer = handed.recv() => {
                // Nobody is there to hear of the rest.
                let Some(transfer) = transfer else { return };
                let client = client.clone();
                carried.spawn(async move { (transfer.ticket, carry_out(&client, transfer).await) });
            }
            Some(Ok((ticket, outcome))) = carried.join_next(), if !carried.is_empty() => answer(ticket, outcome),
        }
    }
}
