//! `msconv list`: what is live, once, again and again, or to pick from.

use super::Context;
use crate::base::{Failure, Kind, Outcome};
use crate::cli::{ListArgs, Printed};
use crate::manager::listing::list::Lister;
use crate::model::listing::{Listing, Stream};
use crate::ui::console::written;
use crate::ui::list_view;
use crate::ui::picker;
use crate::ui::redraw::Redraw;
use crate::ui::table::{Layout, Table};
use std::time::Duration;

/// Time between two looks of `--watch`.
const AGAIN: Duration = Duration::from_secs(2);

/// Runs it; the exit code.
pub fn run(context: &Context, args: &ListArgs) -> Outcome<u8> {
    if args.list {
        return pick(context, args);
    }
    if args.watch {
        return context.block_on(watch(context, args));
    }
    let listing = context.block_on(look(context, args))?;
    let console = &context.console;
    if console.json {
        console.data(&object(&listing)?)?;
    } else if console.quiet {
        let keys = list_view::keys(&listing);
        if !keys.is_empty() {
            console.data(&keys.join("\n"))?;
        }
    } else if listing.streams.is_empty() {
        console.talk(NOTHING);
    } else {
        console.data(&lines(context, args, &listing).join("\n"))?;
    }
    for note in &listing.notes {
        console.note(note);
    }
    Ok(0)
}

const NOTHING: &str = "nothing is live    (msconv publish -s stream1 -f video.mp4 starts a stream)";

async fn look(context: &Context, args: &ListArgs) -> Outcome<Listing> {
    Lister::new(&context.settings, &context.environment, args.all).look().await
}

fn pick(context: &Context, args: &ListArgs) -> Outcome<u8> {
    let console = &context.console;
    console.need_person("the picker", "msconv list -q    (prints the keys), then name one with -s KEY")?;
    let listing = context.block_on(look(context, args))?;
    if listing.streams.is_empty() {
        return Err(Failure::new(Kind::NotFound, "there is nothing to pick from: nothing is live")
            .hint("msconv publish -s stream1 -f video.mp4"));
    }
    let table = list_view::streams(&listing, context.settings.nginx_rtmp_url.application());
    let shown = table.lines(Layout::Terminal { width: usize::MAX, color: false });
    let rows: Vec<(String, String)> =
        listing.streams.iter().map(|s| s.key.clone()).zip(shown.into_iter().skip(1)).collect();
    let picked = match picker::pick(console, "pick a stream:", &rows) {
        Ok(index) => {
            listing.streams.get(index).ok_or_else(|| Failure::internal("the picker picked nothing"))?
        }
        // Leaving is no error worth a message: the person knows.
        Err(failure) if failure.kind() == Kind::Interrupted => return Ok(Kind::Interrupted.exit_code()),
        Err(failure) => return Err(failure),
    };
    let print = if console.json { Printed::Json } else { args.print };
    console.data(&match print {
        Printed::Key => picked.key.clone(),
        Printed::Url => url(context, picked)?,
        Printed::Json => serde_json::to_string(picked).map_err(unwritable)?,
    })?;
    Ok(0)
}

/// The RTSP URL of the best rendition, credentials included: it is asked for in order to be used.
fn url(context: &Context, stream: &Stream) -> Outcome<String> {
    let best = list_view::best(stream)
        .ok_or_else(|| Failure::new(Kind::NotFound, format!("{} has no variant to watch", stream.key)))?;
    let rtsp = &context.settings.rtsp_url;
    let ours = rtsp.has_secrets() && best.rtsp_url == rtsp.shown_name_url(&best.name);
    Ok(if ours { rtsp.name_url(&best.name) } else { best.rtsp_url.clone() })
}

async fn watch(context: &Context, args: &ListArgs) -> Outcome<u8> {
    let console = &context.console;
    let mut lister = Lister::new(&context.settings, &context.environment, args.all);
    let mut block = Redraw::new(console.out_terminal);
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    let mut again = tokio::time::interval(AGAIN);
    again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut noted = Vec::new();
    let mut first = true;
    loop {
        let looked = async {
            again.tick().await;
            lister.look_anyway().await
        };
        let (listing, failure) = tokio::select! {
            _ = &mut interrupted => return Ok(Kind::Interrupted.exit_code()),
            looked = looked => looked,
        };
        // Servers that are not there at all are an error; ones that go away meanwhile may come back.
        if let Some(failure) = failure.filter(|_| first) {
            return Err(failure);
        }
        first = false;
        if console.json {
            console.data(&object(&listing)?)?;
        } else {
            let mut frame = if console.quiet {
                list_view::keys(&listing).into_iter().map(str::to_string).collect()
            } else if listing.streams.is_empty() {
                vec!["nothing is live".to_string()]
            } else {
                lines(context, args, &listing)
            };
            if console.out_terminal && !console.quiet {
                frame.extend(
                    listing.notes.iter().map(|n| format!("{} {n}", console.paint_out("36", "note:"))),
                );
            }
            written(block.draw(&frame))?;
        }
        if (console.json || !console.out_terminal) && noted != listing.notes {
            listing.notes.iter().for_each(|note| console.note(note));
            noted = listing.notes;
        }
        if console.reader_gone() {
            return Ok(0);
        }
    }
}

fn lines(context: &Context, args: &ListArgs, listing: &Listing) -> Vec<String> {
    let application = context.settings.nginx_rtmp_url.application();
    let table: Table = if args.variants {
        list_view::renditions(listing, application)
    } else {
        list_view::streams(listing, application)
    };
    table.lines(context.console.layout())
}

/// The JSON of a listing, fields in the order of the schema.
fn object(listing: &Listing) -> Outcome<String> {
    #[derive(serde::Serialize)]
    struct Object<'a> {
        schema: &'static str,
        #[serde(flatten)]
        listing: &'a Listing,
    }
    serde_json::to_string(&Object { schema: "msconv.list/1", listing }).map_err(unwritable)
}

fn unwritable(error: serde_json::Error) -> Failure {
    Failure::internal("cannot write the listing as JSON").why(error.to_string())
}
