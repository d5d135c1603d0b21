//! Files that are not UTF-8 text, wherever a text file is expected.

use crate::folder::{Folder, values};
use maquette_planner::Overrides;
use miette::Diagnostic;

const EXPERIMENT: &str = "prompt = \"by {artist}\"\n[sweep]\nartist = { file = \"lists/artists.txt\" }\n";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

/// A folder with an experiment, its child and its list; `file` has the given content instead.
fn with(file: &str, content: &[u8]) -> Folder {
    let folder = Folder::new(&[
        ("exp/e.toml", EXPERIMENT),
        ("exp/lists/artists.txt", "Dürer\nMunch\n"),
        ("child.toml", "extends = \"exp/e.toml\"\n"),
    ]);
    std::fs::write(folder.0.path().join(file), content).unwrap();
    folder
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Latin-1, which is also valid Windows-1252.
fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

/// Plans `plan` with `file` replaced by `content`, and checks the error's message, place and hint.
#[track_caller]
fn check(file: &str, content: &[u8], plan: &str, place: &str, message: &str, hint: &str) {
    let folder = with(file, content);
    let error = folder.with(plan, &Overrides::default()).unwrap_err();
    let problem = &error.problems[0];
    let plain = |text: String| text.replace(&format!("{}/", folder.0.path().display()), "");
    let found = problem.place().map_or_else(String::new, |(name, line, _)| format!("{name}:{line}"));
    assert_eq!((plain(found), plain(problem.to_string())), (place.to_owned(), message.to_owned()));
    assert_eq!(problem.help().map(|help| plain(help.to_string())).as_deref(), Some(hint));
}

#[test]
fn a_byte_order_mark_is_accepted() {
    for (file, text) in [("exp/e.toml", EXPERIMENT), ("exp/lists/artists.txt", "Dürer\nMunch\n")] {
        let plan = with(file, format!("\u{feff}{text}").as_bytes()).plan("child.toml").plan;
        assert_eq!(values(&plan, "artist"), "Dürer Munch", "{file}");
    }
}

#[test]
fn errors_name_other_encodings() {
    let notepad = "save it as UTF-8: in Notepad, with `Save as` and `Encoding: UTF-8`";
    let powershell = format!("{notepad}; in PowerShell, with `| Out-File -Encoding utf8` in place of `>`");
    let legacy = "it is in a legacy encoding such as Latin-1 or Windows-1252, not in UTF-8";
    let wide = "cannot read the experiment file exp/e.toml: it is UTF-16, not UTF-8";
    let marked = utf16(&format!("\u{feff}{EXPERIMENT}"));
    check("exp/e.toml", &marked, "exp/e.toml", "", wide, &powershell);
    check("exp/e.toml", &utf16(EXPERIMENT), "child.toml", "child.toml:1", wide, &powershell);
    let message = format!("cannot read the experiment file exp/e.toml: {legacy}: line 2 has the byte 0xFC");
    check("exp/e.toml", &latin1("steps = 3\n# Dürer\n"), "exp/e.toml", "", &message, notepad);
    let list = "exp/lists/artists.txt";
    let message = format!("cannot read {list}: it is UTF-16, not UTF-8");
    check(list, &utf16("Dürer\r\nMunch"), "exp/e.toml", "exp/e.toml:3", &message, &powershell);
    let message = format!("cannot read {list}: {legacy}: line 1 has the byte 0xFC");
    check(list, &latin1("Dürer\r\nMunch"), "child.toml", "exp/e.toml:3", &message, notepad);
}

#[test]
fn errors_name_other_formats() {
    let list = "exp/lists/artists.txt";
    check(
        "exp/e.toml",
        PNG,
        "exp/e.toml",
        "",
        "cannot read the experiment file exp/e.toml: it is a PNG image, not text",
        "allowed: a TOML file in UTF-8; `maquette show --toml` writes one from a picture",
    );
    check(
        list,
        PNG,
        "exp/e.toml",
        "exp/e.toml:3",
        &format!("cannot read {list}: it is a PNG image, not text"),
        "allowed: a text file in UTF-8 with one value per line, relative to the file that names it",
    );
    let folder = |name: &str| format!("cannot read the experiment file {name}: it is a folder");
    check("child.toml", b"", "exp", "", &folder("exp"), "did you mean `exp/e.toml`?");
    let several = "use one of its files: `a.toml`, `child.toml`";
    check("a.toml", b"", "", "", &folder(""), several);
    let lists = "allowed: a TOML file in UTF-8";
    check(
        "child.toml",
        b"extends = \"exp/lists\"",
        "child.toml",
        "child.toml:1",
        &folder("exp/lists"),
        lists,
    );
}

#[test]
fn hints_suggest_the_nearest_file_with_its_folder() {
    let near = EXPERIMENT.replace("artists", "artist");
    let missing = "cannot read exp/lists/artist.txt: there is no such file";
    let hint = "did you mean `lists/artists.txt`?";
    check("exp/e.toml", near.as_bytes(), "exp/e.toml", "exp/e.toml:3", missing, hint);
}
