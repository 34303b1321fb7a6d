//! Deploys functions, machines and schedules, as the template does on AWS: the same handlers, the same machine files.

use std::collections::BTreeMap;

use api::{Anonymous, Api};
use asl::Machine;
use handlers::Handler;
use handlers::check_chains::CheckChains;
use handlers::discover_databases::DiscoverDatabases;
use handlers::dispatch_tasks::DispatchTasks;
use handlers::list_instances::ListInstances;
use handlers::list_work::ListWork;
use handlers::observe_event::ObserveEvent;
use handlers::plan_backups::PlanBackups;
use handlers::poll_tasks::PollTasks;
use handlers::report_discovery::ReportDiscovery;
use handlers::run_lease::RunLease;
use handlers::validate_region::ValidateRegion;
use jiff::SignedDuration;
use serde_json::json;
use sqlserver::{Options, SqlServer};

use super::SimulationError;
use super::requests::Requests;
use crate::functions::code;
use crate::ports::events::EventBus;
use crate::ports::metered::Metered;
use crate::ports::secrets::Secrets;
use crate::ports::sql::Dial;
use crate::scenario::Scenario;
use crate::scheduler::Schedule;
use crate::testbed::Testbed;

const FLEET: &str = include_str!("../../../../statemachine/fleet.asl.json");
const DISCOVERY: &str = include_str!("../../../../statemachine/discovery.asl.json");
const INSTANCE: &str = include_str!("../../../../statemachine/instance.asl.json");

/// Timeout of every function: below that of the Task that calls it, so that Lambda says what happened before Step Functions
/// gives up.
const TIMEOUT: SignedDuration = SignedDuration::from_secs(110);

/// Who asks the API from outside of AWS, as it is recorded.
const LOOPBACK: &str = "loopback";

/// The function that is told of events.
const OBSERVER: &str = handlers::OBSERVERS[0];

/// The schedule that starts the fleet machine.
pub(super) const FLEET_SCHEDULE: &str = "fleet";

/// The schedule that starts the discovery machine.
pub(super) const DISCOVERY_SCHEDULE: &str = "discovery";

/// How often it does, as in the template.
pub(crate) const DISCOVERY_EVERY: SignedDuration = SignedDuration::from_hours(8);

/// The adapter of production over pipes of this process.
pub(super) fn servers(bed: &Testbed) -> Metered<SqlServer<Dial, Secrets>> {
    bed.metered(SqlServer::new(bed.dial(), bed.secrets(), Options::in_process()))
}

pub(super) fn all(scenario: &Scenario, bed: &mut Testbed) -> Result<(), SimulationError> {
    functions(bed, scenario.event_bus.then(|| bed.event_bus()).as_ref());
    machine(bed, "instance", INSTANCE)?;
    machine(bed, "fleet", FLEET)?;
    machine(bed, DISCOVERY_SCHEDULE, DISCOVERY)?;
    if let Some(delivery) = scenario.event_bridge {
        bed.deliver_events(OBSERVER, delivery);
    }
    schedule(scenario, bed, FLEET_SCHEDULE, SignedDuration::from_mins(5))?;
    if scenario.discovery.is_some() {
        schedule(scenario, bed, DISCOVERY_SCHEDULE, DISCOVERY_EVERY)?;
    }
    Ok(())
}

/// A schedule that starts the machine of its name, from the first moment on.
fn schedule(
    scenario: &Scenario,
    bed: &mut Testbed,
    name: &str,
    every: SignedDuration,
) -> Result<(), SimulationError> {
    let schedule = Schedule {
        name: name.to_owned(),
        machine_arn: bed.machine_arn(name),
        first_at: scenario.start,
        every,
        input: json!({ "schema": handlers::contract::SCHEMA }),
    };
    bed.schedule(schedule).map_err(|refusal| SimulationError::Setup {
        what: format!("schedule {name}"),
        why: refusal.to_string(),
    })
}

fn functions(bed: &mut Testbed, bus: Option<&EventBus>) {
    let events = bus.cloned();
    let (store, cloud, clock) = (bed.store(), bed.cloud(), bed.clock());
    deploy(bed, ListWork { store: store.clone(), clock: clock.clone(), events: events.clone() });
    deploy(bed, RunLease { store: store.clone(), clock: clock.clone(), events: events.clone() });
    deploy(bed, ValidateRegion { store: store.clone(), cloud: cloud.clone(), clock: clock.clone() });
    deploy(bed, PlanBackups { store: store.clone(), clock: clock.clone() });
    let servers = servers(bed);
    deploy(bed, CheckChains { store: store.clone(), servers, clock: clock.clone(), events: events.clone() });
    let servers = self::servers(bed);
    deploy(
        bed,
        DispatchTasks { store: store.clone(), servers, clock: clock.clone(), events: events.clone() },
    );
    deploy(bed, ListInstances { store: store.clone(), cloud: cloud.clone(), clock: clock.clone() });
    let servers = self::servers(bed);
    deploy(
        bed,
        DiscoverDatabases { store: store.clone(), servers, clock: clock.clone(), events: events.clone() },
    );
    deploy(
        bed,
        ReportDiscovery {
            store: store.clone(),
            people: bed.people(),
            clock: clock.clone(),
            events: events.clone(),
        },
    );
    let servers = self::servers(bed);
    deploy(bed, Requests { store: store.clone(), clock: clock.clone() });
    let anonymous = Anonymous::Named(LOOPBACK.to_owned());
    let api = Api::new(store.clone(), bed.state_machines(), cloud.clone(), clock.clone(), anonymous);
    deploy(bed, api);
    let (executions, instance_machine) = (bed.state_machines(), bed.machine_arn("instance"));
    let observe = ObserveEvent {
        store: store.clone(),
        cloud: cloud.clone(),
        executions,
        clock: clock.clone(),
        instance_machine,
        events: events.clone(),
    };
    deploy(bed, observe);
    deploy(bed, PollTasks { store, servers, cloud, clock, events });
}

fn deploy<H: Handler + 'static>(bed: &mut Testbed, handler: H) {
    bed.deploy_function(H::NAME, TIMEOUT, code(handler));
}

/// `${ValidateRegionFunctionArn}` becomes the ARN of `validate-region`, as `DefinitionSubstitutions` of the template do.
fn machine(bed: &mut Testbed, name: &str, text: &str) -> Result<(), SimulationError> {
    let mut substitutions: BTreeMap<String, String> = handlers::NAMES
        .iter()
        .map(|function| (format!("{}FunctionArn", camel(function)), bed.function_arn(function)))
        .collect();
    substitutions.insert("InstanceStateMachineArn".to_owned(), bed.machine_arn("instance"));
    let machine = Machine::parse(name, text, &substitutions).map_err(|refusals| {
        let why = refusals.first().map_or_else(String::new, ToString::to_string);
        SimulationError::Setup { what: format!("machine {name}"), why }
    })?;
    bed.deploy_machine(machine);
    Ok(())
}

fn camel(kebab: &str) -> String {
    let mut upper = true;
    let mut camel = String::with_capacity(kebab.len());
    for letter in kebab.chars() {
        if letter == '-' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            camel.extend(letter.to_uppercase());
        } else {
            camel.push(letter);
        }
    }
    camel
}
