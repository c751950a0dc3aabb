//! Figures of whoever has the calls, for Prometheus.

use std::fmt::Write as _;

/// A figure, with its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Its name, without the prefix `switchboard_`.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// Whether it is a sum since the start, rather than how things stand.
    pub counts: bool,
    /// The values; more than one are told apart by a label, its name and its value.
    pub values: Vec<(Option<(&'static str, &'static str)>, f64)>,
}

impl Figure {
    /// A sum since the start, by what `label` tells apart.
    pub fn sums(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: &[(&'static str, u64)],
    ) -> Self {
        let values = values.iter();
        Self {
            name,
            help,
            counts: true,
            values: values
                .map(|&(value, sum)| (Some((label, value)), sum as f64))
                .collect(),
        }
    }

    /// The figure in Prometheus' text format 0.0.4.
    pub(crate) fn text(&self) -> String {
        let Self { name, help, .. } = self;
        let kind = match self.counts {
            true => "counter",
            false => "gauge",
        };
        let mut text =
            format!("# HELP switchboard_{name} {help}\n# TYPE switchboard_{name} {kind}\n");
        for (label, value) in &self.values {
            // Writing to a string can't fail.
            let _ = match label {
                Some((label, of)) => {
                    writeln!(text, "switchboard_{name}{{{label}=\"{of}\"}} {value}")
                }
                None => writeln!(text, "switchboard_{name} {value}"),
            };
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_has_prometheus_form() {
        let sums = [("accepted", 3), ("busy", 0)];
        let requests = Figure::sums("requests_total", "What came.", "outcome", &sums);
        insta::assert_snapshot!(requests.text(), @r#"
        # HELP switchboard_requests_total What came.
        # TYPE switchboard_requests_total counter
        switchboard_requests_total{outcome="accepted"} 3
        switchboard_requests_total{outcome="busy"} 0
        "#);
        let late = Figure {
            name: "late_seconds",
            help: "How late.",
            counts: false,
            values: vec![(None, 0.0025)],
        };
        assert!(late.text().ends_with("\nswitchboard_late_seconds 0.0025\n"));
    }
}
