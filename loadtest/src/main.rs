//! The load harness: `loadtest --help` says what it measures.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use loadtest::measure::{self, Common, Report};

/// The hub's allocator as well, so that the baselines differ from it in what they do only.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Simulate Leadwire's platforms, and measure a hub: how fast, how much, and whether anything is lost, doubled or leaked.
#[derive(Parser)]
#[command(name = "loadtest", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Platform(measure::Platform),
    Run(measure::Run),
    Compare(measure::Compare),
    /// The HTTP baseline of `run`, which starts it.
    #[command(hide = true)]
    BareEndpoint {
        #[arg(long)]
        workers: usize,
    },
    /// The fan-out baseline of `run`, which starts it.
    #[command(hide = true)]
    BareSend {
        #[arg(long)]
        sessions: usize,
        #[arg(long)]
        bytes: usize,
    },
    /// The many dashboards of `run`, which starts it.
    #[command(hide = true)]
    Sessions(measure::Sessions),
}

fn main() -> ExitCode {
    match run(&Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("loadtest: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Platform(options) => measure::platform(options)?,
        Command::Run(options) => {
            if let Some(report) = measure::run(options)? {
                return publish(&report, options.common());
            }
        }
        Command::Compare(options) => return Ok(exit_code(measure::compare(options)?)),
        Command::BareEndpoint { workers } => measure::bare_endpoint(*workers)?,
        Command::BareSend { sessions, bytes } => {
            measure::raise_file_limit(*sessions as u64 + 64)?;
            measure::bare_send(*sessions, *bytes)?;
        }
        Command::Sessions(options) => measure::sessions(options)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// 0 when all is well, 1 when something was lost, doubled or leaked.
fn publish(report: &Report, common: &Common) -> Result<ExitCode> {
    report.publish(common)?;
    Ok(exit_code(report.is_good()))
}

const fn exit_code(is_good: bool) -> ExitCode {
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
