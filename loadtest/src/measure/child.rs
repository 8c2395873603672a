//! Another process of this program, told and asked in lines: its CPU time is apart from ours.

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child as Process, ChildStdin, ChildStdout, Command},
};

/// A running child; it is killed when this is dropped.
pub(super) struct Child {
    process: Process,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts this program with a hidden command. Secrets go through the environment, where other users don't see them.
    pub(super) fn start(arguments: &[String], environment: &[(&str, &str)]) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("can't start a process of this program")?;
        let input = process.stdin.take().context("the child has no input")?;
        let output = process.stdout.take().context("the child has no output")?;
        Ok(Self { process, input, output: BufReader::new(output).lines() })
    }

    pub(super) fn pid(&self) -> Result<u32> {
        self.process.id().context("the child has ended")
    }

    /// Sends it a line.
    pub(super) async fn tell(&mut self, line: &str) -> Result<()> {
        self.input.write_all(format!("{line}\n").as_bytes()).await.context("the child takes no more lines")
    }

    /// Waits for its next line.
    pub(super) async fn hear(&mut self) -> Result<String> {
        match self.output.next_line().await? {
            Some(line) => Ok(line),
            None => bail!("a process of this program ended ({}); it says why above", self.process.wait().await?),
        }
    }

    /// Waits for its next line that begins with this word; the rest of it.
    pub(super) async fn hear_of(&mut self, word: &str) -> Result<String> {
        loop {
            if let Some(rest) = self.hear().await?.strip_prefix(word) {
                return Ok(rest.trim().to_owned());
            }
        }
    }
}
