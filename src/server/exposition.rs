//! The two text formats of metrics: which of them a client asks for, and the older one made of the newer.

/// A format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsFormat {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus text 0.0.4.
    Plain,
}

impl MetricsFormat {
    /// The format that an `Accept` header asks for: plain text where it is named and liked at least as much as OpenMetrics.
    #[must_use]
    pub fn asked(accept: &str) -> MetricsFormat {
        let liked = |kind: &str| {
            let named = accept.split(',').filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                let name = parts.next()?;
                let q = parts.find_map(|part| part.strip_prefix("q="));
                let q: f64 = q.and_then(|q| q.parse().ok()).unwrap_or(1.0);
                name.eq_ignore_ascii_case(kind).then_some(q)
            });
            named.fold(0.0, f64::max)
        };
        let plain = liked("text/plain");
        match plain > 0.0 && plain >= liked("application/openmetrics-text") {
            true => MetricsFormat::Plain,
            false => MetricsFormat::OpenMetrics,
        }
    }

    /// The content type.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            MetricsFormat::OpenMetrics => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
            MetricsFormat::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// OpenMetrics text in this format.
    #[must_use]
    pub fn of(self, text: String) -> String {
        match self {
            MetricsFormat::OpenMetrics => text,
            MetricsFormat::Plain => plain(&text),
        }
    }
}

/// Plain text has no units and no end, and a counter's name there has its `_total`.
fn plain(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    let mut help = None;
    for line in text.lines() {
        if let Some(of) = line.strip_prefix("# HELP ") {
            help = of.split_once(' ');
        } else if let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|of| of.split_once(' '))
        {
            let total = if kind == "counter" { "_total" } else { "" };
            if let Some((_, says)) = help.take() {
                made.push_str(&format!("# HELP {name}{total} {says}\n"));
            }
            made.push_str(&format!("# TYPE {name}{total} {kind}\n"));
        } else if !line.starts_with('#') {
            made.push_str(line);
            made.push('\n');
        }
    }
    made
}
