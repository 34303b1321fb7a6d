//! What the loader refuses, as a table: each row spoils one machine that loads, and names the state, the field and a part
//! of the sentence of the one refusal that must come.

use std::collections::BTreeMap;

use asl::{Machine, Refusal};
use serde_json::{Value, json};

const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:work";

/// The table: a machine with one state of each type, and the ways to spoil it.
#[derive(serde::Deserialize)]
struct Table {
    sound: Value,
    /// Pointer into the machine; the value put there (null removes); state and field of the refusal; part of its sentence.
    spoilers: Vec<(String, Value, String, String, String)>,
}

fn table() -> Table {
    serde_json::from_str(include_str!("refusals.json")).expect("the table is JSON")
}

fn load(definition: &Value) -> Result<Machine, Vec<Refusal>> {
    Machine::parse("m", &definition.to_string(), &BTreeMap::new())
}

/// A machine of one state called `S`, and `T` which succeeds and is reached from it by `Next`.
fn single(state: &Value) -> Value {
    json!({"StartAt": "S", "States": {"S": state, "T": {"Type": "Succeed"}}})
}

#[test]
fn the_sound_machine_loads() {
    let machine = load(&table().sound).expect("nothing stands against it");
    assert_eq!(machine.name(), "m");
    assert_eq!(machine.timeout_seconds(), Some(60));
    assert_eq!(machine.states().len(), 10);
    assert_eq!(machine.functions().into_iter().collect::<Vec<_>>(), [FUNCTION]);
}

#[test]
fn each_spoiled_machine_is_refused_by_name() {
    let table = table();
    for (pointer, value, state, field, part) in table.spoilers {
        let mut definition = table.sound.clone();
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        match definition.pointer_mut(parent).expect(&pointer) {
            Value::Object(object) if value.is_null() => drop(object.remove(key)),
            Value::Object(object) => drop(object.insert(key.to_owned(), value.clone())),
            Value::Array(items) => items[key.parse::<usize>().expect("a position")] = value.clone(),
            other => panic!("{pointer}: {other}"),
        }
        let refusals = load(&definition).expect_err(&pointer);
        let hit = refusals
            .iter()
            .any(|r| r.machine == "m" && r.state == state && r.field == field && r.why.contains(&part));
        assert!(hit, "{pointer} = {value}: wanted `{state}`, `{field}`, {part}; found {refusals:#?}");
    }
}

#[test]
fn all_findings_come_together() {
    let definition = single(&json!({"Type": "Task", "Resource": "x", "Extra": 1, "Next": "Nowhere"}));
    let refusals = load(&definition).expect_err("spoiled");
    let fields: Vec<&str> = refusals.iter().map(|refusal| refusal.field.as_str()).collect();
    assert_eq!(fields, ["Resource", "Next", "Extra"]);
    assert_eq!(
        refusals[2].to_string(),
        "machine `m`, state `S`, field `Extra`: not implemented here, or unknown"
    );
}

#[test]
fn a_loop_without_an_end_is_refused() {
    let definition = json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Wait", "Seconds": 1, "Next": "A"}}});
    let refusals = load(&definition).expect_err("no end");
    assert_eq!(
        (refusals.len(), refusals[0].state.as_str(), refusals[0].why.as_str()),
        (1, "A", "no way from here leads to an end")
    );
}

#[test]
fn texts_that_are_no_definition() {
    let table = [
        ("", "not JSON"),
        ("[1]", "a JSON object"),
        (
            r#"{"StartAt": "A", "States": {"A": {"Type": "Succeed"}, "A": {"Type": "Fail"}}}"#,
            "`A` is named twice",
        ),
        (r#"{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}} x"#, "not JSON"),
        (r#"{"StartAt": "A", "States": {"A": 7}}"#, "a state is an object"),
        (r#"{"StartAt": "A", "States": {}}"#, "there is no state `A`"),
        (
            r#"{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "${Work}", "End": true}}}"#,
            "placeholder `${Work}` has no value",
        ),
        (r#"{"Comment": "${"#, "`${` without `}`"),
    ];
    for (text, part) in table {
        let refusals = Machine::parse("m", text, &BTreeMap::new()).expect_err(text);
        assert!(refusals.iter().any(|refusal| refusal.why.contains(part)), "{text}: {refusals:?}");
    }
    assert!(
        Machine::parse("a name", "{}", &BTreeMap::new()).is_err_and(|r| r[0].why.contains("not allowed"))
    );
}

#[test]
fn substitutions_fill_the_text_once() {
    let text = r#"{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "${WorkFunctionArn}", "TimeoutSeconds": ${Limit}, "End": true}}}"#;
    let mut values = BTreeMap::from([
        ("WorkFunctionArn".to_owned(), FUNCTION.to_owned()),
        ("Limit".to_owned(), "30".to_owned()),
    ]);
    let machine = Machine::parse("m", text, &values).expect("filled");
    assert!(machine.functions().contains(FUNCTION));
    // A value that looks like a placeholder stays as it is, and is no ARN.
    values.insert("WorkFunctionArn".to_owned(), "${Limit}".to_owned());
    let refusals = Machine::parse("m", text, &values).expect_err("no ARN");
    assert!(refusals[0].why.contains("`${Limit}` is not implemented"), "{refusals:?}");
}
