//! The table.

use domain::coverage::Report;
use domain::policy::Policy;
use sqlserver::plan::Answer;

use super::{Does, Kind, Parameter, Resource, Route, Shape, shape};
use crate::page::LIMIT_MAX;
use crate::policy::PolicyPut;
use crate::shapes::{
    AcceptedShape, BackupBody, BackupShape, CancelShape, DatabaseShape, DiscoveredShape, DiscoveryBody,
    EventShape, FleetShape, HoldBody, HoldShape, InstanceBody, InstanceShape, LifeShape, ListedShape,
    Listing, LogsShape, LookStarted, NameShape, PreviewBody, PreviewShape, TaskShape, VaultBody,
};

const CURSOR: Parameter = optional("cursor", "Where to go on: `next` of the page before.", Kind::Text);
const LIMIT: Parameter = optional("limit", "Things a page holds at most.", Kind::UpTo(LIMIT_MAX));
const PAGES: &[Parameter] = &[LIMIT, CURSOR];

/// One of those that had the name.
const WHICH: Parameter = optional(
    crate::lives::WHICH,
    "Of a database that had the name before (…/lives); the one that has it now without.",
    Kind::Text,
);
/// Of one that was on another server.
const SERVER: Parameter = optional(
    crate::lives::SERVER,
    "With `database_guid`: on which of the servers that had the instance's name (…/lives); the newest without.",
    Kind::Text,
);
const OF_LIFE: &[Parameter] = &[WHICH, SERVER];
const PAGES_OF_LIFE: &[Parameter] = &[LIMIT, CURSOR, WHICH, SERVER];

const fn optional(name: &'static str, about: &'static str, kind: Kind) -> Parameter {
    Parameter { name, about, is_required: false, kind }
}

const fn get(
    does: Does,
    about: &'static str,
    query: &'static [Parameter],
    answers: &'static [(u16, Option<Shape>)],
) -> Route {
    Route { method: "GET", does, about, query, body: None, answers }
}

const fn put(
    does: Does,
    about: &'static str,
    body: Shape,
    answers: &'static [(u16, Option<Shape>)],
) -> Route {
    Route { method: "PUT", does, about, query: &[], body: Some(body), answers }
}

const fn at(path: &'static str, routes: &'static [Route]) -> Resource {
    Resource { path, routes }
}

/// Everything there is.
pub(crate) static RESOURCES: [Resource; 27] = [
    at(
        "/openapi.json",
        &[get(
            Does::GetDocument,
            "This document.",
            &[],
            &[(200, Some(shape::<serde_json::Map<String, serde_json::Value>>))],
        )],
    ),
    at(
        "/v1/fleet",
        &[get(
            Does::GetFleet,
            "The state of the fleet: trouble, databases beyond their RPO, broken chains, failures, open tasks. Five reads an instance.",
            &[
                optional("limit", "Instances a page holds at most.", Kind::UpTo(crate::fleet::INSTANCES_MAX)),
                CURSOR,
            ],
            &[(200, Some(shape::<FleetShape>))],
        )],
    ),
    at(
        "/v1/instances",
        &[get(
            Does::ListInstances,
            "Names of the enrolled instances.",
            PAGES,
            &[(200, Some(shape::<Listing<NameShape>>))],
        )],
    ),
    at(
        "/v1/instances/{instance}",
        &[get(
            Does::GetInstance,
            "An instance: what was set, what is known of it, what happens to it.",
            &[],
            &[(200, Some(shape::<InstanceShape>))],
        )],
    ),
    at(
        "/v1/instances/{instance}/settings",
        &[
            get(
                Does::GetInstanceSettings,
                "What was set of an instance.",
                &[],
                &[(200, Some(shape::<InstanceBody>))],
            ),
            put(
                Does::PutInstanceSettings,
                "Enrols an instance, or sets it anew (If-Match). The next look of the fleet starts its run.",
                shape::<InstanceBody>,
                &[(200, Some(shape::<InstanceBody>)), (201, Some(shape::<InstanceBody>))],
            ),
        ],
    ),
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
            "Databases that had the name before: dropped and created again, restored over, let go. Each is asked for by its database_guid.",
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
    at(
        "/v1/instances/{instance}/tasks",
        &[get(
            Does::ListTasks,
            "Native tasks of ours: those that are open by database; those that ended newest first, by whole hours, two days a page at most.",
            &[
                optional("state", "Open ones without.", Kind::Word(&["open", "ended"])),
                optional("before", "Of those that ended: before when; now without.", Kind::Moment),
                LIMIT,
                CURSOR,
            ],
            &[(200, Some(shape::<Listing<TaskShape>>))],
        )],
    ),
    at(
        "/v1/instances/{instance}/tasks/{task}",
        &[get(Does::GetTask, "One task.", &[], &[(200, Some(shape::<TaskShape>))])],
    ),
    at(
        "/v1/instances/{instance}/tasks/{task}/cancel",
        &[Route {
            method: "PUT",
            does: Does::CancelTask,
            about: "Asks to cancel a task; asking again changes nothing. How it ends, the task tells: it may finish before.",
            query: &[],
            body: None,
            answers: &[(200, Some(shape::<CancelShape>)), (202, Some(shape::<CancelShape>))],
        }],
    ),
    at(
        "/v1/instances/{instance}/events",
        &[get(
            Does::ListEvents,
            "What RDS says happened to an instance: failovers, snapshots, maintenance, storage. Asked of RDS, in its order.",
            &[
                optional(
                    "since",
                    "From when; the day before `until` without. RDS remembers 14 days.",
                    Kind::Moment,
                ),
                optional("until", "To when; now without.", Kind::Moment),
                CURSOR,
            ],
            &[(200, Some(shape::<Listing<EventShape>>))],
        )],
    ),
    at(
        "/v1/policies",
        &[get(
            Does::ListPolicies,
            "Names of the policies.",
            PAGES,
            &[(200, Some(shape::<Listing<NameShape>>))],
        )],
    ),
    at(
        "/v1/policies/{policy}",
        &[
            get(Does::GetPolicy, "A policy.", &[], &[(200, Some(shape::<Policy>))]),
            Route {
                query: &[optional(
                    "cursor",
                    "Where making followers due goes on: `next` of `followers` in the answer before.",
                    Kind::Text,
                )],
                ..put(
                    Does::PutPolicy,
                    "Makes a policy, or replaces it (If-Match), says what was found in it, and makes the instances that follow it due. One that would \
                     stop every backup, of anybody or of one that follows it, is refused.",
                    shape::<Policy>,
                    &[(200, Some(shape::<PolicyPut>)), (201, Some(shape::<PolicyPut>))],
                )
            },
        ],
    ),
    at(
        "/v1/policies/{policy}/preview",
        &[Route {
            method: "POST",
            does: Does::PreviewPolicy,
            about: "What a change of a policy would do to promises, windows, retention, storage and cost of the databases of one instance. \
                    Changes nothing, so it needs no idempotency key.",
            query: &[
                optional(
                    "limit",
                    "Databases a page holds at most.",
                    Kind::UpTo(crate::preview::DATABASES_MAX),
                ),
                CURSOR,
            ],
            body: Some(shape::<PreviewBody>),
            answers: &[(200, Some(shape::<PreviewShape>))],
        }],
    ),
    at(
        "/v1/vaults",
        &[get(Does::ListVaults, "Names of the vaults.", PAGES, &[(200, Some(shape::<Listing<NameShape>>))])],
    ),
    at(
        "/v1/vaults/{vault}",
        &[
            get(Does::GetVault, "A vault.", &[], &[(200, Some(shape::<VaultBody>))]),
            put(
                Does::PutVault,
                "Enrols a vault, or sets it anew (If-Match).",
                shape::<VaultBody>,
                &[(200, Some(shape::<VaultBody>)), (201, Some(shape::<VaultBody>))],
            ),
        ],
    ),
    at(
        "/v1/discovery",
        &[
            get(
                Does::ListDiscoveries,
                "Names of the settings of discovery.",
                PAGES,
                &[(200, Some(shape::<Listing<NameShape>>))],
            ),
            Route {
                method: "POST",
                does: Does::LookNow,
                about: "Looks now which instances and databases there are, without waiting for the schedule. With the same Idempotency-Key of the same \
                        caller it is one look for 90 days; without a key, one a minute.",
                query: &[],
                body: None,
                answers: &[(202, Some(shape::<LookStarted>))],
            },
        ],
    ),
    at(
        "/v1/discovery/{discovery}",
        &[
            get(
                Does::GetDiscovery,
                "Which instances and databases are enrolled by themselves.",
                &[],
                &[(200, Some(shape::<DiscoveryBody>))],
            ),
            put(
                Does::PutDiscovery,
                "Makes settings of discovery, or sets them anew (If-Match). The next look follows them.",
                shape::<DiscoveryBody>,
                &[(200, Some(shape::<DiscoveryBody>)), (201, Some(shape::<DiscoveryBody>))],
            ),
        ],
    ),
    at(
        "/v1/instances/{instance}/discovered",
        &[get(
            Does::GetDiscovered,
            "What discovery saw last of an instance: every database with what became of it, and why which are not protected.",
            &[CURSOR],
            &[(200, Some(shape::<DiscoveredShape>))],
        )],
    ),
    at(
        "/v1/discovered",
        &[get(
            Does::GetListed,
            "What discovery found last when it listed the instances: how many are selected and not enrolled, and why.",
            &[],
            &[(200, Some(shape::<ListedShape>))],
        )],
    ),
];
