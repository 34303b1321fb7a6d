//! The file as a whole: its arrays, row by row, with the place of the row at hand when something is wrong.

use std::cell::{Cell as Slot, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::rds::{self, RawLog, RawTask, Task};
use super::row::{self, RawBackup, Reader};
use super::{Array, ImportError, Imported, Options, Origin};

/// The mend of everything that is no JSON.
const MEND: &str = "export the history again with queries/export_history.sql and save it whole, as UTF-8";

/// What is being read, shared by the visitors of one document.
struct Context<'o> {
    options: &'o Options,
    /// The row at hand, to name it when the parser stops.
    at: Slot<Option<Origin>>,
    /// Why a row was refused: serde's own errors carry text only.
    refusal: RefCell<Option<ImportError>>,
    gathered: RefCell<Gathered>,
}

#[derive(Default)]
struct Gathered {
    reader: Reader,
    imported: Imported,
    tasks: Vec<Task>,
    arrays: u32,
}

pub(super) fn read(text: &str, options: &Options) -> Result<Imported, ImportError> {
    let context =
        Context { options, at: Slot::new(None), refusal: RefCell::default(), gathered: RefCell::default() };
    let mut json = serde_json::Deserializer::from_str(text);
    let outcome = Document(&context).deserialize(&mut json).and_then(|()| json.end());
    if let Err(error) = outcome {
        return Err(context.refusal.take().unwrap_or_else(|| unreadable(context.at.get(), &error)));
    }
    let Gathered { reader, mut imported, tasks, arrays } = context.gathered.into_inner();
    if arrays == 0 {
        let what = "the file holds neither \"backups\" nor \"rds_logs\"";
        return Err(ImportError::new("the file", what, "give it the rows as an array named \"backups\""));
    }
    rds::name_files(&mut imported.backups, tasks);
    imported.warnings.extend(reader.warnings());
    Ok(imported)
}

fn unreadable(at: Option<Origin>, error: &serde_json::Error) -> ImportError {
    let position = format!("line {} column {}", error.line(), error.column());
    let text = error.to_string();
    let what = text.strip_suffix(&format!(" at {position}")).unwrap_or(&text);
    match at {
        Some(origin) => ImportError::new(origin.to_string(), format!("{what} ({position})"), MEND),
        None => ImportError::new(position, what, MEND),
    }
}

impl Context<'_> {
    fn refuse<E: Error>(&self, refusal: ImportError) -> E {
        let error = E::custom(&refusal);
        *self.refusal.borrow_mut() = Some(refusal);
        error
    }
}

struct Document<'c, 'o>(&'c Context<'o>);

impl<'de> DeserializeSeed<'de> for Document<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the rows as an array named \"backups\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let array = match key.as_str() {
                "backups" => Array::Backups,
                "rds_tasks" => Array::RdsTasks,
                "rds_logs" => Array::RdsLogs,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            map.next_value_seed(Rows { context: self.0, array })?;
            self.0.at.set(None);
            self.0.gathered.borrow_mut().arrays += u32::from(array != Array::RdsTasks);
        }
        Ok(())
    }
}

/// One of the arrays.
struct Rows<'c, 'o> {
    context: &'c Context<'o>,
    array: Array,
}

impl<'de> DeserializeSeed<'de> for Rows<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of rows")
    }

    /// `FOR JSON` leaves out an array without rows, other tools write null.
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let context = self.context;
        let (mut backup, mut task, mut log) = (RawBackup::default(), RawTask::default(), RawLog::default());
        for index in 0_u32.. {
            let origin = Origin { array: self.array, index };
            context.at.set(Some(origin));
            let more = match self.array {
                Array::Backups => match seq.next_element_seed(&mut backup)? {
                    Some(()) => {
                        let gathered = &mut *context.gathered.borrow_mut();
                        let taken = row::take(&mut backup, origin, context.options, &mut gathered.reader);
                        let taken = taken.map_err(|refusal| context.refuse(refusal))?;
                        gathered.imported.take(taken, origin);
                        true
                    }
                    None => false,
                },
                Array::RdsTasks => match seq.next_element_seed(&mut task)? {
                    Some(()) => {
                        let task = rds::task(std::mem::take(&mut task), origin)
                            .map_err(|refusal| context.refuse(refusal))?;
                        context.gathered.borrow_mut().tasks.extend(task);
                        true
                    }
                    None => false,
                },
                Array::RdsLogs => match seq.next_element_seed(&mut log)? {
                    Some(()) => {
                        let gathered = &mut *context.gathered.borrow_mut();
                        let taken = rds::log(std::mem::take(&mut log), origin, &mut gathered.reader);
                        let taken = taken.map_err(|refusal| context.refuse(refusal))?;
                        gathered.imported.take(taken, origin);
                        true
                    }
                    None => false,
                },
            };
            if !more {
                break;
            }
        }
        Ok(())
    }
}

impl Imported {
    fn take(&mut self, taken: row::Taken, origin: Origin) {
        match taken {
            row::Taken::Backup(backup) => {
                self.backups.push(backup);
                self.origins.push(origin);
            }
            row::Taken::Incomplete(incomplete) => self.incomplete.push(incomplete),
            row::Taken::Skipped => {}
        }
    }
}
