//! Databases: their windows, plans, backups, logs and holds.

use domain::coverage::Report;
use sqlserver::plan::Answer;

use super::{OF_LIFE, PAGES, PAGES_OF_LIFE, SERVER, WHICH, at, get, optional, put};
use crate::routes::{Does, Kind, Parameter, Resource, Route, shape};
use crate::shapes::{
    AcceptedShape, BackupBody, BackupShape, DatabaseShape, HoldBody, HoldShape, LifeShape, Listing, LogsShape,
};

pub(super) static DATABASES: [Resource; 9] = [
    at(
        "/v1/instances/{instance}/databases",
        &[get(
            Does::ListDatabases,
            "Databases of an instance, by name.",
            PAGES,
            &[(200, Some(shape::<Listing<DatabaseShape>>))],
        )],
    ),
    at(
        "/v1/instances/{instance}/databases/{database}",
        &[
            get(
                Does::GetDatabase,
                "A database: its newest backups, and what the loss of the instance would cost now.",
                &[],
                &[(200, Some(shape::<DatabaseShape>))],
            ),
            Route {
                method: "DELETE",
                does: Does::LetDatabaseGo,
                about: "Lets a database go that is gone from its server: its name is listed no more, what the vault has of it stays (…/lives).",
                query: &[],
                body: None,
                answers: &[(204, None)],
            },
        ],
    ),
    at(
        "/v1/instances/{instance}/databases/{database}/lives",
        &[get(
            Does::ListLives,
            "Databases that had the name before: dropped and created again, restored over, on an instance that was replaced by another of its name, let go. Each is asked for by its database_guid, and by its server where several have the same.",
            PAGES,
            &[(200, Some(shape::<Listing<LifeShape>>))],
        )],
    ),
    at(
        "/v1/instances/{instance}/databases/{database}/window",
        &[get(
            Does::GetWindow,
            "Which moments can be restored now from the vault, and every hole with cause and repair. Reads the catalogue of one \
             lineage.",
            OF_LIFE,
            &[(200, Some(shape::<Report>))],
        )],
    ),
    at(
        "/v1/instances/{instance}/databases/{database}/plan",
        &[get(
            Does::GetPlan,
            "How a target would be restored, as steps and T-SQL; or why it cannot be, and the nearest moments. Restores nothing.",
            &[
                Parameter {
                    name: "at",
                    about: "A moment (RFC 3339), `latest`, `lsn:N` or `point:UUID`.",
                    is_required: true,
                    kind: Kind::Text,
                },
                optional(
                    "target_name",
                    "Name of the restored database in the T-SQL; the source's without.",
                    Kind::Text,
                ),
                optional(
                    "target_zone",
                    "Time zone in which the server reads STOPAT: UTC, +02:00 or an IANA name; that of the backups without.",
                    Kind::Text,
                ),
                WHICH,
                SERVER,
            ],
            &[(200, Some(shape::<Answer>))],
        )],
    ),
    at(
        "/v1/instances/{instance}/databases/{database}/backups",
        &[
            get(
                Does::ListBackups,
                "Fulls and differentials of a database in the vault, by LSN.",
                PAGES_OF_LIFE,
                &[(200, Some(shape::<Listing<BackupShape>>))],
            ),
            Route {
                method: "POST",
                does: Does::RequestBackup,
                about: "Asks for a backup now. RDS knows no copy-only: a full becomes the differential base, and the notes say so. With the \
                        same Idempotency-Key the same answer for a day, and one task; the key of another caller is refused.",
                query: &[],
                body: Some(shape::<BackupBody>),
                answers: &[(202, Some(shape::<AcceptedShape>))],
            },
        ],
    ),
    at(
        "/v1/instances/{instance}/databases/{database}/log-days",
        &[get(
            Does::ListLogDays,
            "Log files of a database in the vault, by the day on which they were made.",
            PAGES_OF_LIFE,
            &[(200, Some(shape::<Listing<LogsShape>>))],
        )],
    ),
    at(
        "/v1/instances/{instance}/databases/{database}/holds",
        &[get(
            Does::ListHolds,
            "What keeps backups of a database whatever retention says.",
            PAGES_OF_LIFE,
            &[(200, Some(shape::<Listing<HoldShape>>))],
        )],
    ),
    at(
        "/v1/instances/{instance}/databases/{database}/holds/{backup}",
        &[
            get(Does::GetHold, "A hold.", OF_LIFE, &[(200, Some(shape::<HoldShape>))]),
            Route {
                query: OF_LIFE,
                ..put(
                    Does::PutHold,
                    "Holds a full or differential and all it needs, or says anew why and until when (If-Match).",
                    shape::<HoldBody>,
                    &[(200, Some(shape::<HoldShape>)), (201, Some(shape::<HoldShape>))],
                )
            },
            Route {
                method: "DELETE",
                does: Does::DeleteHold,
                about: "Lets a backup go as far as this hold is concerned. What is not held is let go already.",
                query: OF_LIFE,
                body: None,
                answers: &[(204, None)],
            },
        ],
    ),
];
