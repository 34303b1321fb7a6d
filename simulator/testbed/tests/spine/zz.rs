//! t
use crate::story::{Story, at, database};
#[test]
#[expect(clippy::disallowed_methods, reason = "x")]
fn timing() {
    let mut story = Story::calm();
    story.every_minutes = 60;
    story.databases = database("orders", 1) + &database("parts", 1);
    for _ in 0..3 {
        let t = std::time::Instant::now();
        let mut s = story.simulation();
        print!("new {:?}", t.elapsed());
        for m in ["00:01","00:04", "00:10", "00:12","00:20", "01:00", "01:10", "01:25"] { s.run_until(at(m)); print!(" {m} {:?} {:?};", t.elapsed(), s.bed().counts().sql_requests); }
        println!();
    }
}
