//! What do `rds_show_configuration` and `rds_set_configuration` do?
//!
//! Two settings matter here: compression of native backups, for the whole instance, and the target of log copies. The
//! columns of the answer are not documented; those here carry the documented words.

use tds::{Response, ResultSet, Value};

use crate::{
    error::EngineError,
    sql::{
        calls::{Declared, optional, required},
        procedures::{Call, text_column},
    },
    world::World,
};

/// Parameters of `rds_show_configuration`.
pub(super) const SHOW: &[Declared] = &[optional("@name")];

/// Parameters of `rds_set_configuration`.
pub(super) const SET: &[Declared] = &[required("@name"), required("@value")];

const COMPRESSION: &str = "S3 backup compression";
const TARGET: &str = "target_s3_arn_for_tlog_copy";

impl World {
    /// `rdsadmin.dbo.rds_show_configuration`.
    #[expect(clippy::unnecessary_wraps, reason = "all procedures have one signature")]
    pub(super) fn rds_show_configuration(
        &mut self,
        call: &Call<'_>,
        answer: &mut Response,
    ) -> Result<(), EngineError> {
        let Some(host) = self.instances.get(call.instance) else { return Ok(()) };
        let wanted = call.bound.text(0);
        let settings = [
            (COMPRESSION, Some(host.compression.to_string()), "Whether native backups are compressed."),
            (
                TARGET,
                host.tlog_target.as_deref().map(str::to_owned),
                "S3 ARN that transaction log backups are copied to.",
            ),
        ];
        let rows = settings
            .into_iter()
            .filter(|(name, ..)| wanted.as_ref().is_none_or(|w| w.trim().eq_ignore_ascii_case(name)))
            .map(|(name, value, about)| {
                vec![
                    Value::Text(name.into()),
                    value.map_or(Value::Null, Value::Text),
                    Value::Text(about.into()),
                ]
            })
            .collect();
        let columns = vec![text_column("name"), text_column("value"), text_column("description")];
        answer.results.push(ResultSet { columns, rows, affected: None });
        Ok(())
    }

    /// `rdsadmin.dbo.rds_set_configuration`.
    pub(super) fn rds_set_configuration(
        &mut self,
        call: &Call<'_>,
        _: &mut Response,
    ) -> Result<(), EngineError> {
        let (name, value) = (call.bound.text(0).unwrap_or_default(), call.bound.text(1).unwrap_or_default());
        let Some(host) = self.instances.get_mut(call.instance) else { return Ok(()) };
        let on = match value.trim().to_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        };
        match on.filter(|_| name.trim().eq_ignore_ascii_case(COMPRESSION)) {
            Some(on) => {
                host.compression = on;
                Ok(())
            }
            None => {
                Err(EngineError::raised(format!("Invalid configuration name or value: '{name}', '{value}'.")))
            }
        }
    }
}
