//! How is one thing that the world asks of the endpoint carried out?

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use world::{EndpointFault, Look, Movement, Outcome, Outgoing, Seen, SeenBody, Transfer};

use super::Client;

/// Objects of one transfer that are written at a time.
const WRITES_AT_ONCE: usize = 8;

/// Carries a transfer out and says what became of it.
pub async fn carry_out(client: &Client, transfer: Transfer) -> Outcome {
    let bucket: Arc<str> = transfer.bucket.into();
    match transfer.movement {
        Movement::Look(looks) => Outcome::Looked(look(client, &bucket, &looks).await),
        Movement::Put(objects) => put(client, &bucket, objects).await,
    }
}

async fn look(client: &Client, bucket: &str, looks: &[Look]) -> Result<Vec<Seen>, EndpointFault> {
    let mut seen = Vec::new();
    for look in looks {
        for listed in client.list(bucket, &look.key, look.keys_max).await? {
            // A key sorts before all that begin with it.
            if !look.is_prefix && listed.key != look.key {
                continue;
            }
            let size_bytes = listed.size_bytes;
            let is_known = !listed.etag.is_empty() && look.known.get(&listed.key) == Some(&listed.etag);
            let (etag, body) = if !look.reads || is_known {
                (listed.etag, SeenBody::Unread)
            } else if size_bytes > world::OBJECT_BYTES_MAX {
                (listed.etag, SeenBody::TooLarge)
            } else {
                // Somebody deletes it between two requests: it is not there.
                let Some((etag, body)) = client.get(bucket, &listed.key).await? else { continue };
                (etag, body)
            };
            seen.push(Seen { key: listed.key, etag, size_bytes, body });
        }
    }
    Ok(seen)
}

async fn put(client: &Client, bucket: &Arc<str>, objects: Vec<Outgoing>) -> Outcome {
    let places = Arc::new(Semaphore::new(WRITES_AT_ONCE));
    let mut writing = JoinSet::new();
    let many = objects.len();
    for (index, object) in objects.into_iter().enumerate() {
        let (client, bucket, places) = (client.clone(), Arc::clone(bucket), Arc::clone(&places));
        writing.spawn(async move {
            let place = places.acquire().await;
            let written = client.put(&bucket, &object).await;
            drop(place);
            (index, written)
        });
    }
    let mut written: Vec<Result<String, EndpointFault>> = vec![Err(EndpointFault::Unreachable); many];
    while let Some(ended) = writing.join_next().await {
        if let Ok((index, result)) = ended
            && let Some(place) = written.get_mut(index)
        {
            *place = result;
        }
    }
    let fault = written.iter().find_map(|result| result.as_ref().err().copied());
    Outcome::Put { etags: written.into_iter().map(Result::ok).collect(), fault }
}
