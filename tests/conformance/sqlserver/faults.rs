//! What a connection that fails means: before a login, before a request, before, within and behind an answer.

use domain::request::CopyLogs;
use ports::server::{Fence, ReadClock, ReadTasks, SubmitTasks};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sqlserver::Options;
use tds::{Response, ResultSet, SqlType, Value};

use crate::answers::{Script, answer, column, message, rows, status, word};
use crate::wire::{Reply, Wire};

fn copy() -> CopyLogs {
    CopyLogs { database: "orders".to_owned(), kms_key_arn: None, first_seq: 7, last_seq: 19 }
}

#[test]
fn a_refused_login_is_for_people_and_keeps_the_secret() {
    for (number, severity, sentence, expected) in [
        (18_456, 14, "Login failed for user 'admin'.", "Human LoginFailed"),
        (
            18_488,
            14,
            "Login failed for user 'admin'. Reason: the password must be changed.",
            "Human PasswordMustChange",
        ),
        (18_401, 14, "Server is in script upgrade mode.", "transient"),
    ] {
        let refusal = Some(message(number, severity, sentence));
        let mut wire = Wire::new(Script { refusal, ..Script::default() });
        let fault = wire.open().map(|_| ()).unwrap_err();
        assert_eq!(word(&fault), expected, "{sentence}");
    }
}

#[test]
fn a_server_without_encryption_gets_no_password() {
    // As deployed, but for the timeouts: they run on the wall clock.
    let options = Options { command_timeout: None, handshake_timeout: None, ..Options::default() };
    let mut wire = Wire::new(Script::default());
    assert_eq!(word(&wire.open_with(options).map(|_| ()).unwrap_err()), "Human TlsMissing");
}

#[test]
fn a_server_that_cannot_be_written_to_was_never_asked() {
    let mut wire = Wire::new(Script::default());
    let mut session = wire.open().unwrap();
    wire.refuse_writes();
    assert_eq!(word(&wire.drive(session.copy_logs(&copy())).unwrap_err()), "transient");
    // The session is of no use any more, and says so without sending anything.
    assert_eq!(word(&wire.drive(session.copy_logs(&copy())).unwrap_err()), "transient");
    assert!(wire.server.seen.is_empty());

    let mut wire = Wire::new(Script::default());
    wire.refuse_writes();
    assert_eq!(word(&wire.open().map(|_| ()).unwrap_err()), "transient");
}

#[test]
fn an_answer_cut_anywhere_is_unknown_for_a_change_and_transient_for_a_read() {
    let response = Response {
        results: vec![rows(&[("task_id", SqlType::Int)], vec![vec![Value::Int(17)]])],
        status: Some(0),
        ..Response::default()
    };
    let moments = Response {
        results: vec![rows(
            &[("utc_now", SqlType::DateTime2(7)), ("local_now", SqlType::DateTime2(7))],
            vec![vec![Value::DateTime(0), Value::DateTime(0)]],
        )],
        ..Response::default()
    };
    for bytes in 0..100 {
        let mut wire = Wire::new(Script::new([Reply::Cut(response.clone(), bytes)]));
        let mut session = wire.open().unwrap();
        assert_eq!(word(&wire.drive(session.copy_logs(&copy())).unwrap_err()), "unknown", "{bytes}");
        assert_eq!(word(&wire.drive(session.clock()).unwrap_err()), "transient", "{bytes}");

        let mut wire = Wire::new(Script::new([Reply::Cut(moments.clone(), bytes)]));
        let mut session = wire.open().unwrap();
        assert_eq!(word(&wire.drive(session.clock()).unwrap_err()), "transient", "{bytes}");
    }
    let mut wire = Wire::new(Script::new([Reply::Hang]));
    let mut session = wire.open().unwrap();
    assert_eq!(word(&wire.drive(session.lock("bakproof")).unwrap_err()), "transient");
}

#[test]
fn a_session_goes_on_after_an_error_and_after_a_row_it_could_not_read() {
    let absurd = rows(&[("task_info", SqlType::Int)], vec![vec![Value::Int(1)], vec![Value::Int(2)]]);
    let good = rows(&[("task_info", SqlType::NVarChar(None))], vec![vec![Value::Text("fine".to_owned())]]);
    let refused = Reply::Answer(Response {
        error: Some(message(229, 14, "The SELECT permission was denied on the object 'x'")),
        ..Response::default()
    });
    let mut wire = Wire::new(Script::new([refused, answer(absurd), status(None), answer(good)]));
    let mut session = wire.open().unwrap();
    let mut told = || wire.drive(session.task_info(17)).map_err(|fault| word(&fault));
    assert_eq!(told(), Err("Human PermissionDenied".to_owned()));
    assert_eq!(told(), Err("Human RowUnreadable".to_owned()));
    assert_eq!(told(), Err("Never TaskMissing".to_owned()));
    assert_eq!(told(), Ok("fine".to_owned()));
}

fn any_value() -> impl Strategy<Value = (SqlType, Value)> {
    prop_oneof![
        any::<bool>().prop_map(|bit| (SqlType::Bit, Value::Bit(bit))),
        any::<i64>().prop_map(|number| (SqlType::BigInt, Value::Int(number))),
        any::<u8>().prop_map(|number| (SqlType::TinyInt, Value::Int(number.into()))),
        "\\PC{0,20}".prop_map(|text| (SqlType::NVarChar(None), Value::Text(text))),
        (-999_i128..1 << 100, 0_u8..9).prop_map(|(mantissa, scale)| (
            SqlType::Numeric { precision: 38, scale },
            Value::Numeric { mantissa, scale }
        )),
        (0_i128..4_000_000_000).prop_map(|s| (SqlType::DateTime, Value::DateTime(s * 1_000_000_000))),
        any::<[u8; 16]>().prop_map(|guid| (SqlType::UniqueIdentifier, Value::Guid(guid))),
        Just((SqlType::Int, Value::Null)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(21),
        ..ProptestConfig::with_cases(128)
    })]

    /// Any row under the right names is read or refused, and the next request is answered.
    #[test]
    fn no_row_makes_the_adapter_panic(values in prop::collection::vec(any_value(), 8)) {
        const NAMES: [&str; 8] = [
            "task_id", "task_type", "database_name", "lifecycle", "percent_complete", "last_updated", "created_at",
            "S3_object_arn",
        ];
        let columns = NAMES.iter().zip(&values).map(|(name, (kind, _))| column(name, *kind)).collect();
        let row = values.into_iter().map(|(_, value)| value).collect();
        let set = ResultSet { columns, rows: vec![row], affected: None };
        let mut wire = Wire::new(Script::new([answer(set), status(None)]));
        let mut session = wire.open().unwrap();
        if let Err(fault) = wire.drive(session.tasks(1)) {
            prop_assert_eq!(word(&fault), "Human RowUnreadable");
        }
        prop_assert_eq!(wire.drive(session.tasks(1)), Ok(Vec::new()));
    }
}
