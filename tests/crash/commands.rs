//! Kills the commands that change a finished run: `measure`, `rename`, and the server of `review` while picks are made.

use super::check::{RUN, assert_same, check_interrupted, experiment, rows, workspace};
use crate::support::{Random, Workspace};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A folder with a finished run of 24 cells.
fn finished() -> Workspace {
    let workspace = workspace(&experiment(12));
    workspace.maquette(&["run", "cats.toml", "--backend", "fake", "--progress", "none"]).code(0);
    workspace
}

/// A copy with the same times and hard links.
fn copy(of: &Workspace) -> Workspace {
    let workspace = Workspace::new();
    let copied = Command::new("cp").arg("-a").arg(of.path().join(".")).arg(workspace.path()).status();
    assert!(copied.unwrap().success());
    workspace
}

/// Kills a command at random moments, and checks the run; the same command again has to end with the same folder. Returns how
/// often the kill came before the command's end and after its first change.
fn kill_command(command: &[&str], check: &dyn Fn(&Workspace), kills: usize, seed: u64) -> usize {
    let before = finished();
    let whole = copy(&before);
    let started = Instant::now();
    whole.maquette(command).code(0);
    let (took, mut random, mut hits) = (started.elapsed(), Random(seed), 0);
    for _ in 0..kills {
        let folder = copy(&before);
        let mut running =
            folder.command(command).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Most of the changes come at the end.
        std::thread::sleep(Duration::from_micros(random.below(took.as_micros() as u64 * 5 / 4)));
        let at_work = running.try_wait().unwrap().is_none();
        running.kill().unwrap();
        running.wait().unwrap();
        hits += usize::from(at_work && folder.files("runs") != before.files("runs"));
        check(&folder);
        folder.maquette(command).code(0);
        assert_same(&whole, &folder);
    }
    eprintln!("{}: {kills} kills, {hits} of them between its first change and its end", command[0]);
    hits
}

fn kill_commands(kills: usize, seed: u64) {
    let measure = ["measure", "cats", "--metric", "sharpness"];
    kill_command(&measure, &|folder| check_interrupted(folder, "fake"), kills, seed);
    let rename = ["rename", "cats", "dogs"];
    kill_command(
        &rename,
        // Found by its name, the old or the new one, at any moment.
        &|folder| drop(folder.maquette(&["verify", "cats", "--backend", "fake", "--sample", "0"]).code(0)),
        kills,
        seed + 1,
    );
}

/// A server of `review`, with the path of the run's page on it.
struct Review {
    process: Child,
    host: String,
    path: String,
}

impl Review {
    fn start(workspace: &Workspace) -> Review {
        let mut review = workspace.command(&["review", "cats"]);
        let mut process = review.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let (host, path) = url.trim().strip_prefix("http://").unwrap().split_once('/').unwrap();
        Review { process, host: host.to_owned(), path: path.to_owned() }
    }

    /// Picks a cell, with a note. Whether the server said that it was kept; false if it was killed before.
    fn pick(&self, cell: &str, note: &str) -> bool {
        let body = format!("{{\"mark\":\"pick\",\"note\":\"{note}\"}}");
        let Review { host, path, .. } = self;
        let request = format!(
            "PUT /{path}api/picks/{cell} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        );
        let mut answer = String::new();
        let sent = TcpStream::connect(host).and_then(|mut stream| {
            stream.write_all(request.as_bytes())?;
            stream.read_to_string(&mut answer)
        });
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 20"), "{answer}");
        sent.is_ok() && !answer.is_empty()
    }
}

/// Kills the server while picks are sent: those that it has confirmed are in the file, with everything else.
fn kill_reviews(kills: usize, seed: u64) {
    let workspace = finished();
    let cells: Vec<String> = rows(&workspace).into_keys().collect();
    let picks = workspace.path().join(RUN).join("picks.toml");
    fs::write(&picks, "# mine\n[cells.gone]\nmark = \"pick\"\n").unwrap();
    let (mut random, mut confirmed) = (Random(seed), 0);
    for round in 0..kills {
        let mut review = Review::start(&workspace);
        let mut last: Vec<Option<String>> = vec![None; cells.len()];
        let count = AtomicU64::new(0);
        std::thread::scope(|scope| {
            let sender = scope.spawn(|| {
                for number in 0.. {
                    let (at, note) = (number % cells.len(), format!("{round}-{number}"));
                    if !review.pick(&cells[at], &note) {
                        break;
                    }
                    last[at] = Some(note);
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
            let enough = 1 + random.below(30);
            while count.load(Ordering::Relaxed) < enough {
                std::thread::sleep(Duration::from_micros(200));
            }
            std::thread::sleep(Duration::from_micros(random.below(5000)));
            let killed = Command::new("kill").args(["-KILL", &review.process.id().to_string()]).status();
            assert!(killed.unwrap().success());
            sender.join().unwrap();
        });
        review.process.wait().unwrap();
        let text = fs::read_to_string(&picks).unwrap();
        assert!(text.starts_with("# mine\n") && text.contains("cells.gone"), "{text}");
        for (cell, note) in cells.iter().zip(&last) {
            let Some(note) = note else { continue };
            confirmed += 1;
            let entry = text.split(&format!("[cells.{cell}]\n")).nth(1).unwrap();
            let kept = entry.split("note = \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
            let number = |note: &str| note.split_once('-').unwrap().1.parse::<usize>().unwrap();
            // A later one may be there that was not confirmed any more.
            assert!(kept.starts_with(&format!("{round}-")) && number(kept) >= number(note), "{kept}, {note}");
        }
    }
    eprintln!("review: {kills} kills, {confirmed} confirmed picks, all of them kept");
    assert!(confirmed >= kills);
}

#[test]
fn killed_commands_end_the_same_when_they_are_repeated() {
    kill_commands(6, 1);
}

#[test]
fn confirmed_picks_survive_a_kill() {
    kill_reviews(4, 1);
}

#[test]
#[ignore = "takes minutes: just soak"]
fn commands_survive_hundreds_of_kills() {
    kill_commands(100, 2);
    kill_reviews(100, 2);
}
