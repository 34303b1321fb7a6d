//! Where does the service copy logs to? Reads the setting of the instance and sets it.
//!
//! The columns of `rds_show_configuration` are not documented, so the value is the column of that name or else the first
//! cell that begins like an ARN. Source: RDS user guide, "Access to transaction log backups".

use futures_util::io::{AsyncRead, AsyncWrite};
use ports::Fault;
use ports::server::LogCopyTarget;
use tiberius::{ColumnData, Command, Row};

use crate::errors::{Effect, texts};
use crate::session::Session;

/// The setting's name.
const SETTING: &str = "target_s3_arn_for_tlog_copy";

impl<S: AsyncRead + AsyncWrite + Unpin + Send> LogCopyTarget for Session<S> {
    async fn log_copy_target(&mut self) -> Result<Option<String>, Fault> {
        let mut command = Command::new("rdsadmin.dbo.rds_show_configuration");
        command.bind_param("@name", SETTING);
        let mut target = None;
        self.call(command, Effect::Read, |row| {
            if target.is_none() {
                target = arn(row);
            }
        })
        .await?;
        Ok(target)
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

fn arn(row: &Row) -> Option<String> {
    let texts = || {
        row.cells().filter_map(|(column, cell)| match cell {
            ColumnData::String(Some(text)) => Some((column.name(), text.trim())),
            _ => None,
        })
    };
    let is_arn = |text: &str| text.starts_with("arn:");
    texts()
        .find(|(name, text)| name.eq_ignore_ascii_case("value") && is_arn(text))
        .or_else(|| texts().find(|(_, text)| is_arn(text)))
        .map(|(_, text)| text.to_owned())
}

#[cfg(test)]
mod tests {
    use tiberius::ColumnType;

    use super::*;

    #[test]
    fn the_value_is_found_by_name_and_else_by_its_beginning() {
        for (cells, expected) in [
            (
                vec![("name", SETTING), ("value", "arn:aws:s3:::b/logs"), ("description", "arn: where to")],
                Some("arn:aws:s3:::b/logs"),
            ),
            (
                vec![("description", "arn:of:something"), ("Value", " arn:aws:s3:::b ")],
                Some("arn:aws:s3:::b"),
            ),
            (vec![("setting", SETTING), ("current", "arn:aws-cn:s3:::b")], Some("arn:aws-cn:s3:::b")),
            (vec![("name", SETTING), ("value", "")], None),
            (vec![], None),
        ] {
            let mut builder = Row::builder();
            for (name, text) in &cells {
                builder =
                    builder.column(*name, ColumnType::NVarchar, ColumnData::String(Some((*text).into())));
            }
            assert_eq!(arn(&builder.build()).as_deref(), expected, "{cells:?}");
        }
    }
}
