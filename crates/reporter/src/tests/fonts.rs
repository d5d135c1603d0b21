//! Which characters can be drawn, in which font, and how the others are reported.

use super::{axis, flat, plan};
use crate::style::{Face, INK};
use crate::text::{Text, Typesetter};
use crate::{Tile, pages, render};

const FACE: Face = Face { size: 16.0, strong: false, tracking: 0.0, colour: INK };

/// Writing systems, each with words in it.
const SCRIPTS: [(&str, &str); 44] = [
    ("Latin", "Alphonse Mucha × 0.5 · “ü” → é – … №"),
    ("Latin, extended", "ɓẹ̀kọ́ ƙwarai ǂKhomani ŋ̊ ꞓ"),
    ("Greek", "Ελ Γκρέκο"),
    ("Greek, with accents", "Ἀπελλῆς ὁ Κῷος"),
    ("Cyrillic", "Илья Репин"),
    ("Cyrillic, extended", "Ҡәләм Ӱӹ ѫѧ"),
    ("Vietnamese", "Nguyễn Phan Chánh"),
    ("Chinese", "齐白石、張大千"),
    ("Japanese", "葛飾北斎「神奈川沖浪裏」カナガワ"),
    ("Korean", "김홍도 뷁쀏"),
    ("Bopomofo", "ㄅㄆㄇㄈ"),
    ("rare Han", "㐀㒨䶵"),
    ("Arabic", "محمود سعيد، لوحة"),
    ("Persian", "کمال‌الدین بهزاد ۱۴۵۰"),
    ("Urdu", "صادقین نقّاش ٹھیک"),
    ("Hebrew", "מארק שאגאל שָׁלוֹם"),
    ("Syriac", "ܫܠܡܐ"),
    ("Thaana", "ދިވެހި"),
    ("N'Ko", "ߒߞߏ"),
    ("Devanagari", "राजा रवि वर्मा। क्षत्रिय"),
    ("Bengali", "যামিনী রায়।"),
    ("Gurmukhi", "ਅੰਮ੍ਰਿਤਾ ਸ਼ੇਰਗਿੱਲ"),
    ("Gujarati", "ગુજરાતી"),
    ("Oriya", "ଓଡ଼ିଆ"),
    ("Tamil", "தமிழ்"),
    ("Telugu", "తెలుగు"),
    ("Kannada", "ಕನ್ನಡ"),
    ("Malayalam", "മലയാളം"),
    ("Sinhala", "සිංහල"),
    ("Thai", "เฉลิมชัย โฆษิตพิพัฒน์"),
    ("Lao", "ລາວ"),
    ("Burmese", "မြန်မာ"),
    ("Khmer", "ខ្មែរ"),
    ("Tibetan", "བོད་ཡིག"),
    ("Mongolian", "ᠮᠣᠩᠭᠣᠯ"),
    ("Georgian", "ნიკო ფიროსმანი"),
    ("Armenian", "Մարտիրոս Սարյան"),
    ("Ethiopic", "አፈወርቅ ተክሌ።"),
    ("Cherokee", "ᏣᎳᎩ"),
    ("Inuktitut", "ᐃᓄᒃᑎᑐᑦ"),
    ("mathematics", "∀x ∈ ℝ: ∑ √x ≤ ∞ ⇒ 𝔄 𝑥² ⟂ ⨂"),
    ("symbols", "← ↑ ⇄ ⟶ ★ ☂ ♞ ♫ ✓ ⓐ ⌘ ⏎ ░▒▓ ⠓⠑ 🂡 🜁"),
    ("emoji", "🎨 😀 ❤️ 👍🏽 👩🏽‍🎨 👨‍👩‍👧‍👦 🏳️‍🌈 🇨🇿 🏴󠁧󠁢󠁳󠁣󠁴󠁿 1️⃣ 🫠"),
    ("old scripts", "ᚠᚢᚦ 𐌰𐌱 𐤀𐤁 ⲀⲂ ᚁᚂ 𐎀"),
];

#[test]
fn text_in_all_living_scripts_can_be_drawn() {
    let mut types = Typesetter::new();
    for (script, words) in SCRIPTS {
        assert_eq!(types.missing_glyphs(words), [].into(), "{script}: {words}");
    }
}

#[test]
fn letters_are_joined_stacked_and_combined() {
    let mut types = Typesetter::new();
    let mut glyphs = |words: &str| types.glyphs(words);
    // Each is one glyph for several characters.
    for words in ["لا", "क्ष", "ক্ষ", "👩🏽‍🎨", "👍🏽", "🇨🇿", "👨‍👩‍👧‍👦"]
    {
        assert_eq!(glyphs(words).len(), 1, "{words}");
    }
    // A letter has different forms between others and alone.
    assert_ne!(glyphs("ههه")[1], glyphs("ه")[0]);
    // The first letter in memory is the rightmost one.
    let (word, first, last) = (glyphs("שב"), glyphs("ש")[0], glyphs("ב")[0]);
    assert_eq!(word, [last, first]);
}

#[test]
fn characters_that_no_font_has_are_listed_and_nothing_else() {
    let mut types = Typesetter::new();
    let mut check = |words: &str, expected: &str| {
        let missing: String = types.missing_glyphs(words).into_iter().collect();
        assert_eq!(missing, expected, "{words:?}");
    };
    check("", "");
    check("Mucha\n葛飾 \t\u{202e}x\u{200d}\u{fe0f}", "");
    check("Mucha 𒀀𒀀 in 𠀀 and 葛飾𓀀", "𒀀𓀀𠀀");
    check("a\u{10fffd}b\u{e000}", "\u{e000}\u{10fffd}");
    // Each is in a font that lacks the other, so together they cannot be drawn.
    check("葛\u{20dd} 飾", "\u{20dd}葛");
}

#[test]
fn a_sheet_lists_missing_glyphs_of_labels_and_settings() {
    let mut sheet = plan(vec![axis("artist", ["葛飾北斎", "𒀀"]), axis("mood", ["calm", "𓀀 🎨"])]);
    sheet.title = "𠀀 of all".to_owned();
    sheet.vars.push(("tail".to_owned(), "\u{e000}".into()));
    sheet.base.push(("prompt".to_owned(), "{tail}, by {artist}".into()));
    for page in pages(&sheet).unwrap() {
        assert_eq!(page.missing_glyphs(), ['\u{e000}', '𒀀', '𓀀', '𠀀']);
    }
    let plain = plan(vec![axis("artist", ["葛飾北斎", "🎨"]), axis("mood", ["calm", ""])]);
    assert_eq!(pages(&plain).unwrap()[0].missing_glyphs(), []);
}

#[test]
fn letters_that_plex_has_load_no_other_font() {
    let mut types = Typesetter::new();
    for words in
        ["Alphonse Mucha × 0.5 · “ü” → é – … №", "Илья Репин", "Ελ Γκρέκο", "Trần Văn Cẩn", "Łódź Çelebi"]
    {
        types.measure(&Text::plain(words, FACE, 500));
        assert!(!types.needed_fallback(), "{words}");
    }
    types.measure(&Text::plain("葛飾北斎", FACE, 500));
    assert!(types.needed_fallback());
}

#[test]
fn a_sheet_in_many_scripts_is_the_same_bytes_each_time() {
    let draw = || {
        let plan = plan(vec![axis("artist", SCRIPTS.map(|(_, words)| words))]);
        let page = &pages(&plan).unwrap()[0];
        render(&plan, page, None, &|_| Tile::Done(flat(64, 64, [90, 90, 90])))
    };
    let first = draw();
    assert!(first == draw());
    // Cached glyphs make no difference.
    let mut types = Typesetter::new();
    let text = Text::plain("葛飾北斎 🎨 محمود", FACE, 500);
    let mut pixels = || {
        let mut pixels = Vec::new();
        types.draw(&text, 0, 0, &mut |x, y, colour, alpha| pixels.push((x, y, colour, alpha)));
        pixels
    };
    assert_eq!(pixels(), pixels());
}
