//! Prints the trace of each case file named on the command line, one JSON object a line: `{"case":..,"trace":..}`, or
//! `{"case":..,"refused":..}` where the machine can not be loaded or run. `tests/conformance/asl/compare.py` reads it.

use std::process::ExitCode;

use serde_json::json;

fn main() -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for path in std::env::args().skip(1) {
        let case = std::fs::read_to_string(&path).map_err(|error| error.to_string()).and_then(|text| {
            serde_json::from_str::<asl::script::Case>(&text).map_err(|error| error.to_string())
        });
        match case {
            Ok(case) => match case.run() {
                Ok(trace) => println!("{}", json!({"case": case.name, "trace": trace})),
                Err(why) => println!("{}", json!({"case": case.name, "refused": why})),
            },
            Err(error) => {
                eprintln!("{path}: {error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}
