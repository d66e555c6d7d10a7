//! The web dashboard: its files, embedded in the program, and how a browser gets them. What they do is said in their
//! own first lines; `dashboard/app.js` is where they start.
//!
//! Each file is packed once, when it is first asked for. A browser keeps it, and asks each time whether it is still
//! the same one (`ETag`): pages and program are always of one version.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::sync::{LazyLock, OnceLock};

/// What the pages may load: the server's own files, and no script that stands in a page or is made of text. They may
/// ask this server and no other, and nothing may frame them.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// A file of the dashboard.
pub struct DashboardFile {
    /// Where it is.
    pub path: &'static str,
    kind: &'static str,
    plain: &'static [u8],
    packed: OnceLock<PackedFile>,
}

/// What is found out of a file once.
struct PackedFile {
    tag: Option<HeaderValue>,
    /// `None`: packing saves next to nothing.
    gzip: Option<Bytes>,
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Declares the table of files.
macro_rules! files {
    ($($name:literal $kind:expr;)*) => {
        /// All files but the page itself.
        pub static FILES: LazyLock<Vec<DashboardFile>> = LazyLock::new(|| vec![$(DashboardFile::new(
            concat!("/dashboard/", $name),
            $kind,
            include_bytes!(concat!("dashboard/", $name)),
        )),*]);
    };
}

files! {
    "api.js" SCRIPT;
    "app.js" SCRIPT;
    "casefile.js" SCRIPT;
    "channel.js" SCRIPT;
    "channels.js" SCRIPT;
    "dom.js" SCRIPT;
    "evidence.js" SCRIPT;
    "live.js" SCRIPT;
    "load.js" SCRIPT;
    "missed.js" SCRIPT;
    "model.js" SCRIPT;
    "moments.js" SCRIPT;
    "occupancy.js" SCRIPT;
    "paint.js" SCRIPT;
    "place.js" SCRIPT;
    "roster.js" SCRIPT;
    "theme.js" SCRIPT;
    "timeline.js" SCRIPT;
    "times.js" SCRIPT;
    "style.css" STYLE;
    "parts.css" STYLE;
    "icon.svg" "image/svg+xml";
    "inter.woff2" "font/woff2";
}

/// Where the page is.
pub const PATH: &str = "/";

static PAGE: LazyLock<DashboardFile> = LazyLock::new(|| {
    let page = include_bytes!("dashboard/index.html");
    DashboardFile::new(PATH, "text/html; charset=utf-8", page)
});

/// `GET /`.
pub async fn page(asked: HeaderMap) -> Response {
    PAGE.answer(&asked)
}

impl PackedFile {
    fn of(plain: &[u8]) -> PackedFile {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let gzip = encoder.write_all(plain).and_then(|()| encoder.finish());
        let enough = plain.len() / 10 * 9;
        let smaller = gzip.ok().filter(|gzip| gzip.len() < enough);
        let hash = blake3::hash(plain).to_hex();
        let tag: String = hash.chars().take(32).collect();
        PackedFile {
            // Weak: packed or not, it is the same file.
            tag: HeaderValue::from_str(&format!("W/\"{tag}\"")).ok(),
            gzip: smaller.map(Bytes::from),
        }
    }
}

impl DashboardFile {
    fn new(path: &'static str, kind: &'static str, plain: &'static [u8]) -> DashboardFile {
        DashboardFile {
            path,
            kind,
            plain,
            packed: OnceLock::new(),
        }
    }

    fn packed(&self) -> &PackedFile {
        self.packed.get_or_init(|| PackedFile::of(self.plain))
    }

    /// The answer to a request with these headers.
    pub fn answer(&self, asked: &HeaderMap) -> Response {
        let mut response = match &self.packed().tag {
            Some(tag)
                if names(asked, header::IF_NONE_MATCH, |one| {
                    one.as_bytes() == tag.as_bytes()
                }) =>
            {
                StatusCode::NOT_MODIFIED.into_response()
            }
            _ => self.body(asked),
        };
        let headers = response.headers_mut();
        let fixed = [
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::VARY, "accept-encoding"),
        ];
        for (name, value) in fixed {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Some(tag) = &self.packed().tag {
            headers.insert(header::ETAG, tag.clone());
        }
        response
    }

    fn body(&self, asked: &HeaderMap) -> Response {
        let kind = (header::CONTENT_TYPE, self.kind);
        match &self.packed().gzip {
            Some(gzip) if names(asked, header::ACCEPT_ENCODING, is_gzip) => {
                ([kind, (header::CONTENT_ENCODING, "gzip")], gzip.clone()).into_response()
            }
            _ => ([kind], self.plain).into_response(),
        }
    }
}

/// Whether a header's list has such an item.
fn names(asked: &HeaderMap, header: HeaderName, is: impl Fn(&str) -> bool) -> bool {
    let values = asked.get_all(header);
    let texts = values.iter().filter_map(|value| value.to_str().ok());
    texts
        .flat_map(|text| text.split(','))
        .any(|one| is(one.trim()))
}

/// Whether an item of `Accept-Encoding` allows gzip; `q=0` forbids it.
fn is_gzip(item: &str) -> bool {
    let mut parts = item.split(';').map(str::trim);
    let named = parts
        .next()
        .is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
    let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
    named && weight.is_none_or(|weight| weight > 0.0)
}
