//! The frame of a picture: its size, colours and description; and text that is safe in XML. Colours come in classes, which
//! many programs understand, and not in variables.

use crate::cli::moment::WallClock;
use crate::cli::timeline::axis::{self, AxisMark};
use crate::cli::timeline::span::TimelineSpan;
use std::fmt::Write;

/// The width of a picture, and the space around what it shows.
pub(super) const WIDTH: f64 = 1_000.0;
pub(super) const MARGIN: f64 = 16.0;
/// A character of the axis, roughly; labels are set apart by it.
const CHARACTER: f64 = 7.0;

/// Each class with its colours, light and dark.
const STYLE: &str = "\
text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif;fill:#1f2328}\
.head{font-size:16px;font-weight:600}.topic{font-weight:600}.faint{fill:#59636e}.end{text-anchor:end}.middle{text-anchor:middle}\
.paper{fill:#fff}.line{stroke:#d1d9e0;fill:none}.row{stroke:#eff2f5;fill:none}\
.sure{fill:#0969da}.hatch{stroke:#0969da;fill:none}.edge{stroke:#0969da;fill:none}.maybe{fill:#0969da;fill-opacity:.28}\
.sure-stop{stop-color:#0969da;stop-opacity:.75}.none-stop{stop-color:#0969da;stop-opacity:.06}\
.gap{fill:#9a6700;fill-opacity:.13}.gap-hatch{stroke:#9a6700;stroke-opacity:.4;fill:none}.gap-name{fill:#9a6700}\
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.faint{fill:#9198a1}.paper{fill:#0d1117}.line{stroke:#3d444d}\
.row{stroke:#1c2128}.sure{fill:#4493f8}.hatch,.edge{stroke:#4493f8}.maybe{fill:#4493f8}\
.sure-stop,.none-stop{stop-color:#4493f8}.gap{fill:#d29922}.gap-hatch{stroke:#d29922}.gap-name{fill:#d29922}}";

/// Patterns and fades.
const DEFS: &str = "<defs>\
<pattern id=\"assumed\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
<rect class=\"maybe\" width=\"5\" height=\"5\"/><line class=\"hatch\" stroke-width=\"4\" y2=\"5\"/></pattern>\
<pattern id=\"unwatched\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(-45)\">\
<rect class=\"gap\" width=\"6\" height=\"6\"/><line class=\"gap-hatch\" stroke-width=\"1\" y2=\"6\"/></pattern>\
<linearGradient id=\"comes\"><stop class=\"none-stop\"/><stop class=\"sure-stop\" offset=\"1\"/></linearGradient>\
<linearGradient id=\"goes\"><stop class=\"sure-stop\"/><stop class=\"none-stop\" offset=\"1\"/></linearGradient>\
</defs>";

/// A picture that is being drawn. Writing to a string cannot fail, so the results of `write!` are passed over.
pub(super) struct SvgPaper {
    body: String,
}

impl SvgPaper {
    pub fn new() -> SvgPaper {
        SvgPaper {
            body: String::new(),
        }
    }

    pub fn rect(&mut self, paint: &str, [x, y, width, height]: [f64; 4]) {
        let _ = write!(
            self.body,
            "<rect {paint} x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        );
    }

    pub fn line(&mut self, class: &str, [x1, y1, x2, y2]: [f64; 4]) {
        let _ = write!(
            self.body,
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        );
    }

    pub fn path(&mut self, class: &str, data: &str) {
        let _ = write!(self.body, "<path class=\"{class}\" d=\"{data}\"/>");
    }

    pub fn text(&mut self, class: &str, [x, y]: [f64; 2], text: &str) {
        let text = escaped(text);
        let _ = write!(
            self.body,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"
        );
    }

    /// Draws another picture over this one.
    pub fn append(&mut self, other: SvgPaper) {
        self.body.push_str(&other.body);
    }

    /// A group whose title shows when the pointer rests on it.
    pub fn group(&mut self, title: &str, draw: impl FnOnce(&mut SvgPaper)) {
        let _ = write!(self.body, "<g><title>{}</title>", escaped(title));
        draw(self);
        self.body.push_str("</g>\n");
    }

    /// The marks of a time axis between two heights; `left` and `right` are its ends. Labels stand above `top`.
    pub fn axis(
        &mut self,
        span: TimelineSpan,
        wall: WallClock,
        [left, right, top, bottom]: [f64; 4],
    ) {
        // As many marks as a span would have whose columns are as wide as a character.
        let characters = span.columns() as f64 * CHARACTER / (right - left);
        let marks = axis::marks(span, wall, (characters.ceil() as usize).max(1));
        for AxisMark { at, label, date } in marks {
            let x = place(span, at, left, right);
            self.line("line", [x, top, x, bottom]);
            self.text("faint middle", [x, top - 5.0], &label);
            if let Some(date) = date.filter(|date| date.to_string() != label) {
                self.text("faint middle", [x, top - 19.0], &date.to_string());
            }
        }
    }

    /// The whole file.
    pub fn finish(self, height: f64, title: &str, description: &str) -> String {
        let (title, description) = (escaped(title), escaped(description));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height:.0}\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
             role=\"img\" aria-labelledby=\"title description\">\n<title id=\"title\">{title}</title>\n\
             <desc id=\"description\">{description}</desc>\n<style>{STYLE}</style>\n{DEFS}\n\
             <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n{}\n</svg>\n",
            self.body
        )
    }
}

/// Where a moment stands between two ends.
pub(super) fn place(span: TimelineSpan, at: i64, left: f64, right: f64) -> f64 {
    let part = (at - span.from()) as f64 / (span.to() - span.from()) as f64;
    left + part * (right - left)
}

/// A text for XML. What XML does not allow becomes a replacement character.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {
                safe.push('\u{fffd}')
            }
            c => safe.push(c),
        }
    }
    safe
}
