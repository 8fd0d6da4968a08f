//! `msconv top`: the load, drawn again and again, once as text, or as JSON.

use super::Context;
use super::api::{self, Api};
use crate::base::{Failure, Kind, Outcome, clock};
use crate::cli::TopArgs;
use crate::config::{Environment, Settings};
use crate::manager::listing::list::own_web_port;
use crate::manager::listing::listed_urls::page_in_web;
use crate::manager::play::{Address, browser};
use crate::manager::streams::stop::{self, Stopped};
use crate::model::StreamKey;
use crate::platform::load::moment::{Moment, Step};
use crate::ui::top::terminal::Screen;
use crate::ui::top::{Act, Top, page};
use axum::http::Method;
use serde_json::Value;
use std::io::{PipeWriter, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;
use tokio::sync::mpsc;

/// Between two looks; the server has a new one every two seconds.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// Seconds that are drawn of the past.
const PAST: u64 = 120;
/// What may wait on its way to and fro.
const WAITING: usize = 16;

/// Runs it; the exit code.
pub fn run(context: &Context, args: &TopArgs) -> Outcome<u8> {
    let interval = interval(&args.interval)?;
    let console = &context.console;
    if console.json {
        let load = context.block_on(async {
            Api::running(&context.settings).await?.call(Method::GET, "/api/v1/load", None).await
        })?;
        console.object(&api::with_schema("msconv.load/1", load))?;
        return Ok(0);
    }
    if args.once || !console.out_terminal || !console.interactive {
        let (moment, past) = context.block_on(async {
            let api = Api::running(&context.settings).await?;
            Ok((look(&api).await?, past(&api).await))
        })?;
        console.data(&page(&moment, &past, console.layout()).join("\n"))?;
        return Ok(0);
    }
    // Whoever cannot be asked is told before the screen is taken.
    context.block_on(async { Api::running(&context.settings).await.map(drop) })?;
    interactive(context, interval)?;
    Ok(0)
}

fn interval(text: &str) -> Outcome<Duration> {
    let wrong = |why: String| Failure::usage(format!("--interval: '{text}'")).why(why);
    let interval = clock::parse_duration(text).map_err(wrong)?;
    if !(SHORTEST..=LONGEST).contains(&interval) {
        return Err(wrong("it is between 1s and 60s".into()));
    }
    Ok(interval)
}

async fn look(api: &Api) -> Outcome<Moment> {
    read(api.call(Method::GET, "/api/v1/load", None).await?)
}

fn read<T: serde::de::DeserializeOwned>(answer: Value) -> Outcome<T> {
    serde_json::from_value(answer)
        .map_err(|e| Failure::new(Kind::Server, "the server's load cannot be read").why(e.to_string()))
}

/// What was before; nothing is worse for not knowing it.
async fn past(api: &Api) -> Vec<Step> {
    let path = format!("/api/v1/load/history?seconds={PAST}");
    let answer = api.call(Method::GET, &path, None).await.ok();
    answer.and_then(|mut history| read(history.get_mut("items")?.take()).ok()).unwrap_or_default()
}

/// What the one who asks the server tells.
enum News {
    Past(Vec<Step>),
    Look(Box<Result<Moment, String>>),
    Done(String),
}

fn interactive(context: &Context, interval: Duration) -> Outcome<()> {
    let failed = |e: std::io::Error| Failure::internal("cannot start").why(e.to_string());
    // First the terminal, so that its signals come to this thread alone.
    let screen = Screen::open()?;
    let (mut wake, waker) = std::io::pipe().map_err(failed)?;
    let (tell, told) = sync_channel(WAITING);
    let (order, orders) = mpsc::channel(WAITING);
    let asking = Asking {
        settings: context.settings.clone(),
        environment: context.environment.clone(),
        interval,
        tell,
        waker,
    };
    std::thread::Builder::new().name("asking".into()).spawn(move || asking.run(orders)).map_err(failed)?;
    let mut top = Top::new(context.console.color_out);
    screen.run(
        &mut top,
        &mut wake,
        |top| take(top, &told),
        |top, act| {
            if order.try_send(act).is_err() {
                top.say("still busy with what was asked before");
            }
        },
    )
}

fn take(top: &mut Top, told: &Receiver<News>) {
    for news in told.try_iter() {
        match news {
            News::Past(steps) => top.remember(steps),
            News::Look(look) => top.take(look.map(Arc::new)),
            News::Done(words) => top.say(&words),
        }
    }
}

/// Asks the server, and does what is asked for, on a thread of its own: the keys never wait for it.
struct Asking {
    settings: Settings,
    environment: Environment,
    interval: Duration,
    tell: SyncSender<News>,
    waker: PipeWriter,
}

impl Asking {
    fn run(mut self, mut orders: mpsc::Receiver<Act>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            let mut again = tokio::time::interval(self.interval);
            again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut api = None;
            loop {
                let told = tokio::select! {
                    _ = again.tick() => self.look(&mut api).await,
                    act = orders.recv() => match act {
                        Some(act) => {
                            let words = self.act(act).await;
                            self.tell(News::Done(words))
                        }
                        None => return,
                    },
                };
                if told.is_none() {
                    return;
                }
            }
        });
    }

    /// One look; the server may have moved to another port, so it is looked for anew when it is gone.
    async fn look(&mut self, api: &mut Option<Api>) -> Option<()> {
        let first = api.is_none();
        let looked = async {
            if api.is_none() {
                *api = Some(Api::running(&self.settings).await?);
            }
            let api = api.as_ref().ok_or_else(|| Failure::internal("there is no server"))?;
            Ok::<_, Failure>((look(api).await?, if first { past(api).await } else { Vec::new() }))
        };
        match looked.await {
            Ok((moment, past)) => {
                if first {
                    self.tell(News::Past(past))?;
                }
                self.tell(News::Look(Box::new(Ok(moment))))
            }
            Err(failure) => {
                *api = None;
                self.tell(News::Look(Box::new(Err(failure.what().to_string()))))
            }
        }
    }

    /// None when nobody listens any more.
    fn tell(&mut self, news: News) -> Option<()> {
        match self.tell.try_send(news) {
            // Whoever was stopped for a while does not need every look.
            Ok(()) | Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => return None,
        }
        self.waker.write_all(b".").ok()
    }

    /// What came of it, in words.
    async fn act(&self, act: Act) -> String {
        match act {
            Act::Open(name, application) => self.open(&name, &application).await,
            Act::Stop(name) => self.stop(&name).await,
            Act::Draw | Act::Leave | Act::Suspend => String::new(),
        }
    }

    async fn open(&self, name: &str, application: &str) -> String {
        let Some(web) = own_web_port(&self.settings).await else { return "the server has no pages".into() };
        let url = page_in_web(&web, application, name);
        let page = Address { url: url.clone(), shown: url.clone() };
        match browser::open(&page, &self.environment).await {
            Ok(program) => format!("{} shows {url}", program.display()),
            Err(why) => format!("{url} ({why})"),
        }
    }

    async fn stop(&self, name: &str) -> String {
        let Ok(key) = name.parse::<StreamKey>() else { return format!("{name} is no stream of ours") };
        match stop::stop(&self.settings, &self.environment, &key, self.settings.stop_timeout).await {
            Ok(Stopped::Ended(end)) => format!("{key}: stopped in {}", clock::spoken(end.took)),
            Ok(Stopped::NotRunning(failure) | Stopped::NotOurs(failure)) | Err(failure) => {
                failure.what().to_string()
            }
        }
    }
}
