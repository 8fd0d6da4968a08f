//! The flags for the ports of the server's services: one for each row of the table.

use crate::model::service::Service;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

/// Ports as they were given.
#[derive(Clone, Debug, Default)]
pub struct PortArgs(pub Vec<(Service, Option<String>)>);

impl FromArgMatches for PortArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<PortArgs, clap::Error> {
        let given = |service: Service| matches.get_one::<String>(service.row().key).cloned();
        Ok(PortArgs(Service::ALL.iter().map(|service| (*service, given(*service))).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = PortArgs::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for PortArgs {
    fn augment_args(command: Command) -> Command {
        Service::ALL.iter().fold(command, |command, service| {
            let row = service.row();
            let help = format!("{} [default: {}]", row.help, row.port);
            command.arg(Arg::new(row.key).long(row.flag).value_name("PORT").help(help))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        PortArgs::augment_args(command)
    }
}
