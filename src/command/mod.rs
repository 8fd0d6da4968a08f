//! Floor 8: one file per subcommand, from parsed arguments and settings to the manager and back to the console.

mod api;
mod completions;
mod config;
mod devices;
mod doctor;
mod down;
mod ends;
mod events;
mod export;
mod exporter;
mod feed;
mod hooks;
mod list;
mod logs;
mod man;
mod play;
mod publish;
mod serve;
mod signals;
mod status;
mod stop;
mod stream;
mod supervise;
mod token;
mod top;
mod up;

use crate::base::{Failure, Outcome};
use crate::cli::{Cli, Command, ExportForm, Globals};
use crate::config::{Environment, Layer, Settings};
use crate::process::notify::Notifier;
use crate::ui::{Console, console};
use std::future::Future;

/// What every command gets: settings, console and the environment they were made from.
pub struct Context {
    /// The resolved settings.
    pub settings: Settings,
    /// Where to print.
    pub console: Console,
    /// The environment.
    pub environment: Environment,
    /// The settings that were typed, for a process that shall come to the same.
    pub flags: Layer,
}

impl Context {
    fn new(
        globals: &Globals,
        own: impl IntoIterator<Item = (&'static str, Option<String>)>,
    ) -> Outcome<Context> {
        let environment = Environment::current();
        let flags = Layer::flags(global_flags(globals).into_iter().chain(own));
        let settings = Settings::load(flags.clone(), &environment)?;
        let console = Console::new(&settings, &environment);
        Ok(Context { settings, console, environment, flags })
    }

    /// The same with other settings.
    fn with(self, settings: Settings) -> Context {
        Context { settings, ..self }
    }

    /// The way to the service manager that started us, if one did.
    pub fn notifier(&self) -> Notifier {
        let told = |name| self.environment.get(name);
        Notifier::new(told("NOTIFY_SOCKET"), told("WATCHDOG_USEC"), told("WATCHDOG_PID"))
    }

    /// Runs a future to its end on this thread.
    ///
    /// # Errors
    /// What the future returns, or internal if the runtime cannot be made.
    pub fn block_on<T>(&self, future: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Failure::internal("cannot start the event loop").why(e.to_string()))?;
        runtime.block_on(future)
    }
}

fn global_flags(globals: &Globals) -> Vec<(&'static str, Option<String>)> {
    let truth = |on: bool| on.then(|| "true".to_string());
    vec![
        ("json", truth(globals.json)),
        ("quiet", truth(globals.quiet)),
        ("no_input", truth(globals.no_input)),
        ("color", globals.color.clone()),
        ("log_level", globals.log_level.clone()),
        ("home", globals.home.clone()),
        ("config", globals.config.clone()),
        ("nginx_rtmp_url", globals.nginx_rtmp_url.clone()),
        ("nginx_stat_url", globals.nginx_stat_url.clone()),
        ("mediamtx_url", globals.mediamtx_url.clone()),
        ("rtsp_url", globals.rtsp_url.clone()),
    ]
}

/// Prints what clap has to say instead of running anything, its help, the version or a usage error (2), as clap would;
/// the exit code. Help that stdout cannot take is a failure.
pub fn told(told: &clap::Error) -> u8 {
    let printed = told.print().and_then(|()| std::io::Write::flush(&mut std::io::stdout()));
    match (told.use_stderr(), console::written(printed)) {
        (false, Err(failure)) => {
            let environment = Environment::current();
            let (color, _) = console::style_of_failures(&Layer::flags([]), &environment);
            console::report(&failure, color, false)
        }
        _ => u8::try_from(told.exit_code()).unwrap_or(2),
    }
}

/// Runs what was typed; the exit code. Failures are already reported.
pub fn run(cli: Cli) -> u8 {
    // A failure may be that the settings cannot be read, so its style is decided from what was typed and the environment.
    let flags = Layer::flags(global_flags(&cli.globals));
    match dispatch(cli) {
        Ok(code) => code,
        Err(failure) => {
            let (color, json) = console::style_of_failures(&flags, &Environment::current());
            console::report(&failure, color, json)
        }
    }
}

fn dispatch(cli: Cli) -> Outcome<u8> {
    let globals = cli.globals;
    let context = |own: Vec<(&'static str, Option<String>)>| Context::new(&globals, own);
    match cli.command {
        Command::Publish(args) => {
            let context = context(publish::settings(&args))?;
            let settings = context.settings.for_publishing()?;
            publish::run(&context.with(settings), &args)
        }
        Command::List(args) => list::run(&context(vec![])?, &args),
        Command::Play(args) => {
            let own = vec![("player", args.player.clone()), ("protocol", args.protocol.clone())];
            let context = context(own)?;
            let settings = context.settings.for_reading()?;
            play::run(&context.with(settings), &args)
        }
        Command::Stop(args) => stop::run(&context(vec![("stop_timeout", args.timeout.clone())])?, &args),
        Command::Status(args) => status::run(&context(vec![])?, &args),
        Command::Logs(args) => logs::run(&context(vec![])?, &args),
        Command::Up(args) => {
            let own = vec![
                ("backend", args.backend.clone()),
                ("listen", args.listen.clone()),
                ("web", args.no_web.then(|| "false".to_string())),
                ("ladder", args.ladder.clone()),
            ];
            up::run(&context(own)?, &args)
        }
        Command::Down(args) => down::run(&context(vec![])?, &args),
        Command::Serve(args) => serve::run(&context(serve::settings(&args))?, &args),
        Command::Stream(args) => stream::run(&context(vec![])?, &args),
        Command::Token(args) => token::run(&context(vec![])?, &args),
        Command::Events(args) => events::run(&context(vec![])?, &args),
        Command::Top(args) => top::run(&context(vec![])?, &args),
        Command::Hooks(args) => hooks::run(&context(vec![])?, &args),
        Command::Exporter(args) => exporter::run(&context(exporter::settings(&args))?),
        Command::Export(args) => match &args.form {
            ExportForm::Systemd(args) => {
                let context = context(publish::settings(&args.publish))?;
                export::systemd(&context, &globals, args)
            }
        },
        Command::Doctor(args) => doctor::run(&context(vec![])?, &args),
        Command::Devices => devices::run(&context(vec![])?),
        Command::Config(args) => config::run(&context(vec![])?, &args),
        Command::Completions(args) => completions::run(&args),
        Command::Man => man::run(),
        Command::Supervise => supervise::run(),
        Command::Feed(args) => feed::run(args),
        Command::Repeat { file } => feed::repeat(&file),
    }
}
