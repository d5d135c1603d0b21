//! The fonts of the sheets. All are bundled, so that the same text gives the same pixels on every machine.
//!
//! Deliberately not here: the machine's fonts. `fonts/README.md` describes the bundled fonts and how they were made.

use cosmic_text::fontdb::{Database, Source, Weight};
use cosmic_text::{Fallback, FontSystem};
use flate2::read::ZlibDecoder;
use std::io::Read;
use std::sync::{Arc, OnceLock};
use unicode_script::Script;

/// The family of the regular weight.
pub(crate) const REGULAR_FAMILY: &str = "Sheet";
/// The family of the semi-bold weight.
pub(crate) const SEMI_BOLD_FAMILY: &str = "Sheet Strong";

const REGULAR: &[u8] = include_bytes!("../fonts/IBMPlexSans-Regular.ttf");
const SEMI_BOLD: &[u8] = include_bytes!("../fonts/IBMPlexSans-SemiBold.ttf");
/// A TrueType collection, compressed with zlib.
const FALLBACK: &[u8] = include_bytes!("../fonts/fallback.ttc.zz");

/// IBM Plex Sans only: Latin, Greek and Cyrillic. It is used directly from the binary.
pub(crate) fn plex() -> FontSystem {
    system(plex_faces())
}

/// IBM Plex Sans and the fallback fonts: other scripts, symbols and emoji.
///
/// The fallback fonts are 10 MiB; they are decompressed at the first call and cached.
pub(crate) fn plex_and_fallback() -> FontSystem {
    static FONTS: OnceLock<Database> = OnceLock::new();
    let fonts = FONTS.get_or_init(|| {
        let mut collection = Vec::new();
        let mut fonts = plex_faces();
        // Only a damaged binary can fail here; the text is then drawn as boxes and reported.
        if ZlibDecoder::new(FALLBACK).read_to_end(&mut collection).is_ok() {
            fonts.load_font_source(Source::Binary(Arc::new(collection)));
        }
        fonts
    });
    system(fonts.clone())
}

fn system(fonts: Database) -> FontSystem {
    // The locale selects among fonts for Han. There is only one, and the machine's locale must not matter.
    FontSystem::new_with_locale_and_db_and_fallback("en-US".to_owned(), fonts, ByScript)
}

fn plex_faces() -> Database {
    let mut fonts = Database::new();
    for (bytes, family) in [(REGULAR, REGULAR_FAMILY), (SEMI_BOLD, SEMI_BOLD_FAMILY)] {
        let ids = fonts.load_font_source(Source::Binary(Arc::new(bytes)));
        for id in ids {
            // Both faces get the same weight and different family names: fallback fonts are only used at the requested
            // weight, and none of them is semi-bold.
            let Some(mut face) = fonts.face(id).cloned() else { continue };
            fonts.remove_face(id);
            face.weight = Weight::NORMAL;
            for (name, _) in &mut face.families {
                family.clone_into(name);
            }
            fonts.push_face_info(face);
        }
    }
    fonts
}

/// The fallback fonts of each script.
struct ByScript;

impl Fallback for ByScript {
    /// Tried for every script after its own font, and for characters without a script. The fonts have no characters in
    /// common, so the order only affects the time.
    fn common_fallback(&self) -> &[&'static str] {
        &[
            "Noto Sans",
            "Noto Emoji",
            "Noto Sans Math",
            "Noto Sans Symbols",
            "Noto Sans Symbols2",
            "Droid Sans Fallback",
            "Unifont",
            "Unifont Upper",
        ]
    }

    fn forbidden_fallback(&self) -> &[&'static str] {
        &[]
    }

    fn script_fallback(&self, script: Script, _locale: &str) -> &[&'static str] {
        match script {
            Script::Adlam => &["Noto Sans Adlam"],
            Script::Arabic => &["Noto Sans Arabic"],
            Script::Armenian => &["Noto Sans Armenian"],
            Script::Balinese => &["Noto Sans Balinese"],
            Script::Bengali => &["Noto Sans Bengali"],
            Script::Bopomofo | Script::Han | Script::Hangul | Script::Hiragana | Script::Katakana => {
                &["Droid Sans Fallback"]
            }
            Script::Canadian_Aboriginal => &["Noto Sans CanAborig"],
            Script::Cherokee => &["Noto Sans Cherokee"],
            Script::Devanagari => &["Noto Sans Devanagari"],
            Script::Ethiopic => &["Noto Sans Ethiopic"],
            Script::Georgian => &["Noto Sans Georgian"],
            Script::Gujarati => &["Noto Sans Gujarati"],
            Script::Gurmukhi => &["Noto Sans Gurmukhi"],
            Script::Hebrew => &["Noto Sans Hebrew"],
            Script::Javanese => &["Noto Sans Javanese"],
            Script::Kannada => &["Noto Sans Kannada"],
            Script::Khmer => &["Noto Sans Khmer"],
            Script::Lao => &["Noto Sans Lao"],
            Script::Lisu => &["Noto Sans Lisu"],
            Script::Malayalam => &["Noto Sans Malayalam"],
            Script::Meetei_Mayek => &["Noto Sans MeeteiMayek"],
            Script::Mongolian => &["Noto Sans Mongolian"],
            Script::Myanmar => &["Noto Sans Myanmar"],
            Script::Nko => &["Noto Sans NKo"],
            Script::Ol_Chiki => &["Noto Sans Ol Chiki"],
            Script::Oriya => &["Noto Sans Oriya"],
            Script::Sinhala => &["Noto Sans Sinhala"],
            Script::Sundanese => &["Noto Sans Sundanese"],
            Script::Syriac => &["Noto Sans Syriac"],
            Script::Tamil => &["Noto Sans Tamil"],
            Script::Telugu => &["Noto Sans Telugu"],
            Script::Thaana => &["Noto Sans Thaana"],
            Script::Thai => &["Noto Sans Thai"],
            Script::Tibetan => &["Noto Serif Tibetan"],
            Script::Tifinagh => &["Noto Sans Tifinagh"],
            Script::Vai => &["Noto Sans Vai"],
            Script::Yi => &["Noto Sans Yi"],
            _ => &[],
        }
    }
}
