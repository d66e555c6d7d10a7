//! Which file imports which: there must be no cycle of imports, however long. So a reader needs only a file and the
//! files below it.

use super::{code, files};
use std::collections::{BTreeMap, BTreeSet};

/// A module, by its path of names from the top.
type Module = Vec<String>;

/// The module of a file of `src`; none for `main`, which imports the library from outside.
fn module(path: &str) -> Option<Module> {
    let path = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let mut names: Module = path.split('/').map(str::to_owned).collect();
    match names.last()?.as_str() {
        "main" if names.len() == 1 => return None,
        "lib" if names.len() == 1 => names.clear(),
        "mod" => drop(names.pop()),
        _ => {}
    }
    Some(names)
}

/// The paths of an import. One import may name several: `a::{b, c::{d, e}}`.
fn paths(import: &str) -> Vec<String> {
    let Some((before, rest)) = import.split_once('{') else {
        return vec![import.trim().to_owned()];
    };
    let inner = rest.trim().strip_suffix('}').unwrap_or(rest);
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for letter in inner.chars() {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        if letter == ',' && depth == 0 {
            parts.push(String::new());
        } else {
            parts.last_mut().unwrap().push(letter);
        }
    }
    let parts = parts.iter().filter(|part| !part.trim().is_empty());
    parts
        .flat_map(|part| paths(part))
        .map(|path| format!("{}{path}", before.trim()))
        .collect()
}

/// All paths that begin with `crate` or `super`.
fn named(code: &str) -> Vec<String> {
    let part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    let words = code.split(|letter| !part(letter));
    let ours = words.filter(|word| word.starts_with("crate::") || word.starts_with("super::"));
    ours.map(|word| word.trim_end_matches(':').to_owned())
        .collect()
}

/// The modules that a file imports. It does not need what it only re-exports (`pub use`).
fn imports(own: &Module, text: &str, all: &BTreeSet<Module>) -> BTreeSet<Module> {
    // A visibility is no import.
    let code = code(text).replace("pub(in crate::", "pub(in ");
    let (mut found, mut rest) = (Vec::new(), String::new());
    for statement in code.split_inclusive(';') {
        let from = statement.rfind("use ").filter(|_| statement.ends_with(';'));
        let line = from.map(|at| statement[..at].rsplit('\n').next().unwrap().trim());
        match (from, line) {
            (Some(at), Some("")) => {
                found.extend(paths(statement[at + 4..].trim_end_matches(';')));
                rest.push_str(&statement[..at]);
            }
            (Some(at), Some(line)) if line.starts_with("pub") => rest.push_str(&statement[..at]),
            _ => rest.push_str(statement),
        }
    }
    found.extend(named(&rest));
    let target = |path: &String| {
        let mut names: Vec<&str> = path.split("::").map(str::trim).collect();
        let mut at = match names.first()? {
            &"crate" => Module::new(),
            &"super" | &"self" => own.clone(),
            child => {
                let mut below = own.clone();
                below.push((*child).to_owned());
                all.contains(&below).then(|| own.clone())?
            }
        };
        names.retain(|name| !["crate", "self"].contains(name));
        while names.first() == Some(&"super") {
            at.pop()?;
            names.remove(0);
        }
        for name in names {
            let mut below = at.clone();
            below.push(name.to_owned());
            if !all.contains(&below) {
                break;
            }
            at = below;
        }
        (at != *own).then_some(at)
    };
    found.iter().filter_map(target).collect()
}

#[test]
fn no_file_imports_one_that_imports_it() {
    let sources = files("src");
    let modules = sources
        .iter()
        .filter_map(|(name, text)| Some((module(name)?, text)));
    let modules: BTreeMap<Module, &String> = modules.collect();
    let all: BTreeSet<Module> = modules.keys().cloned().collect();
    let mut graph: BTreeMap<&Module, BTreeSet<Module>> = BTreeMap::new();
    for (module, text) in &modules {
        graph.insert(module, imports(module, text, &all));
    }
    let edges: usize = graph.values().map(BTreeSet::len).sum();
    assert!(edges > 500, "only {edges} imports are seen");
    // Modules that import nothing of the rest are in no cycle.
    loop {
        let left: BTreeSet<Module> = graph.keys().map(|&module| module.clone()).collect();
        let before = graph.len();
        graph.retain(|_, below| below.iter().any(|module| left.contains(module)));
        if graph.len() == before {
            break;
        }
    }
    // Modules that nothing imports are in no cycle either.
    loop {
        let imported: BTreeSet<Module> = graph.values().flatten().cloned().collect();
        let before = graph.len();
        graph.retain(|module, _| imported.contains(*module));
        if graph.len() == before {
            break;
        }
    }
    let left: BTreeSet<Module> = graph.keys().map(|&module| module.clone()).collect();
    let circles = graph.iter().map(|(module, below)| {
        let below: Vec<String> = below.intersection(&left).map(|it| it.join("::")).collect();
        format!("{} imports {}", module.join("::"), below.join(", "))
    });
    super::assert_none(circles.collect());
}
