//! What is an instance set to: where the service copies logs to, whether native backups are compressed? Reads and sets it.
//!
//! The columns of `rds_show_configuration` are not documented, so a value is the column of that name or else the first cell
//! that looks like one. Sources: RDS user guide, "Access to transaction log backups", "Compressing backup files".

use futures_util::io::{AsyncRead, AsyncWrite};
use ports::Fault;
use ports::server::{BackupCompression, LogCopyTarget};
use tiberius::{ColumnData, Command, Row};

use crate::errors::{Effect, texts};
use crate::session::Session;

const LOG_COPY_TARGET: &str = "target_s3_arn_for_tlog_copy";
const COMPRESSION: &str = "S3 backup compression";

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    /// The value of a setting, from the first row that holds one.
    async fn shown<T>(
        &mut self,
        setting: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let mut command = Command::new("rdsadmin.dbo.rds_show_configuration");
        command.bind_param("@name", setting);
        let mut shown = None;
        self.call(command, Effect::Read, |row| shown = shown.take().or_else(|| value(row, &read))).await?;
        Ok(shown)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> LogCopyTarget for Session<S> {
    async fn log_copy_target(&mut self) -> Result<Option<String>, Fault> {
        self.shown(LOG_COPY_TARGET, arn).await
    }

    async fn set_log_copy_target(&mut self, arn: &str) -> Result<(), Fault> {
        let mut command = Command::new("msdb.dbo.rds_tlog_copy_setup");
        command.bind_param("@target_s3_arn", arn);
        match self.call(command, Effect::Change, |_| ()).await {
            Err(Fault::Refused(reason)) if texts::is_already_set(&reason.message) => Ok(()),
            answer => answer.map(|_| ()),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> BackupCompression for Session<S> {
    async fn compression(&mut self) -> Result<Option<bool>, Fault> {
        self.shown(COMPRESSION, switch).await
    }

    async fn set_compression(&mut self, on: bool) -> Result<(), Fault> {
        let mut command = Command::new("rdsadmin.dbo.rds_set_configuration");
        command.bind_param("@name", COMPRESSION);
        command.bind_param("@value", if on { "true" } else { "false" });
        self.call(command, Effect::Change, |_| ()).await.map(|_| ())
    }
}

fn arn(text: &str) -> Option<String> {
    text.starts_with("arn:").then(|| text.to_owned())
}

fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// The cell named `value` if it can be read, else the first that can.
fn value<T>(row: &Row, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let texts = || {
        row.cells().filter_map(|(column, cell)| match cell {
            ColumnData::String(Some(text)) => Some((column.name(), text.trim())),
            _ => None,
        })
    };
    let named = texts().filter(|(name, _)| name.eq_ignore_ascii_case("value"));
    named.chain(texts()).find_map(|(_, text)| read(text))
}

#[cfg(test)]
mod tests {
    use tiberius::ColumnType;

    use super::*;

    #[test]
    fn the_value_is_found_by_name_and_else_by_its_beginning() {
        for (cells, expected) in [
            (
                vec![("name", "n"), ("value", "arn:aws:s3:::b/logs"), ("description", "arn: where to")],
                Some("arn:aws:s3:::b/logs"),
            ),
            (
                vec![("description", "arn:of:something"), ("Value", " arn:aws:s3:::b ")],
                Some("arn:aws:s3:::b"),
            ),
            (vec![("setting", "n"), ("current", "arn:aws-cn:s3:::b")], Some("arn:aws-cn:s3:::b")),
            (vec![("name", "n"), ("value", "")], None),
            (vec![], None),
        ] {
            let mut builder = Row::builder();
            for (name, text) in &cells {
                builder =
                    builder.column(*name, ColumnType::NVarchar, ColumnData::String(Some((*text).into())));
            }
            assert_eq!(value(&builder.build(), arn).as_deref(), expected, "{cells:?}");
        }
    }

    #[test]
    fn a_switch_is_read_as_people_write_it() {
        for (text, expected) in [
            ("true", Some(true)),
            ("False", Some(false)),
            ("1", Some(true)),
            ("0", Some(false)),
            ("on", None),
            ("", None),
        ] {
            assert_eq!(switch(text), expected, "{text:?}");
        }
    }
}
