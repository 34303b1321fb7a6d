//! What a scenario leaves to discovery: nothing is enrolled by hand then.

use domain::discovery::settings::Settings;
use serde::Deserialize;

use super::Scenario;

/// The settings, as far as a story sets them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscoverySpec {
    /// Tags that select instances, `key=value`.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Identifiers of instances, or patterns.
    #[serde(default)]
    pub instances: Vec<String>,
    /// Databases that are enrolled; all when absent.
    pub include: Option<Vec<String>>,
    /// Databases that are not.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Instances enrolled at once.
    pub instances_max: Option<u32>,
    /// Databases of an instance enrolled at once.
    pub enrol_max: Option<u32>,
    /// Databases of an instance let go at once.
    pub let_go_max: Option<u32>,
}

/// Name of the settings of a story.
pub const SETTINGS: &str = "all";

impl DiscoverySpec {
    /// The settings as they are stored.
    pub fn settings(&self, scenario: &Scenario) -> Settings {
        let mut settings = Settings::new(SETTINGS, &scenario.policy.name, &scenario.vault.name);
        (settings.tags, settings.instances) = (self.tags.clone(), self.instances.clone());
        settings.exclude.clone_from(&self.exclude);
        settings.include = self.include.clone().unwrap_or(settings.include);
        settings.instances_max = self.instances_max.unwrap_or(settings.instances_max);
        settings.enrol_max = self.enrol_max.unwrap_or(settings.enrol_max);
        settings.let_go_max = self.let_go_max.unwrap_or(settings.let_go_max);
        settings
    }

    pub(super) fn check(&self, scenario: &Scenario) -> Result<(), String> {
        if self.tags.is_empty() && self.instances.is_empty() {
            return Err("discovery: selects nothing: name tags or instances".to_owned());
        }
        match self.settings(scenario).findings().first() {
            Some(finding) => Err(finding.message.clone()),
            None => Ok(()),
        }
    }
}
