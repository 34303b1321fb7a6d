//! Deploys functions, machines and schedules, as the template does on AWS: the same handlers, the same machine files.

use std::collections::BTreeMap;

use api::{Anonymous, Api};
use asl::Machine;
use handlers::Handler;
use handlers::check_chains::CheckChains;
use handlers::dispatch_tasks::DispatchTasks;
use handlers::list_work::ListWork;
use handlers::observe_event::ObserveEvent;
use handlers::plan_backups::PlanBackups;
use handlers::poll_tasks::PollTasks;
use handlers::run_lease::RunLease;
use handlers::validate_region::ValidateRegion;
use jiff::SignedDuration;
use serde_json::json;
use sqlserver::{Options, SqlServer};

use super::SimulationError;
use super::requests::Requests;
use crate::functions::code;
use crate::ports::metered::Metered;
use crate::ports::secrets::Secrets;
use crate::ports::sql::Dial;
use crate::scenario::Scenario;
use crate::scheduler::Schedule;
use crate::testbed::Testbed;

const FLEET: &str = include_str!("../../../../statemachine/fleet.asl.json");
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

/// The adapter of production over pipes of this process.
pub(super) fn servers(bed: &Testbed) -> Metered<SqlServer<Dial, Secrets>> {
    bed.metered(SqlServer::new(bed.dial(), bed.secrets(), Options::in_process()))
}

pub(super) fn all(scenario: &Scenario, bed: &mut Testbed) -> Result<(), SimulationError> {
    functions(bed);
    machine(bed, "instance", INSTANCE)?;
    machine(bed, "fleet", FLEET)?;
    let schedule = Schedule {
        name: FLEET_SCHEDULE.to_owned(),
        machine_arn: bed.machine_arn("fleet"),
        first_at: scenario.start,
        every: SignedDuration::from_mins(5),
        input: json!({ "schema": handlers::contract::SCHEMA }),
    };
    if let Some(delivery) = scenario.event_bridge {
        bed.deliver_events(OBSERVER, delivery);
    }
    bed.schedule(schedule).map_err(|refusal| SimulationError::Setup {
        what: "schedule fleet".to_owned(),
        why: refusal.to_string(),
    })
}

fn functions(bed: &mut Testbed) {
    let (store, cloud, clock) = (bed.store(), bed.cloud(), bed.clock());
    deploy(bed, ListWork { store: store.clone(), clock: clock.clone() });
    deploy(bed, RunLease { store: store.clone(), clock: clock.clone() });
    deploy(bed, ValidateRegion { store: store.clone(), cloud: cloud.clone(), clock: clock.clone() });
    deploy(bed, PlanBackups { store: store.clone(), clock: clock.clone() });
    let servers = servers(bed);
    deploy(bed, CheckChains { store: store.clone(), servers, clock: clock.clone() });
    let servers = self::servers(bed);
    deploy(bed, DispatchTasks { store: store.clone(), servers, clock: clock.clone() });
    let servers = self::servers(bed);
    deploy(bed, Requests { store: store.clone(), clock: clock.clone() });
    let anonymous = Anonymous::Named(LOOPBACK.to_owned());
    let api = Api::new(store.clone(), bed.state_machines(), clock.clone(), anonymous);
    deploy(bed, api);
    let (executions, instance_machine) = (bed.state_machines(), bed.machine_arn("instance"));
    let observe = ObserveEvent { store: store.clone(), executions, clock: clock.clone(), instance_machine };
    deploy(bed, observe);
    deploy(bed, PollTasks { store, servers, cloud, clock });
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
