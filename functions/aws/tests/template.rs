//! The deployed table and policies against what the adapters use: one text, two authors.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use aws::store::table::create_table;
use aws_sdk_dynamodb::types::KeySchemaElement;
use yaml_rust2::{Yaml, YamlLoader};

const TEMPLATE: &str = include_str!("../../../infra/template.yaml");

/// The lines of one resource of the template.
fn resource(name: &str) -> Vec<&'static str> {
    let head = format!("  {name}:");
    let mut lines = TEMPLATE.lines().skip_while(|line| *line != head);
    assert!(lines.next().is_some(), "the template has no resource {name}");
    lines.take_while(|line| line.is_empty() || line.starts_with("    ")).collect()
}

fn keys(indent: &str, schema: &[KeySchemaElement]) -> String {
    schema.iter().fold(String::new(), |mut text, key| {
        let (name, of_type) = (key.attribute_name(), key.key_type());
        let _ = writeln!(text, "{indent}- {{ AttributeName: {name}, KeyType: {of_type} }}");
        text
    })
}

#[test]
fn the_deployed_table_is_the_one_that_the_store_is_tested_on() {
    let table = create_table("t").unwrap();
    let mut text =
        format!("      BillingMode: {}\n      AttributeDefinitions:\n", table.billing_mode().unwrap());
    for attribute in table.attribute_definitions() {
        let (name, of_type) = (attribute.attribute_name(), attribute.attribute_type());
        let _ = writeln!(text, "        - {{ AttributeName: {name}, AttributeType: {of_type} }}");
    }
    let _ = write!(text, "      KeySchema:\n{}", keys("        ", table.key_schema()));
    text.push_str("      GlobalSecondaryIndexes:\n");
    for index in table.global_secondary_indexes() {
        let projection = index.projection().and_then(|projection| projection.projection_type()).unwrap();
        let _ = write!(
            text,
            "        - IndexName: {}\n          KeySchema:\n{}          Projection: {{ ProjectionType: {projection} }}\n",
            index.index_name(),
            keys("            ", index.key_schema())
        );
    }
    let deployed = resource("TaskStore").join("\n");
    assert!(deployed.contains(&text), "expected in the template:\n{text}\nfound:\n{deployed}");
}

#[test]
fn the_table_outlives_slips_and_no_item_leaves_it_by_itself() {
    let deployed = resource("TaskStore");
    for line in [
        "    DeletionPolicy: Retain",
        "    UpdateReplacePolicy: Retain",
        "      DeletionProtectionEnabled: true",
        "      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true }",
    ] {
        assert!(deployed.contains(&line), "{line:?} is missing in {deployed:#?}");
    }
    // A lease or a task that the service removes when it likes is one that two writers can hold.
    assert!(!deployed.iter().any(|line| line.contains("TimeToLive")), "{deployed:#?}");
}

/// The actions of a role's statements and the resources beside each, without those that depend on a condition being met.
fn allowed(function: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut allowed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let policies = &template()["Resources"][function]["Properties"]["Policies"];
    for statement in policies[0]["Statement"].as_vec().expect("a list of statements") {
        // `!If [condition, statement, none]`.
        let statement = statement.as_vec().map_or(statement, |either| &either[1]);
        for action in texts(&statement["Action"]) {
            allowed.entry(action).or_default().extend(texts(&statement["Resource"]));
        }
    }
    allowed
}

/// One text or a list of them; a condition's name and what it gives are texts like any.
fn texts(value: &Yaml) -> Vec<String> {
    let of = |value: &Yaml| value.as_str().expect("a text").to_owned();
    value.as_vec().map_or_else(|| vec![of(value)], |values| values.iter().map(of).collect())
}

/// Ports in the bounds of a function's handler: what its source says between `impl` and the handler's name.
fn ports(source: &str) -> BTreeSet<&str> {
    let (before, after) = source.split_once("Handler for").expect("a handler");
    let bounds = before.rsplit_once("impl<").expect("its impl").1;
    let until = after.find('{').expect("its body");
    let is_part = |byte: char| !byte.is_ascii_alphanumeric();
    bounds.split(is_part).chain(after[..until].split(is_part)).collect()
}

#[test]
fn a_function_may_do_what_its_ports_need_and_nothing_else() {
    let all = aws::actions::all();
    let functions =
        handlers::NAMES.iter().map(|name| (*name, format!("handlers/src/{}.rs", name.replace('-', "_"))));
    let observers = ("observe-event", "handlers/src/observe_event.rs".to_owned());
    for (name, file) in functions.chain([("api", "api/src/lib.rs".to_owned()), observers]) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let source = std::fs::read_to_string(folder.join(file)).unwrap();
        // Long heads are broken into lines.
        let source = source.split_whitespace().collect::<Vec<_>>().join(" ");
        let ports = ports(&source);
        let needed: BTreeSet<&str> = all
            .iter()
            .filter(|capability| ports.contains(capability.port))
            .flat_map(|capability| capability.actions.iter().copied())
            .collect();
        // The one action that no port asks for: Secrets Manager decrypts with the caller's rights, and where the secrets lie under keys
        // of the customer the caller needs them (Secrets Manager user guide, "Secret encryption and decryption").
        let needed = if needed.contains("secretsmanager:GetSecretValue") {
            needed.into_iter().chain(["kms:Decrypt"]).collect()
        } else {
            needed
        };
        let allowed = allowed(&format!("{}Function", camel(name)));
        assert_eq!(allowed.keys().map(String::as_str).collect::<BTreeSet<_>>(), needed, "{name}");
        for (action, resources) in allowed {
            assert!(
                resources.iter().all(|resource| fits(&action, resource)),
                "{name}: {action} on {resources:?}"
            );
        }
    }
}

/// Whether a resource is one of the service, and not all of them but where AWS knows no other: service authorization reference, "Amazon RDS",
/// `DescribeEvents`, read 2026-11.
fn fits(action: &str, resource: &str) -> bool {
    if action == "rds:DescribeEvents" {
        return resource == "*";
    }
    let owned: &[&str] = match action.split(':').next().unwrap_or_default() {
        "dynamodb" => &["TaskStore.Arn", "${TaskStore.Arn}/index/due"],
        "events" => &["EventBus.Arn"],
        "kms" if action == "kms:Decrypt" => &["SecretKeyArns"],
        "kms" => &["arn:${AWS::Partition}:kms:*:${AWS::AccountId}:key/*"],
        "rds" => &[
            "arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:db:*",
            "arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:og:*",
            "arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:snapshot:*",
        ],
        "s3" => &["VaultBucket.Arn", "LogCopyBucket.Arn", "OtherBucketArns"],
        "secretsmanager" => &[
            "NamesSecrets",
            "SecretArns",
            "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:rds!db-*",
        ],
        "sns" => &["Notices"],
        "states" => &["InstanceStateMachine", "DiscoveryStateMachine"],
        _ => &[],
    };
    owned.contains(&resource)
}

/// Machines start and call what their definitions name; no statement of theirs has a wildcard but that for deliveries of logs.
#[test]
fn a_machine_may_start_what_its_definition_names_and_nothing_else() {
    for (machine, file) in [("Fleet", "fleet"), ("Instance", "instance"), ("Discovery", "discovery")] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../statemachine/{file}.asl.json"));
        let definition = std::fs::read_to_string(path).unwrap();
        let named: BTreeSet<String> =
            definition.split("${").skip(1).map(|rest| rest.split('}').next().unwrap().to_owned()).collect();
        let properties = &template()["Resources"][format!("{machine}StateMachine").as_str()]["Properties"];
        let given: BTreeSet<String> = properties["DefinitionSubstitutions"]
            .as_hash()
            .unwrap()
            .keys()
            .map(|key| key.as_str().unwrap().to_owned())
            .collect();
        assert_eq!(given, named, "{machine}");
        let invoked: BTreeSet<String> = named
            .iter()
            .filter_map(|name| {
                Some(format!("{}.Arn", name.strip_suffix("Arn").filter(|name| name.ends_with("Function"))?))
            })
            .collect();
        let allowed = allowed(&format!("{machine}StateMachine"));
        assert_eq!(allowed["lambda:InvokeFunction"], invoked, "{machine}");
        for (action, resources) in &allowed {
            assert!(!resources.contains("*") || action.starts_with("logs:"), "{machine}: {action}");
        }
    }
}

/// The rules pass on what the rules of the domain can make something of, and no more.
#[test]
fn events_are_passed_on_where_they_mean_something() {
    let template = template();
    let function = &template["Resources"]["ObserveEventFunction"]["Properties"];
    let pattern = |rule: &str| function["Events"][rule]["Properties"]["Pattern"].clone();
    let told = pattern("RdsTells");
    assert_eq!(texts(&told["detail"]["EventCategories"]), domain::observed::categories());
    assert_eq!(texts(&told["source"]), ["aws.rds"]);
    assert_eq!(texts(&told["detail-type"]), ["RDS DB Instance Event", "RDS DB Snapshot Event"]);
    let ended = pattern("RunEndsBadly");
    assert_eq!(texts(&ended["source"]), ["aws.states"]);
    assert_eq!(texts(&ended["detail"]["stateMachineArn"]), ["InstanceStateMachine"]);
    assert_eq!(texts(&ended["detail"]["status"]), ["FAILED", "TIMED_OUT", "ABORTED"]);
    // An asynchronous invocation that fails leaves its event somewhere.
    assert_eq!(function["DeadLetterQueue"]["TargetArn"].as_str(), Some("LostEvents.Arn"));
    assert_eq!(function["EventInvokeConfig"]["MaximumRetryAttempts"].as_i64(), Some(2));
    assert_eq!(
        function["Environment"]["Variables"]["BAKPROOF_INSTANCE_MACHINE"].as_str(),
        Some("InstanceStateMachine")
    );
}

/// Keys are lent to Secrets Manager alone.
#[test]
fn keys_of_secrets_decrypt_through_secrets_manager_and_nowhere_else() {
    let template = template();
    let mut lent = 0;
    for (_, resource) in template["Resources"].as_hash().unwrap() {
        for statement in resource["Properties"]["Policies"][0]["Statement"].as_vec().into_iter().flatten() {
            let Some([condition, statement, _]) = statement.as_vec().map(Vec::as_slice) else { continue };
            if texts(&statement["Action"]) == ["kms:Decrypt"] {
                assert_eq!(condition.as_str(), Some("NamesSecretKeys"));
                let through = &statement["Condition"]["StringEquals"]["kms:ViaService"];
                assert_eq!(through.as_str(), Some("secretsmanager.${AWS::Region}.amazonaws.com"));
                lent += 1;
            }
        }
    }
    assert_eq!(lent, 4, "functions that log in to instances");
}

/// Properties that name a resource for its account, or its account and Region.
const NAMES: [&str; 17] = [
    "AlarmName",
    "AliasName",
    "BucketName",
    "DashboardName",
    "FunctionName",
    "GroupName",
    "LayerName",
    "LogGroupName",
    "ManagedPolicyName",
    "Name",
    "OptionGroupName",
    "QueueName",
    "RoleName",
    "RuleName",
    "StageName",
    "TableName",
    "TopicName",
];

/// Two stacks of one account and Region do not meet: what has a name has the stack's in it, everything else is named when it is made.
#[test]
fn two_cells_share_no_name() {
    let template = template();
    let mut named = 0;
    for (logical, resource) in template["Resources"].as_hash().unwrap() {
        let properties = &resource["Properties"];
        let events = properties["Events"].as_hash().into_iter().flatten().map(|(_, event)| event);
        for holder in events.clone().map(|event| &event["Properties"]).chain([properties]) {
            for name in NAMES {
                let Some(value) = holder[name].as_str() else { continue };
                assert!(value.contains("${AWS::StackName}"), "{logical:?} is always called {value}");
                named += 1;
            }
        }
        // SAM names a schedule by its logical id where nobody says otherwise, and other events by none.
        for event in events.filter(|event| event["Type"].as_str() == Some("ScheduleV2")) {
            assert_eq!(event["Properties"]["OmitName"].as_bool(), Some(true), "{event:?}");
            named += 1;
        }
    }
    assert_eq!(named, 6, "machine, log group, bus, dashboard, two schedules");
}

/// The dimensions under which DynamoDB publishes throttle events: the table, and the table with its index (developer guide, "`DynamoDB`
/// metrics and dimensions", read 2026-11).
#[test]
fn throttling_is_watched_where_it_is_published() {
    let template = template();
    let index = create_table("t").unwrap().global_secondary_indexes()[0].index_name().to_owned();
    let mut expected = BTreeSet::new();
    for metric in ["ReadThrottleEvents", "WriteThrottleEvents"] {
        expected.insert(format!("{metric} TableName=TaskStore"));
        expected.insert(format!("{metric} TableName=TaskStore GlobalSecondaryIndexName={index}"));
    }
    let alarm = &template["Resources"]["StoreThrottled"]["Properties"];
    let (sums, stats): (Vec<_>, Vec<_>) =
        alarm["Metrics"].as_vec().unwrap().iter().partition(|metric| metric["MetricStat"].is_badvalue());
    let watched: BTreeSet<_> = stats
        .iter()
        .map(|metric| {
            let metric = &metric["MetricStat"]["Metric"];
            let dimensions = metric["Dimensions"].as_vec().unwrap().iter();
            let dimension =
                |one: &Yaml| format!(" {}={}", one["Name"].as_str().unwrap(), one["Value"].as_str().unwrap());
            metric["MetricName"].as_str().unwrap().to_owned() + &dimensions.map(dimension).collect::<String>()
        })
        .collect();
    assert_eq!(watched, expected);
    // All of them count.
    let [sum] = sums[..] else { panic!("one sum: {sums:?}") };
    let sum = sum["Expression"].as_str().unwrap();
    for metric in &stats {
        let id = metric["Id"].as_str().unwrap();
        assert!(sum.contains(&format!("FILL({id}, 0)")), "{id} is missing in {sum}");
    }
    let shown: BTreeSet<_> = TEMPLATE
        .lines()
        .filter_map(|line| line.trim().strip_prefix("[\"AWS/DynamoDB\", "))
        .map(|row| {
            let quoted: Vec<_> = row.split('"').skip(1).step_by(2).collect();
            let pairs = quoted[1..].chunks(2).map(|pair| format!(" {}={}", pair[0], pair[1]));
            quoted[0].to_owned() + &pairs.collect::<String>().replace("${TaskStore}", "TaskStore")
        })
        .collect();
    assert_eq!(shown, expected, "the dashboard");
}

fn template() -> Yaml {
    YamlLoader::load_from_str(TEMPLATE).expect("the template is YAML").remove(0)
}

fn camel(kebab: &str) -> String {
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    kebab.split('-').map(capital).collect()
}
