//! Which statements make certificates and encrypt databases?
//!
//! `CREATE CERTIFICATE`, `CREATE` and `DROP DATABASE ENCRYPTION KEY`, `ALTER DATABASE ... SET ENCRYPTION`, read token by token.
//! Whether RDS lets anybody create a certificate is documented nowhere; here it stands for the server that an encrypted database
//! comes from. Errors are SQL Server's: 103, 226, 241, 3023, 5011, 15151, 15232, 33102 to 33110, 33117. Sources: the pages of these
//! statements in the SQL Server documentation; RDS user guide, "Limitations" of TDE certificates.

use sqlparser::tokenizer::Token;
use tds::Value;

use crate::{
    database::state::DatabaseId,
    error::EngineError,
    installed::backup::serialized,
    sql::{
        session::SessionId,
        tables::databases::system_id,
        tokens::{Tokens, near, word},
        value,
    },
    tde::{
        certificate::{Issued, Origin, has_service_keyword, is_a_date},
        key::{ALGORITHMS, EncryptionKey},
    },
    time::Ms,
    world::World,
};

/// Characters of an identifier.
const NAME_MAX: usize = 128;

fn refuse<T>(number: u32, text: impl Into<String>) -> Result<T, EngineError> {
    Err(EngineError::new(number, text))
}

/// Takes words that have to follow.
fn expect(tokens: &mut Tokens, words: &[&str]) -> Result<(), EngineError> {
    words.iter().try_for_each(
        |wanted| {
            if tokens.take_word(&[wanted]) { Ok(()) } else { Err(near(tokens.peek())) }
        },
    )
}

fn equals(tokens: &mut Tokens) -> Result<(), EngineError> {
    if tokens.take(&Token::Eq) { Ok(()) } else { Err(near(tokens.peek())) }
}

fn identifier(tokens: &mut Tokens) -> Result<String, EngineError> {
    match tokens.next() {
        Token::Word(name) if name.value.encode_utf16().count() > NAME_MAX => {
            let start: String = name.value.chars().take(NAME_MAX).collect();
            refuse(
                103,
                format!("The identifier that starts with '{start}' is too long. Maximum length is 128."),
            )
        }
        Token::Word(name) if name.quote_style.is_some() || !name.value.starts_with('@') => Ok(name.value),
        other => Err(near(&other)),
    }
}

fn literal(tokens: &mut Tokens) -> Result<String, EngineError> {
    match tokens.next() {
        Token::SingleQuotedString(text) | Token::NationalStringLiteral(text) => Ok(text),
        other => Err(near(&other)),
    }
}

/// A date, UTC, that the catalog can keep.
fn date(text: String) -> Result<Ms, EngineError> {
    let out_of_range =
        || EngineError::new(241, "Conversion failed when converting date and/or time from character string.");
    value::moment_ms(&Value::Text(text))?.filter(|at| is_a_date(*at)).ok_or_else(out_of_range)
}

/// The error for a certificate that is not there, or not for everybody to see.
pub(crate) fn no_certificate(name: &str) -> EngineError {
    let text = format!(
        "Cannot find the certificate '{name}', because it does not exist or you do not have permission."
    );
    EngineError::new(15_151, text)
}

/// The error for a certificate that is there already, by name or by itself.
pub(crate) fn certificate_exists(name: &str) -> EngineError {
    let text = format!(
        "A certificate with name '{name}' already exists or this certificate already has been added to the database."
    );
    EngineError::new(15_232, text)
}

impl World {
    /// A statement that begins with CREATE, ALTER or DROP.
    pub(super) fn definition(&mut self, session: SessionId, tokens: &mut Tokens) -> Result<(), EngineError> {
        let first = tokens.next();
        let verb = word(&first).unwrap_or_default().to_uppercase();
        if verb == "CREATE" && tokens.take_word(&["CERTIFICATE"]) {
            return self.create_certificate(session, tokens);
        }
        if !tokens.take_word(&["DATABASE"]) {
            return Err(near(&first));
        }
        match verb.as_str() {
            "CREATE" => self.create_key(session, tokens),
            "DROP" => {
                expect(tokens, &["ENCRYPTION", "KEY"])?;
                self.drop_key(session)
            }
            _ => self.set_encryption(session, tokens),
        }
    }

    /// Instance and current database of a session.
    fn whereabouts(&self, session: SessionId) -> (usize, &str) {
        self.sessions.get(&session.0).map_or((usize::MAX, ""), |held| (held.instance, held.database.as_str()))
    }

    /// `name WITH SUBJECT = '...' [, START_DATE = '...'] [, EXPIRY_DATE = '...']`, in master.
    fn create_certificate(&mut self, session: SessionId, tokens: &mut Tokens) -> Result<(), EngineError> {
        let name = identifier(tokens)?;
        expect(tokens, &["WITH"])?;
        let (mut subject, mut start, mut expiry): (Option<String>, Option<Ms>, Option<Ms>) =
            (None, None, None);
        loop {
            let option = tokens.next();
            equals(tokens)?;
            let given = literal(tokens)?;
            match word(&option).unwrap_or_default().to_uppercase().as_str() {
                "SUBJECT" => subject = Some(given),
                "START_DATE" => start = Some(date(given)?),
                "EXPIRY_DATE" => expiry = Some(date(given)?),
                _ => return Err(near(&option)),
            }
            if !tokens.take(&Token::Comma) {
                break;
            }
        }
        let Some(subject) = subject else { return Err(near(tokens.peek())) };
        let (instance, database) = self.whereabouts(session);
        // Certificates of other databases encrypt no database, and nothing here looks at them.
        if system_id(database) != Some(1) {
            return refuse(50_000, "Only certificates of master are simulated.");
        }
        let (now, seed) = (self.now_ms, self.seed);
        let Some(host) = self.instances.get_mut(instance) else { return Ok(()) };
        if host.certificate(&name).is_some() {
            return Err(certificate_exists(&name));
        }
        if has_service_keyword(&name) {
            return refuse(50_000, self.knobs.texts.certificate_name.replace("{name}", &name));
        }
        let fresh = Issued::fresh(seed, (instance, host.certificates_made), &subject, start.unwrap_or(now));
        let issued = Issued { expiry: expiry.unwrap_or(fresh.expiry), ..fresh };
        host.add_certificate(&name, issued, Origin::Statement);
        Ok(())
    }

    /// `ENCRYPTION KEY WITH ALGORITHM = AES_256 ENCRYPTION BY SERVER CERTIFICATE name`, of the current database.
    fn create_key(&mut self, session: SessionId, tokens: &mut Tokens) -> Result<(), EngineError> {
        expect(tokens, &["ENCRYPTION", "KEY", "WITH", "ALGORITHM"])?;
        equals(tokens)?;
        let named = tokens.next();
        let given = word(&named).unwrap_or_default();
        let Some(algorithm) = ALGORITHMS.iter().position(|(known, ..)| known.eq_ignore_ascii_case(given))
        else {
            return Err(near(&named));
        };
        expect(tokens, &["ENCRYPTION", "BY", "SERVER", "CERTIFICATE"])?;
        let name = identifier(tokens)?;
        let (instance, current) = self.whereabouts(session);
        let id = self.encryptable(instance, current)?;
        let now = self.now_ms;
        let Some(host) = self.instances.get(instance) else { return Ok(()) };
        if !host.can_encrypt() {
            return refuse(
                33_117,
                "Transparent Data Encryption is not available in the edition of this SQL Server instance. See books online for more details on feature support in different SQL Server editions.",
            );
        }
        let Some(certificate) = host.certificate(&name) else { return Err(no_certificate(&name)) };
        // "You can't use a user TDE certificate for TDE encryption of any other database on your DB instance."
        if certificate.origin == Origin::Restored {
            return refuse(50_000, self.knobs.texts.certificate_encrypts_nothing.replace("{name}", &name));
        }
        let thumbprint = certificate.issued.thumbprint;
        let Some(database) = self.database_mut(id) else { return Ok(()) };
        if database.encryption.key.is_some() {
            return refuse(33_103, "A database encryption key already exists for this database.");
        }
        database.encryption.key = Some(EncryptionKey::new(thumbprint, algorithm, now));
        Ok(())
    }

    /// Drops the key of the current database.
    fn drop_key(&mut self, session: SessionId) -> Result<(), EngineError> {
        let (instance, current) = self.whereabouts(session);
        let (id, now) = (self.encryptable(instance, current)?, self.now_ms);
        let Some(database) = self.database_mut(id) else { return Ok(()) };
        match database.encryption.key {
            None => refuse(33_104, "A database encryption key does not exist for this database."),
            Some(key) if key.is_on || key.is_scanning(now) => refuse(
                33_105,
                "Cannot drop the database encryption key because it is currently in use. Database encryption needs to be turned off to be able to drop the database encryption key.",
            ),
            Some(_) => {
                database.encryption.drop_key(now);
                Ok(())
            }
        }
    }

    /// `name SET ENCRYPTION ON` or `OFF`. Pages are rewritten at the instance's throughput: how fast is documented nowhere.
    fn set_encryption(&mut self, session: SessionId, tokens: &mut Tokens) -> Result<(), EngineError> {
        let named = identifier(tokens)?;
        expect(tokens, &["SET", "ENCRYPTION"])?;
        let on = tokens.take_word(&["ON"]);
        if !on && !tokens.take_word(&["OFF"]) {
            return Err(near(tokens.peek()));
        }
        if self.in_transaction(session) {
            return refuse(226, "ALTER DATABASE statement not allowed within multi-statement transaction.");
        }
        let (instance, current) = self.whereabouts(session);
        let name = if named.eq_ignore_ascii_case("CURRENT") { current.to_owned() } else { named };
        let (id, now) = (self.encryptable(instance, &name)?, self.now_ms);
        let Some(host) = self.instances.get(instance) else { return Ok(()) };
        let running = host.running.iter().filter_map(|task| host.task(*task));
        let busy = running.into_iter().any(|task| task.kind.is_backup() && task.database == Some(id));
        let Some(database) = self.databases.get_mut(id.0 as usize) else { return Ok(()) };
        let Some(key) = database.encryption.key else {
            return refuse(
                33_106,
                "Cannot change database encryption state because no database encryption key is set.",
            );
        };
        let chain = database.installed.as_ref();
        if busy || chain.is_some_and(|chain| chain.data_runs || chain.log_runs) {
            return Err(serialized());
        }
        match (key.is_on, on) {
            (true, true) => {
                refuse(33_107, "Cannot enable database encryption because it is already enabled.")
            }
            (false, false) => {
                refuse(33_108, "Cannot disable database encryption because it is already disabled.")
            }
            _ if key.is_scanning(now) => {
                let verb = if on { "enable" } else { "disable" };
                refuse(
                    33_109,
                    format!(
                        "Cannot {verb} database encryption while an encryption, decryption, or key change scan is in progress."
                    ),
                )
            }
            _ => {
                let scan = host.transfer(database.size_at(&self.branches, now), 100);
                database.encryption.switch(on, scan, now);
                Ok(())
            }
        }
    }

    /// The database of a name, when it can be encrypted.
    fn encryptable(&self, instance: usize, name: &str) -> Result<DatabaseId, EngineError> {
        if system_id(name).is_some() {
            return refuse(
                33_102,
                "Cannot encrypt a system database. Database encryption operations cannot be performed for 'master', 'model', 'tempdb', 'msdb', or 'resource' databases.",
            );
        }
        let found = self.instances.get(instance).and_then(|host| host.database(name));
        found.map_or_else(
            || {
                let text = format!(
                    "User does not have permission to alter database '{name}', the database does not exist, or the database is not in a state that allows access checks."
                );
                refuse(5_011, text)
            },
            Ok,
        )
    }
}
