//! Small scenarios as text, and short words for what is read off a run.

use std::path::Path;

use testbed::scenario::Scenario;
use testbed::simulation::Simulation;

/// A Monday at midnight, UTC: where every story begins.
pub(crate) const START: &str = "2026-11-16T00:00:00Z";

/// What a story changes of the usual: one instance, two databases, one day, logs every two hours.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) seed: u64,
    pub(crate) every_minutes: u32,
    pub(crate) databases: String,
}

impl Story {
    pub(crate) fn calm() -> Self {
        Self { seed: 11, every_minutes: 120, databases: format!("{}{}", database("orders", 8.0), database("parts", 2.0)) }
    }

    pub(crate) fn text(&self) -> String {
        let Self { seed, every_minutes, databases } = self;
        format!(
            r#"
            name = "spine"
            seed = {seed}
            start = "{START}"
            days = 1
            [policy]
            name = "weekly"
            [policy.objectives]
            window_days = 7
            rpo_minutes = {{ damage = 10, instance = 300 }}
            [policy.schedule]
            time_zone = "Etc/UTC"
            full = {{ days = ["sun"], at = "01:00" }}
            log_copy = {{ every_minutes = {every_minutes} }}
            [vault]
            name = "main"
            bucket = "vault"
            prefix = "prod"
            [[instance]]
            name = "sales"
            multi_az = "single_az"
            backup_window = "03:00-03:30"
            maintenance_window = "sun:04:30-sun:05:00"
            retention_days = 7
            mib_per_second = 200
            {databases}
            "#
        )
    }

    pub(crate) fn simulation(&self) -> Simulation {
        Simulation::new(Scenario::parse(&self.text(), "spine.toml", Path::new("")).unwrap()).unwrap()
    }
}

pub(crate) fn database(name: &str, size_gib: f64) -> String {
    format!(
        "[[instance.database]]\nname = \"{name}\"\nsize_gib = {size_gib}\ntransactions_per_minute = 6\n"
    )
}
