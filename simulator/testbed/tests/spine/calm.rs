//! t
use crate::story::Story;
use jiff::SignedDuration;

#[test]
#[expect(clippy::disallowed_methods, reason = "x")]
fn calm() {
    for every in [60, 120] {
    let mut story = Story::calm();
    story.every_minutes = every;
    let t = std::time::Instant::now();
    let mut s = story.simulation();
    println!("new {:?}", t.elapsed());
    let end = s.scenario().start + SignedDuration::from_mins(2*60);
    s.run_until(end);
    println!("{every} run {:?}", t.elapsed());
    let view = s.view().unwrap();
    println!("view {:?}", t.elapsed());
    let claims = testbed::report::windows::claims(&view);
    println!("claims {:?}", t.elapsed());
    let scenario = s.scenario().clone();
    let checked = testbed::checkers::all(&scenario, s.bed(), &view, &testbed::report::windows::bare(&claims));
    println!("checkers {:?}", t.elapsed());
    for c in checked { println!("{} {} {}", c.checker, c.looked_at, c.objections.len()); }
    for t in &view.done { println!("{} {} {}", t.key, t.attempt, serde_json::to_string(&t.state).unwrap()); }
    for t in &view.open { println!("{} {}", t.key, t.attempt); }
    for e in s.bed().executions() { println!("{} {} {:?}", e.machine, e.name, e.status);}
    }
}
