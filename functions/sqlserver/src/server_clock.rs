//! What time does the server believe it is? UTC and local time, taken in one statement.
//!
//! Knows no zone: the difference of the two is for calibration to judge. Source: Microsoft Learn, SYSUTCDATETIME.

use domain::facts::ServerClock;
use futures_util::io::{AsyncRead, AsyncWrite};
use jiff::tz::TimeZone;
use ports::Fault;
use ports::server::ReadClock;

use crate::cells::Cells;
use crate::errors;
use crate::session::{Select, Session};

const CLOCK: Select<'static> =
    Select { table: "clock", text: "SELECT SYSUTCDATETIME() AS utc_now, SYSDATETIME() AS local_now" };

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ReadClock for Session<S> {
    async fn clock(&mut self) -> Result<ServerClock, Fault> {
        let rows = self.select(&CLOCK, &[], read).await?;
        rows.into_iter().next().ok_or_else(|| errors::no_row(CLOCK.table))
    }
}

fn read(cells: &mut Cells<'_>) -> Result<ServerClock, domain::reason::Reason> {
    let utc = cells.some_moment("utc_now")?;
    let utc = utc.to_zoned(TimeZone::UTC).map_err(|error| cells.unreadable("utc_now", error))?.timestamp();
    Ok(ServerClock { utc, local: cells.some_moment("local_now")? })
}
