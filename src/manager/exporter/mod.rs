//! The exporter's page: the servers are asked and the supervisors' records read at each scrape, and what was found is
//! written in Prometheus' form. What does not answer in time is said by a metric; the page itself always comes.

pub mod names;
mod publishes;
mod renditions;
pub mod sheet;

use crate::base::clock::Now;
use crate::config::{Environment, Settings};
use crate::manager::listing::stream_facts;
use crate::manager::records::ours::{self, Survey};
use crate::process::blocking;
use crate::status::{self, Client, FetchError, Limits, SourceError, mediamtx};
use renditions::Memory;
use sheet::Sheet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, oneshot};

/// Bounds of one question at a server. Two answers at once, so that a whole look takes no longer than one.
const LIMITS: Limits =
    Limits { connect: Duration::from_secs(2), total: Duration::from_millis(2_500), body: 32 * 1024 * 1024 };
/// How long the records are waited for. They are small; a home on a file system that hangs would hold everything up.
const RECORDS: Duration = Duration::from_secs(3);
/// A page this young is given again: two scrapers do not double the work of the servers.
const YOUNG: Duration = Duration::from_millis(900);

/// How often which limit of the exporter's own endpoint was broken.
pub type BrokenLimits<'a> = &'a (dyn Fn() -> Vec<(&'static str, u64)> + Send + Sync);

/// Makes pages. Share it by `Arc`.
pub struct Exporter {
    settings: Settings,
    environment: Environment,
    client: Client,
    kept: Mutex<Kept>,
}

/// What is kept from one look to the next.
#[derive(Default)]
struct Kept {
    page: Option<(Instant, Arc<str>)>,
    memory: Memory,
    /// A reading of the records that has not come back yet. No second one is begun beside it.
    reading: Option<oneshot::Receiver<Survey>>,
}

impl Exporter {
    /// Over the servers and the home of these settings, and what the user's index names.
    pub fn new(settings: Settings, environment: Environment) -> Exporter {
        Exporter { settings, environment, client: Client::new(LIMITS), kept: Mutex::default() }
    }

    /// The page: within 3 s and a moment for writing, whatever the servers and the disk do.
    pub async fn page(&self, broken: BrokenLimits<'_>) -> Arc<str> {
        // Who comes while a look is under way waits for that one.
        let mut kept = self.kept.lock().await;
        if let Some((_, page)) = kept.page.as_ref().filter(|(at, _)| at.elapsed() < YOUNG) {
            return page.clone();
        }
        let page: Arc<str> = self.look(&mut kept, broken).await.into();
        kept.page = Some((Instant::now(), page.clone()));
        page
    }

    async fn look(&self, kept: &mut Kept, broken: BrokenLimits<'_>) -> String {
        let begun = Instant::now();
        let settings = &self.settings;
        let Kept { memory, reading, .. } = kept;
        let ((nginx, nginx_took), (mediamtx, mediamtx_took), survey) = tokio::join!(
            timed(status::nginx_snapshot(&self.client, &settings.nginx_stat_url)),
            timed(mediamtx::paths(&self.client, &settings.mediamtx_url)),
            self.records(reading),
        );
        let now = Now::read();
        let mut sheet = Sheet::default();
        server(&mut sheet, "nginx-rtmp", nginx.as_ref().err(), nginx_took);
        server(&mut sheet, "mediamtx", mediamtx.as_ref().err(), mediamtx_took);
        if let Ok(snapshot) = &nginx {
            sheet.add(&names::SERVER_INFO, &["nginx-rtmp", &snapshot.words()], 1.0);
        }
        let in_time = survey.is_some();
        let Survey { streams, unreadable, listed } = survey.unwrap_or_default();
        let (live, _) = stream_facts::gather(
            nginx.as_ref().ok(),
            mediamtx.as_deref().ok(),
            settings.nginx_rtmp_url.application(),
        );
        let rtmp = &settings.nginx_rtmp_url;
        let names_out = renditions::add(&mut sheet, &live, &streams, rtmp, memory, (now.mono, now.wall_ms));
        let streams_out = publishes::add(&mut sheet, &streams, now.wall_ms);
        sheet.add(&names::BUILD, &[env!("CARGO_PKG_VERSION")], 1.0);
        sheet.add(&names::LEFT_OUT, &[], names_out.saturating_add(streams_out) as f64);
        sheet.add(&names::HOME, &[], f64::from(u8::from(in_time && listed)));
        sheet.add(&names::UNREADABLE, &[], unreadable as f64);
        for (limit, count) in broken() {
            sheet.add(&names::LIMITS, &[limit], count as f64);
        }
        sheet.add(&names::COLLECT, &[], begun.elapsed().as_secs_f64());
        sheet.page()
    }

    /// The records, read on a thread that nobody has to wait for; `None` if it does not come back in time.
    async fn records(&self, reading: &mut Option<oneshot::Receiver<Survey>>) -> Option<Survey> {
        let answer = reading.get_or_insert_with(|| {
            let (settings, environment) = (self.settings.clone(), self.environment.clone());
            blocking::begin(move || ours::survey(&settings, &environment))
        });
        let survey = tokio::time::timeout(RECORDS, answer).await.ok()?;
        *reading = None;
        survey.ok()
    }
}

async fn timed<T>(asked: impl Future<Output = Result<T, SourceError>>) -> (Result<T, SourceError>, Duration) {
    let begun = Instant::now();
    let answer = asked.await;
    (answer, begun.elapsed())
}

fn server(sheet: &mut Sheet, name: &str, fault: Option<&SourceError>, took: Duration) {
    sheet.add(&names::SERVER_UP, &[name], f64::from(u8::from(fault.is_none())));
    sheet.add(&names::SERVER_ANSWER, &[name], took.as_secs_f64());
    if let Some(fault) = fault {
        sheet.add(&names::SERVER_FAULT, &[name, word(fault)], 1.0);
    }
}

/// One word for a fault: a label, so there are few of them.
fn word(fault: &SourceError) -> &'static str {
    match fault {
        SourceError::Parse(_) | SourceError::Json(_) | SourceError::Own(_) => "garbage",
        SourceError::Fetch(fault) => match fault {
            FetchError::Refused => "refused",
            FetchError::UnknownHost => "unknown_host",
            FetchError::Unreachable(_) => "unreachable",
            FetchError::TimedOut(_) => "timed_out",
            FetchError::ClosedEarly => "closed_early",
            FetchError::NotHttp => "not_http",
            FetchError::Status(401 | 403) => "not_allowed",
            FetchError::Status(_) => "http_status",
            FetchError::Redirect(_) => "redirect",
            FetchError::TooLarge(_) => "too_large",
            FetchError::Compressed(_) => "compressed",
            FetchError::Tls(_) => "tls",
            FetchError::Setup(_) => "setup",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layer;

    #[tokio::test(start_paused = true)]
    async fn a_home_that_hangs_does_not_hold_the_page_up() {
        let dir = tempfile::tempdir().unwrap();
        let environment = Environment::made(&[], dir.path());
        let settings = Settings::load(Layer::flags([]), &environment).unwrap();
        let exporter = Exporter::new(settings, environment);
        // A reading that does not come back.
        let (never, reading) = oneshot::channel();
        exporter.kept.lock().await.reading = Some(reading);
        let page = exporter.page(&Vec::new).await;
        assert!(page.contains("\nmsconv_exporter_home_readable 0\n"), "{page}");
        assert!(page.contains("msconv_server_up{server=\"nginx-rtmp\"}"), "{page}");
        assert!(exporter.kept.lock().await.reading.is_some(), "no second reading is begun beside it");
        // It comes back in the end.
        let _ = never.send(Survey { listed: true, ..Survey::default() });
        exporter.kept.lock().await.page = None;
        let page = exporter.page(&Vec::new).await;
        assert!(page.contains("\nmsconv_exporter_home_readable 1\n"), "{page}");
        assert!(exporter.kept.lock().await.reading.is_none());
        let again = exporter.page(&Vec::new).await;
        assert!(Arc::ptr_eq(&page, &again), "a young page is given again");
    }
}
