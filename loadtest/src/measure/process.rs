//! What a process has used, as the kernel counts it.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

/// CPU time of all threads of a process. From `schedstat`, to the nanosecond; where the kernel doesn't keep that, from
/// `stat`, to the hundredth of a second.
pub(super) fn cpu(pid: u32) -> Result<Duration> {
    let mut total = 0;
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).with_context(|| format!("process {pid} is gone"))?;
    for task in tasks {
        let path = task?.path().join("schedstat");
        match fs::read_to_string(path).ok().as_deref().and_then(first_number) {
            Some(nanos) => total += nanos,
            None => return coarse_cpu(pid),
        }
    }
    Ok(Duration::from_nanos(total).max(coarse_cpu(pid)?))
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

/// Also has the time of threads that ended, which `schedstat` forgets.
fn coarse_cpu(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid} is gone"))?;
    let ticks = cpu_ticks(&stat).context("/proc/<pid>/stat is not as expected")?;
    // USER_HZ, which is 100 on every Linux that Rust runs on.
    Ok(Duration::from_millis(ticks * 10))
}

/// `utime` and `stime`, the 14th and 15th field; the name before them, in parentheses, may have spaces.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Resident memory of a process in KiB.
pub(super) fn resident_kib(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("process {pid} is gone"))?;
    resident_of(&status).context("/proc/<pid>/status has no VmRSS")
}

fn resident_of(status: &str) -> Option<u64> {
    first_number(status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?)
}

/// What a process has taken until now.
pub(super) struct Used {
    pid: u32,
    at: Instant,
    cpu: Duration,
    pub rss_kib: u64,
}

impl Used {
    /// None while there is no such process.
    pub(super) fn now(pid: Option<u32>) -> Option<Self> {
        let pid = pid?;
        let (cpu, rss_kib) = cpu(pid).ok().zip(resident_kib(pid).ok())?;
        Some(Self { pid, at: Instant::now(), cpu, rss_kib })
    }

    /// Processors taken in between; none across a restart.
    pub(super) fn cores_since(&self, before: &Self) -> Option<f64> {
        let elapsed = self.at.duration_since(before.at).as_secs_f64();
        (self.pid == before.pid && elapsed > 0.0).then(|| self.cpu.saturating_sub(before.cpu).as_secs_f64() / elapsed)
    }
}

/// What the kernel holds for TCP sockets at the moment: queues and their bookkeeping, not the sockets themselves. Of all
/// the machine, both ends of a loopback connection included. None where the kernel doesn't tell.
pub(super) fn socket_kib() -> Option<u64> {
    let pages = socket_pages(&fs::read_to_string("/proc/net/sockstat").ok()?)?;
    Some(pages * u64::try_from(rustix::param::page_size()).ok()? / 1024)
}

fn socket_pages(sockstat: &str) -> Option<u64> {
    let line = sockstat.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    line.split_whitespace().skip_while(|word| *word != "mem").nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_of_tcp_are_not_those_of_udp() {
        let text = "sockets: used 9\nUDP: inuse 1 mem 7\nTCP: inuse 5 orphan 0 tw 0 alloc 7 mem 31\nUDPLITE: inuse 0\n";
        assert_eq!(socket_pages(text), Some(31));
        assert_eq!(socket_pages("TCP: inuse 5\n"), None);
    }

    #[test]
    fn the_fields_are_found_behind_a_name_with_spaces() {
        let stat = "42 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 70 30 0 0 20";
        assert_eq!(cpu_ticks(stat), Some(100));
        assert_eq!(resident_of("Name:\tx\nVmRSS:\t  5124 kB\n"), Some(5124));
    }

    #[test]
    fn this_process_uses_something() {
        let before = cpu(std::process::id()).unwrap();
        let mut sum = 0_u64;
        while cpu(std::process::id()).unwrap() == before {
            sum = sum.wrapping_add(std::hint::black_box(1));
        }
        assert!(resident_kib(std::process::id()).unwrap() > 100);
    }
}
