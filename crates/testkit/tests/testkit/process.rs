//! Programs are started, watched and ended with all their children.

use std::{process::Command, time::Duration};

use wicketgate_testkit::process::{Process, Ready};

const SOON: Duration = Duration::from_secs(10);

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(script);
    command
}

#[tokio::test]
async fn a_line_makes_a_program_ready_and_later_lines_can_be_awaited() {
    let process = Process::spawn(shell("echo up; echo later >&2; exec sleep 60"), Ready::Line("up".into()))
        .await
        .unwrap();
    assert_eq!(process.line("later", SOON).await.unwrap(), "later");
    assert!(process.line("never", Duration::from_millis(20)).await.is_err());
    assert!(!process.stop().await.unwrap().success());
}

#[tokio::test]
async fn a_program_that_ends_at_once_says_why() {
    let ready = Ready::port("127.0.0.1:1".parse().unwrap());
    let error = Process::spawn(shell("echo broken >&2; exit 3"), ready).await.unwrap_err().to_string();
    assert!(error.contains("broken") && error.contains("exit status: 3"), "{error}");
}

#[tokio::test]
async fn workers_end_with_their_master_even_if_they_would_not() {
    let script = "sh -c 'trap \"\" TERM; echo worker $$; while :; do sleep 1; done' & echo up; wait";
    let process = Process::spawn(shell(script), Ready::Line("up".into())).await.unwrap();
    let line = process.line("worker", SOON).await.unwrap();
    let worker = line.rsplit(' ').next().unwrap().to_owned();
    let usage = process.usage().unwrap();
    assert!(usage.processes >= 2 && usage.resident_bytes > 0, "{usage:?}");
    drop(process);
    // Killed; at most a zombie that waits for the system to take it away.
    let stat = std::fs::read_to_string(format!("/proc/{worker}/stat")).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
}

#[tokio::test]
async fn processor_time_is_counted() {
    let process = Process::spawn(
        shell("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; exec sleep 60"),
        Ready::Line("done".into()),
    );
    let usage = process.await.unwrap().usage().unwrap();
    assert!(usage.cpu() > Duration::ZERO, "{usage:?}");
}

#[tokio::test]
async fn a_finished_program_gives_its_status_and_output() {
    let process = Process::spawn(shell("echo out; echo err >&2; exit 7"), Ready::Started).await.unwrap();
    let (status, output) = process.finish(SOON).await.unwrap();
    assert_eq!(status.code(), Some(7));
    assert!(output.contains("out\n") && output.contains("err\n"), "{output}");
}
