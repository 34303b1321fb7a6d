//! A bucket in another Region: nothing is asked of the server, people read the exact mismatch, and the run is tried again. And a
//! bucket of its own for copied logs.

use crate::story::{BUCKET, INSTANCE, Story, assert_well, at, day, instance, lease, minutes, runs};

#[test]
fn a_bucket_in_another_region_stops_the_run_until_it_is_right() {
    let mut story = Story::calm();
    story.bucket_region = "us-east-1";
    let mut simulation = story.simulation();
    simulation.run_until(at("00:50"));
    let bed = simulation.bed();
    assert_eq!(bed.world().tasks(INSTANCE).count(), 0, "nothing was asked of the server");
    let trouble = instance(bed).trouble.unwrap();
    assert_eq!(
        trouble.message,
        "Human: BucketInOtherRegion: bucket vault is in us-east-1, instance sales in eu-west-1; \
         use a bucket in the instance's Region and replicate from there"
    );
    assert_eq!(lease(bed).holder, None, "the lease was given back");
    let tries = runs(&mut simulation);
    assert_eq!(tries.len(), 3, "at 00:00, then a quarter of an hour later at the next five minutes");
    for run in &tries {
        assert!(matches!(&run.status, asl::Status::Failed { .. }), "{:?}", run.status);
    }
    for pair in tries.windows(2) {
        let pause = pair[1].started_at.duration_since(pair[0].ended_at.unwrap());
        assert!(pause >= minutes(15) && pause < minutes(21), "{pause:#}");
    }
    simulation
        .bed()
        .world_mut()
        .s3_mut()
        .configure(BUCKET, |bucket| bucket.region = "eu-west-1".to_owned())
        .unwrap();
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    assert_eq!(report.instances[0].runs["failed"], 3);
    assert_eq!(instance(simulation.bed()).trouble, None, "forgotten when it works");
}

#[test]
fn logs_are_copied_to_a_bucket_of_their_own() {
    let mut story = Story::calm();
    story.vault = "log_bucket = \"logs\"";
    let mut simulation = story.simulation();
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let bed = simulation.bed();
    assert_eq!(instance(bed).log_copy_target.as_deref(), Some("arn:aws:s3:::logs/prod/logs/sales"));
    let world = bed.world();
    let held = |bucket: &str| world.s3().list(bucket, "prod/", None, 1_000).unwrap().objects.len();
    assert_eq!(held(BUCKET), 2, "two fulls");
    assert!(held("logs") > 400, "{} log files of two databases", held("logs"));
}
