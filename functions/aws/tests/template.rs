//! The deployed table and policies against what the adapters use: one text, two authors.

use std::fmt::Write as _;

use aws::store::table::create_table;
use aws_sdk_dynamodb::types::KeySchemaElement;

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

/// Actions of a function's statements, in order of the alphabet.
fn allowed(function: &str) -> Vec<&'static str> {
    let is_action = |item: &str| {
        let (service, action) = item.split_once(':').unwrap_or_default();
        !action.is_empty()
            && [service, action].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    };
    let items = resource(function).into_iter().filter_map(|line| line.trim().strip_prefix("- "));
    let mut actions: Vec<_> = items.filter(|item| is_action(item)).collect();
    actions.sort_unstable();
    actions
}

#[test]
fn a_function_may_do_what_its_ports_need_and_nothing_else() {
    // The bounds of `handlers::validate_region::ValidateRegion`.
    let ports = ["ReadItems", "WriteItems", "DescribeInstance", "DescribeBucket", "DescribeKey"];
    let all = aws::actions::all();
    let mut needed: Vec<_> = ports
        .iter()
        .flat_map(|port| all.iter().filter(move |capability| capability.port == *port))
        .flat_map(|capability| capability.actions.iter().copied())
        .collect();
    needed.sort_unstable();
    needed.dedup();
    assert_eq!(allowed("ValidateRegionFunction"), needed);
}
