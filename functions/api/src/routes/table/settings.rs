//! Policies, vaults, and what is enrolled by itself.

use domain::policy::Policy;

use super::{CURSOR, PAGES, at, get, optional, put};
use crate::policy::PolicyPut;
use crate::routes::{Does, Kind, Resource, Route, shape};
use crate::shapes::{
    DiscoveryBody, ListedShape, Listing, LookStarted, NameShape, PreviewBody, PreviewShape, VaultBody,
};

pub(super) static SETTINGS: [Resource; 8] = [
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
        "/v1/discovered",
        &[get(
            Does::GetListed,
            "What discovery found last when it listed the instances: how many are selected and not enrolled, and why.",
            &[],
            &[(200, Some(shape::<ListedShape>))],
        )],
    ),
];
