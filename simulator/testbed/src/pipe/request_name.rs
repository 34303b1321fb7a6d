//! What a request is called, for the gate: the procedure it calls or the table it reads, without qualifiers, in lower case.
//!
//! A name is a handle for fault plans, not a parse: text that has another shape is called by its first word.

use tds::{Procedure, Request, TransactionRequest, Value};

/// `rds_backup_database`, `select backupset`, `begin`, `procedure 13`, ...
pub(super) fn request_name(request: &Request) -> String {
    match request {
        Request::Batch(text) => statement_name(text),
        Request::Rpc { procedure, parameters } => {
            let statement = || match parameters.first().map(|parameter| &parameter.value) {
                Some(Value::Text(text)) => statement_name(text),
                _ => "sp_executesql".to_owned(),
            };
            match procedure {
                Procedure::Id(10) => statement(),
                Procedure::Id(id) => format!("procedure {id}"),
                Procedure::Name(name) => match bare(name) {
                    name if name == "sp_executesql" => statement(),
                    name => name,
                },
            }
        }
        Request::Transaction(TransactionRequest::Begin) => "begin".to_owned(),
        Request::Transaction(TransactionRequest::Commit) => "commit".to_owned(),
        Request::Transaction(TransactionRequest::Rollback) => "rollback".to_owned(),
        Request::Attention => "attention".to_owned(),
    }
}

fn statement_name(text: &str) -> String {
    let mut words =
        text.split(|c: char| c.is_whitespace() || c == ';' || c == ',').filter(|word| !word.is_empty());
    let first = words.clone().next().unwrap_or("empty").to_lowercase();
    let is = |word: &str, names: &[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name));
    if words.any(|word| is(word, &["exec", "execute"])) {
        // `EXEC @status = sp_getapplock ...`
        if let Some(procedure) = words.find(|word| !word.starts_with('@') && *word != "=") {
            return bare(procedure.trim_start_matches('='));
        }
        return first;
    }
    let mut words = text.split_whitespace();
    if first == "select"
        && words.any(|word| is(word, &["from"]))
        && let Some(table) = words.next()
    {
        return format!("select {}", bare(table));
    }
    first
}

/// The last part of a qualified name, without brackets and arguments.
fn bare(name: &str) -> String {
    let name = name.split('(').next().unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or(name);
    last.trim_matches(|c| c == '[' || c == ']' || c == '"').to_lowercase()
}

#[cfg(test)]
mod tests {
    use tds::Parameter;

    use super::*;

    #[test]
    fn requests_are_called_by_what_they_touch() {
        let text =
            |text: &str| Parameter { name: "@stmt".into(), output: false, value: Value::Text(text.into()) };
        let by_id = |id, parameters| Request::Rpc { procedure: Procedure::Id(id), parameters };
        let by_name =
            |name: &str| Request::Rpc { procedure: Procedure::Name(name.into()), parameters: vec![] };
        let batch = |text: &str| Request::Batch(text.into());
        for (request, name) in [
            (by_name("msdb.dbo.rds_backup_database"), "rds_backup_database"),
            (by_name("[msdb]..[RDS_Task_Status]"), "rds_task_status"),
            (
                by_id(10, vec![text("EXEC msdb.dbo.rds_backup_database @source_db_name = @P1")]),
                "rds_backup_database",
            ),
            (
                by_id(10, vec![text("DECLARE @r int; EXEC @r = sp_getapplock @Resource=@P1; SELECT @r")]),
                "sp_getapplock",
            ),
            (by_id(10, vec![]), "sp_executesql"),
            (by_id(13, vec![]), "procedure 13"),
            (
                batch("SELECT a,\n b FROM msdb.dbo.rds_fn_task_status(NULL, 0) WHERE x = 1"),
                "select rds_fn_task_status",
            ),
            (batch("select d.name from sys.databases as d"), "select databases"),
            (batch("SELECT SYSUTCDATETIME() AS utc_now"), "select"),
            (batch("  "), "empty"),
            (batch("EXEC"), "exec"),
            (batch("EXEC @r ="), "exec"),
            (Request::Transaction(TransactionRequest::Rollback), "rollback"),
            (Request::Attention, "attention"),
        ] {
            assert_eq!(request_name(&request), name, "{request:?}");
        }
    }
}
