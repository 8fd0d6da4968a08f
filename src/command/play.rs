//! `msconv play`.

use super::{Context, signals};
use crate::base::clock::{parse_duration, spoken};
use crate::base::printable::printable;
use crate::base::secret::Redactor;
use crate::base::{Failure, Kind, Outcome};
use crate::cli::PlayArgs;
use crate::config::choices::Protocol;
use crate::config::from_file::parse_key;
use crate::manager::listing::list::Lister;
use crate::manager::play::outcome::{Verdict, judge};
use crate::manager::play::{self, PlayPlan, Selection, Target, browser, selection};
use crate::model::listing::{Listing, RenditionInfo, Stream};
use crate::process::player_run;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// How often the servers are asked while waiting for a stream.
const POLL: Duration = Duration::from_millis(500);

/// Which stream is meant.
enum Named {
    /// By name.
    Key {
        key: String,
        /// Why the name is no key of ours; it may still be the name of somebody else's stream.
        unusual: Option<Failure>,
    },
    /// By the picker.
    Pick,
}

/// Runs it; the exit code.
///
/// # Errors
/// As the table of messages says: 2, 4, 5, 6.
pub fn run(context: &Context, args: &PlayArgs) -> Outcome<u8> {
    let selection = Selection::parse(args.variant.as_deref(), args.original)?;
    let wait = match &args.wait {
        Some(text) => parse_duration(text).map_err(|why| Failure::usage(format!("--wait: {why}")))?,
        None => Duration::ZERO,
    };
    let asked = asked(context, args)?;
    context.block_on(async {
        let target = match &asked {
            Named::Key { key, unusual } => {
                by_key(context, key, unusual.as_ref(), &selection.unwrap_or(Selection::Best), wait).await?
            }
            Named::Pick => by_picker(context, selection.as_ref()).await?,
        };
        let browser = args.browser || context.settings.protocol == Some(Protocol::WebRtc);
        match (args.print_url, browser) {
            (true, _) => print_url(context, args, &target),
            (false, true) => browse(context, args, &target).await,
            (false, false) => watch(context, args, target).await,
        }
    })
}

fn asked(context: &Context, args: &PlayArgs) -> Outcome<Named> {
    if args.list {
        context.console.need_person("the picker", "msconv play -s KEY    (msconv list shows the keys)")?;
        return Ok(Named::Pick);
    }
    match (&args.stream_key, &context.settings.stream_key) {
        (Some(text), _) => match parse_key(text) {
            Ok(key) => Ok(Named::Key { key: key.to_string(), unusual: None }),
            // Names such as `my.stream` are no keys of ours, but other publishers use them.
            Err(failure) if foreign(text) => Ok(Named::Key { key: text.clone(), unusual: Some(failure) }),
            Err(failure) => Err(failure),
        },
        (None, Some(key)) => Ok(Named::Key { key: key.to_string(), unusual: None }),
        (None, None) => Err(Failure::usage("which stream?").hint("msconv play -s KEY, or -l to pick")),
    }
}

/// Whether a text could be the name of somebody else's stream.
fn foreign(text: &str) -> bool {
    !text.is_empty()
        && text.len() < 256
        && !text.starts_with('-')
        && text.chars().all(|c| c.is_ascii_graphic())
}

async fn by_key(
    context: &Context,
    key: &str,
    unusual: Option<&Failure>,
    selection: &Selection,
    wait: Duration,
) -> Outcome<Target> {
    let deadline = Instant::now() + wait;
    let mut told = false;
    let mut lister = lister(context);
    loop {
        let failure = match lister.look().await.and_then(|listing| found(context, &listing, key, selection)) {
            Ok(target) => return Ok(target),
            Err(failure) => failure,
        };
        if let Some(unusual) = unusual {
            return Err(unusual.clone());
        }
        let lost = matches!(failure.kind(), Kind::NotFound | Kind::Server);
        if !lost || Instant::now() >= deadline {
            return Err(failure);
        }
        if !told {
            told = true;
            context.console.talk(&printable(&format!(
                "{key}: {}; waiting up to {}",
                failure.what(),
                spoken(wait)
            )));
        }
        tokio::time::sleep_until(deadline.min(Instant::now() + POLL)).await;
    }
}

/// Sees also what is not on the air, to say so instead of "no such stream".
fn lister(context: &Context) -> Lister<'_> {
    Lister::new(&context.settings, &context.environment, true)
}

fn found(context: &Context, listing: &Listing, key: &str, selection: &Selection) -> Outcome<Target> {
    let servers = play::servers(&context.settings);
    let stream = selection::stream(listing, key, servers.rtmp.application())?;
    let target = selection::target(stream, selection::rendition(stream, selection)?, servers)?;
    // Over HLS the player chooses, unless somebody else has.
    Ok(if *selection == Selection::Best { target.of_whole_ladder(stream, servers) } else { target })
}

async fn by_picker(context: &Context, selection: Option<&Selection>) -> Outcome<Target> {
    let listing = lister(context).look().await?;
    let streams: Vec<&Stream> = selection::live(&listing).collect();
    if streams.is_empty() {
        return Err(Failure::new(Kind::NotFound, "nothing is live")
            .hint("msconv publish -s stream1 -f video.mp4")
            .hint("msconv list -a"));
    }
    let rows: Vec<(String, String)> = streams.iter().map(|s| (s.key.clone(), stream_row(s))).collect();
    let picked = crate::ui::picker::pick(&context.console, "play which stream?", &rows)?;
    let stream = streams.get(picked).ok_or_else(|| Failure::internal("the picker chose nothing"))?;
    let rendition = match selection {
        Some(selection) => selection::rendition(stream, selection)?,
        None => pick_rendition(context, stream)?,
    };
    selection::target(stream, rendition, play::servers(&context.settings))
}

fn pick_rendition<'a>(context: &Context, stream: &'a Stream) -> Outcome<&'a RenditionInfo> {
    let live: Vec<&RenditionInfo> = stream.renditions.iter().filter(|r| r.state.on_air()).collect();
    if let [only] = live.as_slice() {
        return Ok(only);
    }
    let rows: Vec<(String, String)> = live.iter().map(|r| (r.label.clone(), rendition_row(r))).collect();
    let picked = crate::ui::picker::pick(&context.console, "which variant?", &rows)?;
    live.get(picked).copied().ok_or_else(|| Failure::internal("the picker chose nothing"))
}

fn stream_row(stream: &Stream) -> String {
    let labels: Vec<&str> =
        stream.renditions.iter().filter(|r| r.state.on_air()).map(|r| r.label.as_str()).collect();
    printable(&format!("{}  {}  {}", stream.key, stream.state, labels.join(" ")))
}

fn rendition_row(rendition: &RenditionInfo) -> String {
    let size = rendition.video.as_ref().map(|v| format!("  {} {}x{}", v.codec, v.width, v.height));
    let rate = rendition.bitrate_bps.map(|b| format!("  {:.1} Mb/s", b as f64 / 1e6));
    printable(&format!("{}{}{}", rendition.label, size.unwrap_or_default(), rate.unwrap_or_default()))
}

/// What is called the protocol of a page, which plays over WebRTC or HLS.
const PAGE: &str = "page";

fn print_url(context: &Context, args: &PlayArgs, target: &Target) -> Outcome<u8> {
    let (protocol, address) = if args.browser {
        (PAGE, target.in_browser()?)
    } else {
        let (protocol, address) = play::address(target, &context.settings)?;
        (protocol.word(), address)
    };
    let console = &context.console;
    if console.json {
        console.object(&json!({
            "schema": "msconv.play/1",
            "key": target.key,
            "label": target.label,
            "protocol": protocol,
            // Named for in so many words, so it is given whole: with credentials masked it would open nothing.
            "url": address.url,
        }))?;
    } else {
        console.data(&address.url)?;
    }
    Ok(0)
}

/// Opens the page, or says where it is if no browser can be opened here.
async fn browse(context: &Context, args: &PlayArgs, target: &Target) -> Outcome<u8> {
    let (console, page) = (&context.console, target.in_browser()?);
    if !args.player_args.is_empty() || context.settings.player.is_some() {
        console.note("a page is opened in a browser: the player and its arguments do not count");
    }
    let opened = browser::open(&page, &context.environment).await;
    let (program, note) = match opened {
        Ok(program) => {
            console.talk(&printable(&format!("{} {}: {}", target.key, target.label, page.shown)));
            (Some(program.display().to_string()), None)
        }
        Err(why) => {
            let note = format!("{why}; open this address in a browser");
            console.note(&note);
            if !console.json {
                // Asked to be opened, so it is given whole: with credentials masked it would open nothing.
                console.data(&page.url)?;
            }
            (None, Some(note))
        }
    };
    if console.json {
        console.object(&json!({
            "schema": "msconv.play/1",
            "key": target.key,
            "label": target.label,
            "protocol": PAGE,
            "url": if program.is_some() { &page.shown } else { &page.url },
            "player": program,
            "note": note,
            "watched_s": null,
        }))?;
    }
    Ok(0)
}

async fn watch(context: &Context, args: &PlayArgs, target: Target) -> Outcome<u8> {
    let console = &context.console;
    let waiting = |text: &str| console.talk(&printable(text));
    let settings = &context.settings;
    let plan = play::plan(target, settings, &context.environment, &args.player_args, &waiting).await?;
    let mut redactor = Redactor::new();
    for secret in settings.rtsp_url.secrets().into_iter().chain(settings.nginx_rtmp_url.secrets()) {
        redactor.learn(secret);
    }
    if let Some(note) = &plan.note {
        console.note(note);
    }
    let Target { key, label, .. } = &plan.target;
    console.talk(&printable(&format!("{key} {label}: {}", plan.shown_url)));
    console.debug(&plan.command.shell_line());
    // Whoever gives the player arguments of his own wants to see what it says to them.
    let shown = console.debug || !args.player_args.is_empty();
    let mut said = |line: &str| {
        if shown {
            console.talk(&printable(&redactor.clean(line)));
        }
    };
    let cancel = signals::cancellation_with_terminal()?;
    let ended = player_run::run(&plan.command, &cancel, &mut said).await.map_err(|e| {
        Failure::new(Kind::Missing, format!("cannot start {}", plan.command.program.display()))
            .why(crate::base::failure::io_words(&e))
            .hint("--player vlc, mpv, ffplay or the path of a program")
            .hint("--print-url")
    })?;
    match judge(&plan, &ended, &redactor) {
        Verdict::Interrupted => return Ok(Kind::Interrupted.exit_code()),
        Verdict::Failed(failure) => return Err(failure),
        Verdict::Soon(words) => console.warn(&words),
        Verdict::Well => {}
    }
    if console.json {
        console.object(&report(&plan, ended.lasted))?;
    }
    Ok(0)
}

fn report(plan: &PlayPlan, lasted: Duration) -> serde_json::Value {
    json!({
        "schema": "msconv.play/1",
        "key": plan.target.key,
        "label": plan.target.label,
        "protocol": plan.protocol.word(),
        "url": plan.shown_url,
        "player": plan.command.program.display().to_string(),
        "note": plan.note,
        "watched_s": lasted.as_secs_f64(),
    })
}
