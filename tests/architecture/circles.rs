//! No files of a crate import each other in a circle.
//!
//! A file imports the file that defines what it names; re-exports are followed. Declaring a submodule is not an import,
//! and unit tests do not count.

use super::{root, sources};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use syn::visit::{Visit, visit_item_mod};

/// A module's path within its crate; the crate itself is the empty path.
type Module = Vec<String>;

/// What one file says outside its tests: the paths and macros that it names, and what it re-exports from its own parts.
#[derive(Default)]
pub struct Names {
    pub paths: Vec<Vec<String>>,
    exports: BTreeMap<String, Vec<String>>,
}

impl Names {
    /// Reads the source of a file.
    pub fn of(source: &str) -> Names {
        let mut names = Names::default();
        names.visit_file(&syn::parse_file(source).unwrap());
        names
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut circles = Vec::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let source = entry.unwrap().path().join("src");
        if source.is_dir() {
            circles.extend(circles_in(&source));
        }
    }
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

/// The modules of one crate that are in circles, as a line; empty if there are none.
fn circles_in(source: &Path) -> Vec<String> {
    let mut files = Vec::new();
    sources(source, ".rs", &mut files);
    let mut crate_names: BTreeMap<Module, Names> = BTreeMap::new();
    for file in files {
        let module = module_of(file.strip_prefix(source).unwrap());
        let is_test = module.iter().any(|name| name == "tests" || name.ends_with("_tests"));
        if !is_test {
            crate_names.insert(module, Names::of(&fs::read_to_string(&file).unwrap()));
        }
    }
    let imports: BTreeMap<&Module, BTreeSet<Module>> =
        crate_names.iter().map(|(module, names)| (module, imports(module, names, &crate_names))).collect();
    let reaches = |from: &Module, to: &Module| {
        let (mut seen, mut queue) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(module) = queue.pop() {
            for next in &imports[&module] {
                if next == to {
                    return true;
                }
                if seen.insert(next.clone()) {
                    queue.push(next.clone());
                }
            }
        }
        false
    };
    let in_circle: Vec<String> =
        imports.keys().filter(|module| reaches(module, module)).map(|module| module.join("::")).collect();
    match in_circle.is_empty() {
        true => Vec::new(),
        false => vec![format!("{}: {}", source.display(), in_circle.join(", "))],
    }
}

/// `a/b.rs` and `a/b/mod.rs` are `a::b`; `lib.rs` and `main.rs` are the crate.
fn module_of(file: &Path) -> Module {
    let mut module: Module =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

/// The other files that a file imports from.
fn imports(module: &Module, names: &Names, all: &BTreeMap<Module, Names>) -> BTreeSet<Module> {
    let found = names.paths.iter().filter_map(|path| {
        let (start, rest) = match path[0].as_str() {
            "crate" => (Vec::new(), &path[1..]),
            "self" => (module.clone(), &path[1..]),
            "super" => {
                let up = path.iter().take_while(|part| *part == "super").count();
                (module[..module.len().checked_sub(up)?].to_vec(), &path[up..])
            }
            part if all.contains_key(&child(module, part)) => (module.clone(), &path[..]),
            _ => return None,
        };
        Some(definition(start, rest, all))
    });
    found.filter(|found| found != module).collect()
}

/// The module that defines the item of a path.
fn definition(mut module: Module, path: &[String], all: &BTreeMap<Module, Names>) -> Module {
    let mut rest = path.to_vec();
    while let Some(next) = rest.first().filter(|next| all.contains_key(&child(&module, next))) {
        module = child(&module, next);
        rest.remove(0);
    }
    let exported = rest.first().and_then(|name| all.get(&module)?.exports.get(name));
    match exported {
        Some(exported) if exported[0] == "crate" => definition(Vec::new(), &exported[1..], all),
        Some(exported) if all.contains_key(&child(&module, &exported[0])) => {
            definition(module, exported, all)
        }
        _ => module,
    }
}

fn child(module: &Module, name: &str) -> Module {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let is_test = module.attrs.iter().any(|attribute| attribute.path().is_ident("cfg"));
        if !is_test {
            visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let public = !matches!(item.vis, syn::Visibility::Inherited);
        for path in flat(&item.tree) {
            if public {
                self.exports.insert(path[path.len() - 1].clone(), path.clone());
            }
            // A re-export from a submodule is not an import.
            if !public || path[0] == "super" {
                self.paths.push(path);
            }
        }
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        let name = called.path.segments.last().map(|segment| segment.ident.to_string());
        self.paths.push(name.into_iter().collect());
        syn::visit::visit_macro(self, called);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if parts.len() > 1 {
            self.paths.push(parts);
        }
        syn::visit::visit_path(self, path);
    }
}

/// Every path of a `use`, without renames.
fn flat(tree: &syn::UseTree) -> Vec<Vec<String>> {
    let under = |name: String, below: Vec<Vec<String>>| {
        below.into_iter().map(|path| [vec![name.clone()], path].concat()).collect()
    };
    match tree {
        syn::UseTree::Path(path) => under(path.ident.to_string(), flat(&path.tree)),
        syn::UseTree::Name(name) => vec![vec![name.ident.to_string()]],
        syn::UseTree::Rename(rename) => vec![vec![rename.ident.to_string()]],
        syn::UseTree::Glob(_) => vec![vec!["*".to_owned()]],
        syn::UseTree::Group(group) => group.items.iter().flat_map(flat).collect(),
    }
}
