//! Names of files and folders, made from arbitrary text.
//!
//! Whatever the text is, the name does not leave its folder, is valid on every system, and is not too long.

use crate::StoreError;
use maquette_core::{CellId, Digest, Plan};
use maquette_files::is_plain_path;
use std::path::{Path, PathBuf};

/// The longest readable part of a picture's name, in bytes; file systems allow 255 for the whole name.
const READABLE: usize = 100;

/// The name of a run's folder: the experiment's name, or the nearest safe name.
pub(crate) fn run_name(experiment: &str) -> String {
    let keep = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut name = joined(experiment.chars().map(|c| if keep(c) { c } else { '-' }));
    shorten(&mut name, READABLE);
    let name = name.trim_matches(['-', '.']);
    match name {
        "" => "experiment".to_owned(),
        // Windows reserves the name with any extension.
        name if is_reserved(name) => {
            let (stem, rest) = name.split_at(name.find('.').unwrap_or(name.len()));
            format!("{stem}-experiment{rest}")
        }
        name => name.to_owned(),
    }
}

/// The name of the folder of a comparison, such as `mucha@1-mucha@2`.
pub(crate) fn diff_name(left: &str, right: &str) -> String {
    let keep = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    let side = |name: &str| {
        let mut name = joined(name.chars().map(|c| if keep(c) { c } else { '-' }));
        shorten(&mut name, READABLE);
        name.trim_matches(['-', '.']).to_owned()
    };
    format!("{}-{}", side(left), side(right))
}

/// The name of a cell's picture, such as `alphonse-mucha_strength-0.3_seed-7-1a2b3c4d.png`.
pub(crate) fn image_name(plan: &Plan, coordinates: &[usize], id: &CellId) -> String {
    named(&readable(plan, coordinates), &id.short())
}

/// The same with all digits of the cell's name, for the rare case of two cells with the same first eight digits and labels.
pub(crate) fn long_image_name(plan: &Plan, coordinates: &[usize], id: &CellId) -> String {
    named(&readable(plan, coordinates), &id.to_string())
}

/// The name of a reference picture's copy: its name and the digest of its content.
pub(crate) fn reference_name(path_as_written: &str, digest: &Digest) -> String {
    let path = Path::new(path_as_written);
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let name = with_digest(&text(path.file_stem()), "picture", digest);
    match slug(&text(path.extension())) {
        ending if ending.is_empty() || ending.len() > 8 => name,
        ending => format!("{name}.{ending}"),
    }
}

/// The name of a mask: a given name and the digest of its content.
pub(crate) fn mask_name(name: &str, digest: &Digest) -> String {
    format!("{}.png", with_digest(name, "mask", digest))
}

/// The path of a given file name in a folder, which it must not leave.
pub(crate) fn plain(folder: &Path, name: &str) -> Result<PathBuf, StoreError> {
    let plain = is_plain_path(name) && !name.contains(['/', '"', '*', '?', '<', '>', '|']);
    if !plain || name.starts_with('.') || is_reserved(name) {
        return Err(StoreError::Name { name: name.to_owned(), folder: folder.to_owned() });
    }
    Ok(folder.join(name))
}

/// A readable name, or `otherwise` if nothing of it is left, and the first digits of a digest.
fn with_digest(text: &str, otherwise: &str, digest: &Digest) -> String {
    let mut name = slug(text);
    shorten(&mut name, READABLE);
    let name = if name.is_empty() { otherwise } else { &name };
    format!("{name}-{}", digest.short())
}

fn named(readable: &str, id: &str) -> String {
    if readable.is_empty() { format!("{id}.png") } else { format!("{readable}-{id}.png") }
}

fn readable(plan: &Plan, coordinates: &[usize]) -> String {
    let described = coordinates.iter().zip(&plan.axes).map(|(&at, axis)| slug(&axis.describe(at)));
    let mut parts: Vec<String> = described.filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        parts.push(slug(&plan.name));
    }
    // The longest part is shortened first, so that the seed after a long prompt stays readable.
    while parts.iter().map(|part| part.len() + 1).sum::<usize>() > READABLE + 1 {
        let Some(longest) = parts.iter_mut().rev().max_by_key(|part| part.len()) else { break };
        let shorter = longest.len() - 1;
        shorten(longest, shorter);
        if longest.is_empty() {
            break;
        }
    }
    let mut name = parts.join("_");
    shorten(&mut name, READABLE);
    name
}

/// Lower case; letters and digits of any script, `_`, and the dot of a number; everything else is a dash.
fn slug(text: &str) -> String {
    let chars: Vec<char> = text.chars().flat_map(char::to_lowercase).filter(|c| !is_accent(*c)).collect();
    let digit = |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(char::is_ascii_digit);
    let name = joined(chars.iter().enumerate().map(|(at, &c)| match c {
        c if c.is_alphanumeric() || c == '_' => c,
        '.' if digit(at.checked_sub(1)) && digit(Some(at + 1)) => '.',
        _ => '-',
    }));
    name.trim_matches('-').to_owned()
}

/// A combining accent, which is left out: that reads better than a dash inside the word.
fn is_accent(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}

fn joined(chars: impl Iterator<Item = char>) -> String {
    let mut name = String::new();
    for c in chars {
        if c != '-' || !name.ends_with('-') {
            name.push(c);
        }
    }
    name
}

fn shorten(name: &mut String, bytes: usize) {
    let mut end = bytes.min(name.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.truncate(end);
}

/// Names that Windows reserves for devices, with any extension.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let digit = |c: char| c.is_ascii_digit() || "¹²³".contains(c);
    let numbered = |device: &str| {
        stem.strip_prefix(device).is_some_and(|n| n.chars().count() == 1 && n.chars().all(digit))
    };
    matches!(&*stem, "con" | "prn" | "aux" | "nul" | "conin$" | "conout$")
        || numbered("com")
        || numbered("lpt")
}

#[cfg(test)]
mod tests {
    use super::*;
    use maquette_core::test_plans::plan;
    use proptest::prelude::*;

    #[test]
    fn a_picture_is_named_by_its_labels() {
        let check = |axes: &[(&str, &str)], expected: &str| {
            let axes: Vec<_> = axes.iter().map(|&(name, label)| (name, vec![label])).collect();
            assert_eq!(readable(&plan(&axes), &vec![0; axes.len()]), expected);
        };
        check(
            &[("artist", "Alphonse Mucha"), ("strength", "0.3"), ("seed", "7")],
            "alphonse-mucha_strength-0.3_seed-7",
        );
        check(&[("artist", "葛飾 北斎"), ("seed", "0")], "葛飾-北斎_seed-0");
        check(&[("artist", "Émile, E\u{301}mile!")], "émile-emile");
        check(&[("init_image", "../../x")], "x");
        check(&[("init_image", "photos/me.jpg")], "photos-me-jpg");
        check(&[("artist", "CON")], "con");
        check(&[("artist", "🎨")], "test");
        check(&[("tiling", "true")], "tiling-true");
        check(&[], "test");
        let long = "very ".repeat(60);
        check(
            &[("prompt", &long), ("seed", "7")],
            "very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-ver_seed-7",
        );
    }

    #[test]
    fn a_run_has_its_experiments_name_if_that_is_safe() {
        let check = |name: &str, expected: &str| assert_eq!(run_name(name), expected);
        check("mucha-sd14", "mucha-sd14");
        check("Zwei Maler (neu)", "Zwei-Maler-neu");
        check("../../etc/passwd", "etc-passwd");
        check("/", "experiment");
        check("..", "experiment");
        check("mucha@2", "mucha-2");
        check("nul", "nul-experiment");
        check("Aux.v2", "Aux-experiment.v2");
        check("com1", "com1-experiment");
        check("COM¹", "COM¹-experiment");
        check("com10", "com10");
        check(".cells", "cells");
    }

    #[test]
    fn a_reference_is_named_by_its_name_and_digest() {
        let digest = Digest::of(b"");
        assert_eq!(reference_name("references/Selfie 1.JPG", &digest), "selfie-1-af1349b9.jpg");
        assert_eq!(reference_name("..", &digest), "picture-af1349b9");
    }

    #[test]
    fn a_given_name_cannot_leave_its_folder() {
        let folder = Path::new("run");
        assert_eq!(plain(folder, "page-1.png").unwrap(), Path::new("run/page-1.png"));
        for name in [
            "",
            "..",
            "../x",
            "a/b",
            "a\\b",
            "c:x",
            "nul.png",
            "lpt².txt",
            "a.",
            "a ",
            "a?",
            "a\n",
            ".hidden",
        ] {
            assert!(plain(folder, name).is_err(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_text_leads_out_of_the_folder(text in ".*", other in ".*") {
            let plan = plan(&[("prompt", vec![&*text]), ("artist", vec![&*other])]);
            let id = CellId(Digest::of(b""));
            let names = [image_name(&plan, &[0, 0], &id), run_name(&text), reference_name(&text, &id.0), mask_name(&text, &id.0)];
            for name in names {
                prop_assert!(name.len() <= 120, "{name}");
                prop_assert!(!name.contains(['/', '\\', ':', '\0', '"', '*', '?', '<', '>', '|']), "{name}");
                prop_assert!(!name.starts_with('.') && !name.ends_with('.') && !is_reserved(&name), "{name}");
                let path = Path::new(&name);
                prop_assert_eq!(path.components().count(), 1);
            }
        }
    }
}
