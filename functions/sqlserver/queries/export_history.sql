-- Exports the backup history of a SQL Server as one JSON document for `bakproof window`, `plan` and `retain`.
--
-- Needs SQL Server 2016 or later (FOR JSON) and SELECT on msdb.dbo.backupset, backupmediafamily; on RDS the master user.
-- Reads only. Set the two parameters below, then run it, for example:
--
--   sqlcmd -S SERVER -d msdb -y 0 -f o:65001 -i export_history.sql -o history.json
--
-- `-y 0` keeps the document in one piece, `-f o:65001` writes UTF-8. In SSMS: "Results to File" with the maximum of
-- characters per column is too small for large histories; use sqlcmd, or `Invoke-Sqlcmd -MaxCharLength 2147483647`.
--
-- What the document holds: `backups` (msdb.dbo.backupset with the files of each set in stripe order), and on RDS
-- `rds_tasks` (they alone know the S3 ARNs) and `rds_logs` (log files that the service still keeps, seven days).
-- LSNs are strings, because numeric(25,0) does not fit the numbers of most JSON parsers. Dates are server-local; time_zone tells
-- the offset. Columns that a version lacks are left out: last_valid_restore_time came with SQL Server 2022.

SET NOCOUNT ON;

DECLARE @days int = 400;              -- how far back
DECLARE @database sysname = NULL;     -- one database, or NULL for all

DECLARE @since datetime = DATEADD(day, -@days, GETDATE());
DECLARE @newer nvarchar(max) =
    CASE WHEN COL_LENGTH('msdb.dbo.backupset', 'last_valid_restore_time') IS NOT NULL
         THEN N', CONVERT(varchar(33), s.last_valid_restore_time, 126) AS last_valid_restore_time' ELSE N'' END;

-- The statement is text, because a column that a version lacks would fail to compile even where it is not reached.
DECLARE @backups nvarchar(max) = N'
SELECT @json = (
    SELECT
        s.backup_set_uuid, s.database_name, s.server_name, s.family_guid, s.database_guid, s.type,
        CONVERT(varchar(25), s.first_lsn) AS first_lsn,
        CONVERT(varchar(25), s.last_lsn) AS last_lsn,
        CONVERT(varchar(25), s.checkpoint_lsn) AS checkpoint_lsn,
        CONVERT(varchar(25), s.database_backup_lsn) AS database_backup_lsn,
        CONVERT(varchar(25), s.differential_base_lsn) AS differential_base_lsn,
        s.differential_base_guid,
        s.is_copy_only, s.is_snapshot, s.is_damaged, s.has_bulk_logged_data, s.begins_log_chain,
        s.first_recovery_fork_guid, s.last_recovery_fork_guid,
        CONVERT(varchar(25), s.fork_point_lsn) AS fork_point_lsn,
        s.recovery_model,
        CONVERT(varchar(33), s.backup_start_date, 126) AS backup_start_date,
        CONVERT(varchar(33), s.backup_finish_date, 126) AS backup_finish_date,
        s.time_zone,
        CONVERT(varchar(20), s.backup_size) AS backup_size,
        CONVERT(varchar(20), s.compressed_backup_size) AS compressed_backup_size,
        s.software_major_version, s.first_family_number, s.last_family_number, s.position' + @newer + N',
        JSON_QUERY(N''['' + STUFF((
            SELECT N'',"'' + STRING_ESCAPE(f.physical_device_name, ''json'') + N''"''
            FROM msdb.dbo.backupmediafamily AS f
            WHERE f.media_set_id = s.media_set_id AND f.mirror = 0 AND f.physical_device_name IS NOT NULL
              AND f.family_sequence_number BETWEEN s.first_family_number AND s.last_family_number
            ORDER BY f.family_sequence_number
            FOR XML PATH(N''''), TYPE).value(N''.'', N''nvarchar(max)''), 1, 1, N'''') + N'']'') AS files
    FROM msdb.dbo.backupset AS s
    WHERE s.backup_finish_date >= @since AND (@database IS NULL OR s.database_name = @database)
    ORDER BY s.database_name, s.last_lsn, s.first_lsn
    FOR JSON PATH)';

DECLARE @backups_json nvarchar(max), @tasks_json nvarchar(max), @logs_json nvarchar(max);
EXEC sys.sp_executesql @backups, N'@since datetime, @database sysname, @json nvarchar(max) OUTPUT',
    @since = @since, @database = @database, @json = @backups_json OUTPUT;

-- RDS only: the functions exist nowhere else.
IF OBJECT_ID('msdb.dbo.rds_fn_task_status') IS NOT NULL
    EXEC sys.sp_executesql N'
SELECT @json = (
    SELECT t.task_id, t.task_type, t.database_name, t.lifecycle,
        CONVERT(varchar(33), t.created_at, 126) AS created_at,
        CONVERT(varchar(33), t.last_updated, 126) AS last_updated,
        t.S3_object_arn
    FROM msdb.dbo.rds_fn_task_status(NULL, 0) AS t
    WHERE t.created_at >= @since AND (@database IS NULL OR t.database_name = @database)
    ORDER BY t.task_id
    FOR JSON PATH)', N'@since datetime, @database sysname, @json nvarchar(max) OUTPUT',
        @since = @since, @database = @database, @json = @tasks_json OUTPUT;

IF OBJECT_ID('msdb.dbo.rds_fn_list_tlog_backup_metadata') IS NOT NULL
BEGIN
    DECLARE @name sysname, @one nvarchar(max);
    -- System databases (1 to 4) and rdsadmin have no files here.
    DECLARE names CURSOR LOCAL FAST_FORWARD FOR
        SELECT name FROM sys.databases
        WHERE database_id > 4 AND name <> N'rdsadmin' AND state = 0 AND (@database IS NULL OR name = @database);
    OPEN names;
    FETCH NEXT FROM names INTO @name;
    WHILE @@FETCH_STATUS = 0
    BEGIN
        SET @one = NULL;
        EXEC sys.sp_executesql N'
SELECT @json = (
    SELECT l.db_name, l.db_id, l.family_guid, l.rds_backup_seq_id, l.backup_file_epoch,
        CONVERT(varchar(33), l.backup_file_time_utc, 126) AS backup_file_time_utc,
        CONVERT(varchar(25), l.starting_lsn) AS starting_lsn,
        CONVERT(varchar(25), l.ending_lsn) AS ending_lsn,
        l.is_log_chain_broken, l.file_size_bytes, l.Error
    FROM msdb.dbo.rds_fn_list_tlog_backup_metadata(@name) AS l
    WHERE l.backup_file_time_utc >= DATEADD(day, -8, GETUTCDATE())
    ORDER BY l.rds_backup_seq_id
    FOR JSON PATH)', N'@name sysname, @json nvarchar(max) OUTPUT', @name = @name, @json = @one OUTPUT;
        -- Arrays are joined without their brackets.
        IF @one IS NOT NULL
            SET @logs_json = ISNULL(@logs_json + N',', N'') + SUBSTRING(@one, 2, LEN(@one) - 2);
        FETCH NEXT FROM names INTO @name;
    END
    CLOSE names;
    DEALLOCATE names;
END

SELECT N'{"backups":' + ISNULL(@backups_json, N'[]')
     + N',"rds_tasks":' + ISNULL(@tasks_json, N'[]')
     + N',"rds_logs":[' + ISNULL(@logs_json, N'') + N']}' AS history;
