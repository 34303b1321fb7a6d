//! What do the procedures of S3 integration take?
//!
//! Refused by the call: a feature without its role. All else is looked at when the task runs. Source: RDS user guide,
//! "Transferring files between RDS for SQL Server and Amazon S3".

use tds::Response;

use crate::{
    error::EngineError,
    sql::{
        calls::{Declared, optional, required},
        procedures::Call,
        value,
    },
    tasks::{files::FileOrder, task::FileTask},
    world::World,
};

/// Parameters of `rds_download_from_s3`.
pub(super) const DOWNLOAD: &[Declared] =
    &[required("@s3_arn_of_file"), optional("@rds_file_path"), optional("@overwrite_file")];

/// Parameters of `rds_upload_to_s3`.
pub(super) const UPLOAD: &[Declared] =
    &[required("@s3_arn_of_file"), required("@rds_file_path"), optional("@overwrite_file")];

/// Parameters of `rds_delete_from_filesystem`.
pub(super) const DELETE: &[Declared] = &[required("@rds_file_path"), optional("@force_delete")];

impl World {
    /// `msdb.dbo.rds_download_from_s3`.
    pub(super) fn rds_download_from_s3(
        &mut self,
        call: &Call<'_>,
        answer: &mut Response,
    ) -> Result<(), EngineError> {
        self.transfer(call, FileTask::Download, answer)
    }

    /// `msdb.dbo.rds_upload_to_s3`.
    pub(super) fn rds_upload_to_s3(
        &mut self,
        call: &Call<'_>,
        answer: &mut Response,
    ) -> Result<(), EngineError> {
        self.transfer(call, FileTask::Upload, answer)
    }

    fn transfer(
        &mut self,
        call: &Call<'_>,
        task: FileTask,
        answer: &mut Response,
    ) -> Result<(), EngineError> {
        let (arn, path) = (call.bound.text(0).unwrap_or_default(), call.bound.text(1).unwrap_or_default());
        let force = value::integer(call.bound.get(2), "int")?.unwrap_or(0) != 0;
        self.queue_files(call, &FileOrder { task, arn: &arn, path: &path, force }, answer)
    }

    /// `msdb.dbo.rds_gather_file_details`.
    pub(super) fn rds_gather_file_details(
        &mut self,
        call: &Call<'_>,
        answer: &mut Response,
    ) -> Result<(), EngineError> {
        let order = FileOrder { task: FileTask::List, arn: "", path: "", force: false };
        self.queue_files(call, &order, answer)
    }

    /// `msdb.dbo.rds_delete_from_filesystem`.
    pub(super) fn rds_delete_from_filesystem(
        &mut self,
        call: &Call<'_>,
        answer: &mut Response,
    ) -> Result<(), EngineError> {
        let path = call.bound.text(0).unwrap_or_default();
        let force = value::integer(call.bound.get(1), "int")?.unwrap_or(0) != 0;
        self.queue_files(call, &FileOrder { task: FileTask::Delete, arn: "", path: &path, force }, answer)
    }

    fn queue_files(
        &mut self,
        call: &Call<'_>,
        order: &FileOrder<'_>,
        answer: &mut Response,
    ) -> Result<(), EngineError> {
        if !self.instances.get(call.instance).is_some_and(|host| host.config.s3_integration) {
            return Err(EngineError::raised(self.knobs.texts.s3_integration_off.clone()));
        }
        let task = self.submit_files(call.instance, order);
        self.announce(call, task, answer);
        Ok(())
    }
}
