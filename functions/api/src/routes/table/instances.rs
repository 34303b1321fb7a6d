//! The document, the fleet, instances, what happens on them.

use super::{CURSOR, LIMIT, PAGES, at, get, optional, put};
use crate::routes::{Does, Kind, Resource, Route, shape};
use crate::shapes::{
    CancelShape, DiscoveredShape, EventShape, FleetShape, InstanceBody, InstanceShape, Listing, NameShape,
    TaskShape,
};

pub(super) static INSTANCES: [Resource; 10] = [
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
        "/v1/instances/{instance}/discovered",
        &[get(
            Does::GetDiscovered,
            "What discovery saw last of an instance: every database with what became of it, and why which are not protected.",
            &[CURSOR],
            &[(200, Some(shape::<DiscoveredShape>))],
        )],
    ),
];
