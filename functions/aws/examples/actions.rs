//! Prints the IAM actions behind each port as JSON, `{"ReadItems": ["dynamodb:GetItem", ..], ..}`, for tests of whole processes.

use std::collections::BTreeMap;

fn main() -> Result<(), serde_json::Error> {
    let ports: BTreeMap<_, _> = aws::actions::all().iter().map(|port| (port.port, port.actions)).collect();
    println!("{}", serde_json::to_string(&ports)?);
    Ok(())
}
