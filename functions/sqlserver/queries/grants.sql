-- What the login of bakproof needs on an Amazon RDS for SQL Server instance; run it as the master user, in place of bakproof the
-- name of your login. VIEW ANY DEFINITION shows the files of databases: without it their differential bases are unknown. RDS does not
-- carry permissions in msdb over to the standby: run it again on the new primary after a failover. Log copies also need the login to be
-- a member of db_owner in each database to protect.

USE master;
GRANT VIEW ANY DEFINITION TO [bakproof];
USE msdb;
IF DATABASE_PRINCIPAL_ID(N'bakproof') IS NULL CREATE USER [bakproof] FOR LOGIN [bakproof];
GRANT EXECUTE ON OBJECT::dbo.rds_backup_database TO [bakproof];
GRANT EXECUTE ON OBJECT::dbo.rds_tlog_backup_copy_to_S3 TO [bakproof];
GRANT EXECUTE ON OBJECT::dbo.rds_tlog_copy_setup TO [bakproof];
GRANT EXECUTE ON OBJECT::dbo.rds_cancel_task TO [bakproof];
GRANT SELECT ON OBJECT::dbo.rds_fn_task_status TO [bakproof];
GRANT SELECT ON OBJECT::dbo.rds_fn_list_tlog_backup_metadata TO [bakproof];
GRANT SELECT ON OBJECT::dbo.backupset TO [bakproof];
