//! What a power failure may leave of a recorded run.
//!
//! A model of a file system: names belong to folders and contents to files. What a sync of the file or of the folder covers is
//! there; everything else may be there or not, independently, as with `data=writeback` on ext4. So a rename may be there without the
//! bytes of the file that it renamed, and a later write without an earlier one.

use crate::support::Random;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// The operations of a process, in order.
pub struct Recording {
    steps: Vec<Step>,
    nodes: Vec<Kind>,
}

/// What happens to an operation that no sync covers.
#[derive(Debug, Clone, Copy)]
pub enum Unsynced {
    /// It is there, as after a kill.
    Kept,
    /// It is not there.
    Lost,
    /// Names are there, bytes are not: new files are empty.
    Empty,
    /// Names and sizes are there, bytes are zeros.
    Zeros,
    /// Any of these, or the first part of its bytes, each by chance.
    Random,
}

#[derive(Debug)]
enum Step {
    /// Names of folders: the folder, the name, what it names now.
    Names(Vec<(usize, String, Option<usize>)>),
    Write {
        file: usize,
        at: usize,
        bytes: Vec<u8>,
        time: u64,
    },
    Cut {
        file: usize,
        length: usize,
    },
    Sync(usize),
    /// Text on standard error.
    Said(String),
}

#[derive(Debug, Clone)]
enum Kind {
    Folder,
    File,
    Link(String),
}

/// The content of a file, and when it was last written, in nanoseconds since 1970.
#[derive(Default, Clone)]
struct Content(Vec<u8>, u64);

impl Recording {
    /// Reads what `disk.c` has written, for a folder that was not there before.
    pub fn parse(record: &[u8]) -> Recording {
        let mut reader =
            Reader { rest: record, nodes: vec![Kind::Folder], names: HashMap::new(), open: HashMap::new() };
        let mut steps = Vec::new();
        while !reader.rest.is_empty() {
            match (reader.step(), steps.last_mut()) {
                (Some(Step::Said(text)), Some(Step::Said(said))) => said.push_str(&text),
                (step, _) => steps.extend(step),
            }
        }
        Recording { steps, nodes: reader.nodes }
    }

    /// The same without its syncs of files, or of folders.
    pub fn without_syncs(mut self, of_folders: bool) -> Recording {
        let nodes = &self.nodes;
        let is_dropped = |node: usize| matches!(nodes[node], Kind::Folder) == of_folders;
        self.steps.retain(|step| !matches!(step, Step::Sync(node) if is_dropped(*node)));
        self
    }

    /// The number of operations.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// What the process had printed on standard error before an operation.
    pub fn said(&self, before: usize) -> String {
        let said = |step: &Step| if let Step::Said(text) = step { Some(text.clone()) } else { None };
        self.steps[..before].iter().filter_map(said).collect()
    }

    /// Writes into a folder what is left if the power fails before an operation.
    pub fn write(&self, before: usize, unsynced: Unsynced, random: &mut Random, to: &Path) {
        let mut names: HashMap<usize, BTreeMap<String, usize>> = HashMap::new();
        let mut contents: HashMap<usize, Content> = HashMap::new();
        let synced = self.synced(before);
        for (step, synced) in self.steps[..before].iter().zip(synced) {
            let fate = match unsynced {
                _ if synced => Unsynced::Kept,
                Unsynced::Random => [Unsynced::Kept, Unsynced::Lost, Unsynced::Zeros, Unsynced::Random]
                    [random.below(4) as usize],
                fate => fate,
            };
            match step {
                Step::Names(changes) if !matches!(fate, Unsynced::Lost) => {
                    for (folder, name, node) in changes {
                        let folder = names.entry(*folder).or_default();
                        match node {
                            Some(node) => folder.insert(name.clone(), *node),
                            None => folder.remove(name),
                        };
                    }
                }
                Step::Write { file, at, bytes, time } if !matches!(fate, Unsynced::Lost) => {
                    let Content(there, modified) = contents.entry(*file).or_default();
                    *modified = *time;
                    let bytes = match fate {
                        Unsynced::Empty => continue,
                        Unsynced::Zeros => vec![0; bytes.len()],
                        Unsynced::Random => bytes[..random.below(bytes.len() as u64 + 1) as usize].to_vec(),
                        _ => bytes.clone(),
                    };
                    there.resize(there.len().max(at + bytes.len()), 0);
                    there[*at..at + bytes.len()].copy_from_slice(&bytes);
                }
                Step::Cut { file, length } if !matches!(fate, Unsynced::Lost) => {
                    contents.entry(*file).or_default().0.resize(*length, 0);
                }
                _ => {}
            }
        }
        self.place(0, to, &names, &contents, &mut HashMap::new());
    }

    /// Which of the operations before one are covered by a sync before it.
    fn synced(&self, before: usize) -> Vec<bool> {
        let mut forced = HashSet::new();
        let mut synced: Vec<bool> = self.steps[..before]
            .iter()
            .rev()
            .map(|step| match step {
                Step::Sync(node) => forced.insert(*node),
                // The last one is where a rename leads to.
                Step::Names(changes) => changes.last().is_some_and(|(folder, ..)| forced.contains(folder)),
                Step::Write { file, .. } | Step::Cut { file, .. } => forced.contains(file),
                Step::Said(_) => true,
            })
            .collect();
        synced.reverse();
        synced
    }

    fn place(
        &self,
        node: usize,
        to: &Path,
        names: &HashMap<usize, BTreeMap<String, usize>>,
        contents: &HashMap<usize, Content>,
        placed: &mut HashMap<usize, std::path::PathBuf>,
    ) {
        match &self.nodes[node] {
            Kind::Folder => {
                fs::create_dir_all(to).unwrap();
                for (name, node) in names.get(&node).into_iter().flatten() {
                    self.place(*node, &to.join(name), names, contents, placed);
                }
            }
            #[cfg(unix)]
            Kind::Link(target) => std::os::unix::fs::symlink(target, to).unwrap(),
            #[cfg(not(unix))]
            Kind::Link(_) => {}
            Kind::File => match placed.get(&node) {
                Some(first) => fs::hard_link(first, to).unwrap(),
                None => {
                    let Content(bytes, time) = contents.get(&node).cloned().unwrap_or_default();
                    fs::write(to, bytes).unwrap();
                    let file = File::options().write(true).open(to).unwrap();
                    file.set_modified(UNIX_EPOCH + Duration::from_nanos(time)).unwrap();
                    placed.insert(node, to.to_owned());
                }
            },
        }
    }
}

/// Reads a record: follows names and open files.
struct Reader<'a> {
    rest: &'a [u8],
    nodes: Vec<Kind>,
    names: HashMap<(usize, String), usize>,
    open: HashMap<usize, usize>,
}

impl Reader<'_> {
    fn step(&mut self) -> Option<Step> {
        let line = self.line();
        let (word, rest) = line.split_once(' ').unwrap();
        let numbers = || rest.split(' ').map(|number| number.parse::<u64>().unwrap());
        let number = |at: usize| numbers().nth(at).unwrap() as usize;
        match word {
            "open" => {
                let mut parts = rest.splitn(3, ' ');
                let (fd, flags) = (parts.next().unwrap().parse().unwrap(), parts.next().unwrap());
                let path = parts.next().unwrap();
                let found = self.find(path);
                let node = found.unwrap_or_else(|| self.new_node(Kind::File));
                self.open.insert(fd, node);
                match found {
                    None => self.name(path, Some(node)),
                    Some(file) if flags.contains('t') => Some(Step::Cut { file, length: 0 }),
                    Some(_) => None,
                }
            }
            "write" => {
                let bytes = self.bytes(number(3));
                let (file, time) = (*self.open.get(&number(0))?, numbers().nth(2).unwrap());
                Some(Step::Write { file, at: number(1), bytes, time })
            }
            "say" => Some(Step::Said(String::from_utf8_lossy(&self.bytes(number(0))).into_owned())),
            "truncate" => Some(Step::Cut { file: *self.open.get(&number(0))?, length: number(1) }),
            "sync" => Some(Step::Sync(*self.open.get(&number(0))?)),
            "close" => self.open.remove(&number(0)).and(None),
            "mkdir" if rest == "." => None,
            "mkdir" => {
                let node = self.new_node(Kind::Folder);
                self.name(rest, Some(node))
            }
            "unlink" => self.name(rest, None),
            "rename" => {
                let (from, to) = rest.split_once('\t').unwrap();
                let node = self.find(from).unwrap();
                let Some(Step::Names(mut changes)) = self.name(from, None) else { unreachable!() };
                let Some(Step::Names(more)) = self.name(to, Some(node)) else { unreachable!() };
                changes.extend(more);
                Some(Step::Names(changes))
            }
            "link" => {
                let (from, to) = rest.split_once('\t').unwrap();
                let node = self.find(from).unwrap();
                self.name(to, Some(node))
            }
            "symlink" => {
                let (target, path) = rest.split_once('\t').unwrap();
                let node = self.new_node(Kind::Link(target.to_owned()));
                self.name(path, Some(node))
            }
            _ => panic!("{line}"),
        }
    }

    fn line(&mut self) -> String {
        let end = self.rest.iter().position(|byte| *byte == b'\n').unwrap();
        let line = String::from_utf8(self.rest[..end].to_vec()).unwrap();
        self.rest = &self.rest[end + 1..];
        line
    }

    /// The bytes after a line, which a line break follows.
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let bytes = self.rest[..length].to_vec();
        self.rest = &self.rest[length + 1..];
        bytes
    }

    fn new_node(&mut self, kind: Kind) -> usize {
        self.nodes.push(kind);
        self.nodes.len() - 1
    }

    fn find(&self, path: &str) -> Option<usize> {
        let parts = path.split('/').filter(|part| *part != ".");
        parts.into_iter().try_fold(0, |folder, part| self.names.get(&(folder, part.to_owned())).copied())
    }

    /// Changes what a path names.
    fn name(&mut self, path: &str, node: Option<usize>) -> Option<Step> {
        let (folder, name) =
            path.rsplit_once('/').map_or((Some(0), path), |(folder, name)| (self.find(folder), name));
        let key = (folder.unwrap(), name.to_owned());
        match node {
            Some(node) => self.names.insert(key.clone(), node),
            None => self.names.remove(&key),
        };
        Some(Step::Names(vec![(key.0, key.1, node)]))
    }
}
