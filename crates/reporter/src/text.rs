//! Letters: from words and a width to lines of pixels, in any script.
//!
//! Words are set in the bundled font. Only when it lacks a letter are the machine's fonts looked up, so that a page in
//! the scripts which the bundled font covers is the same on every machine; a letter that no font has becomes a box.
//! Looking up the machine's fonts is the one thing in this crate that depends on the machine.

use crate::style::{Colour, Face};
use cosmic_text::fontdb::{Database, Family, Source, Weight};
use cosmic_text::{Attrs, Buffer, Color, FontSystem, Metrics, Shaping, SwashCache, SwashContent, Wrap};
use std::sync::{Arc, OnceLock};

const REGULAR: &[u8] = include_bytes!("../fonts/IBMPlexSans-Regular.ttf");
const SEMI_BOLD: &[u8] = include_bytes!("../fonts/IBMPlexSans-SemiBold.ttf");
const REGULAR_FAMILY: &str = "Sheet";
const SEMI_BOLD_FAMILY: &str = "Sheet Strong";

/// Words to set: pieces in their own colours, one size, and the width at which lines break.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Text {
    pub spans: Vec<(String, Colour)>,
    pub face: Face,
    pub width: u32,
}

impl Text {
    /// Words in one colour.
    pub fn plain(words: &str, face: Face, width: u32) -> Text {
        Text { spans: vec![(words.to_owned(), face.colour)], face, width }
    }
}

/// Sets words. Holds fonts and the glyphs drawn so far; what it draws does not depend on what it drew before.
pub(crate) struct Typesetter {
    bundled: Fonts,
    /// The bundled font and the machine's; `None` until some word needs them.
    system: Option<Fonts>,
}

struct Fonts {
    fonts: FontSystem,
    glyphs: SwashCache,
}

impl Typesetter {
    pub fn new() -> Typesetter {
        Typesetter { bundled: Fonts::new(bundled_fonts()), system: None }
    }

    /// Whether some word so far needed the machine's fonts.
    #[cfg(test)]
    pub fn asked_the_machine(&self) -> bool {
        self.system.is_some()
    }

    /// Width and height of the words once set, in pixels; the width never passes the text's own.
    pub fn measure(&mut self, text: &Text) -> (u32, u32) {
        let (buffer, _) = self.set(text);
        let (mut width, mut height) = (0f32, 0f32);
        for run in buffer.layout_runs() {
            width = width.max(run.line_w);
            height = height.max(run.line_top + run.line_height);
        }
        ((width.ceil() as u32).min(text.width), height.ceil() as u32)
    }

    /// Draws the words with the top left corner of their lines at `x`, `y`; `paint` gets each pixel with its opacity.
    pub fn draw(&mut self, text: &Text, x: u32, y: u32, paint: &mut dyn FnMut(i32, i32, Colour, u8)) {
        let (buffer, Fonts { fonts, glyphs }) = self.set(text);
        for run in buffer.layout_runs() {
            for glyph in run.glyphs {
                let at = glyph.physical((x as f32, y as f32 + run.line_y), 1.0);
                let Some(image) = glyphs.get_image(fonts, at.cache_key) else { continue };
                let colour = glyph.color_opt.map_or(text.face.colour, |c| [c.r(), c.g(), c.b()]);
                let (left, top) = (at.x + image.placement.left, at.y - image.placement.top);
                let width = image.placement.width.max(1) as usize;
                let mut put = |i: usize, colour, alpha| {
                    paint(left + (i % width) as i32, top + (i / width) as i32, colour, alpha);
                };
                match image.content {
                    SwashContent::Mask => {
                        image.data.iter().enumerate().for_each(|(i, &alpha)| put(i, colour, alpha));
                    }
                    SwashContent::Color => {
                        for (i, rgba) in image.data.as_chunks::<4>().0.iter().enumerate() {
                            put(i, [rgba[0], rgba[1], rgba[2]], rgba[3]);
                        }
                    }
                    // Asked for by nobody: the cache renders plain coverage.
                    SwashContent::SubpixelMask => {}
                }
            }
        }
    }

    /// Lines of the words, and the fonts that they were set in.
    fn set(&mut self, text: &Text) -> (Buffer, &mut Fonts) {
        let buffer = shape(text, &mut self.bundled.fonts);
        let complete = buffer.layout_runs().all(|run| run.glyphs.iter().all(|glyph| glyph.glyph_id != 0));
        if complete {
            return (buffer, &mut self.bundled);
        }
        let system = self.system.get_or_insert_with(|| Fonts::new(all_fonts()));
        (shape(text, &mut system.fonts), system)
    }
}

impl Fonts {
    fn new(fonts: Database) -> Fonts {
        // The language decides which of several Han glyphs is taken: fixed, so that the machine's does not matter.
        Fonts {
            fonts: FontSystem::new_with_locale_and_db("en-US".to_owned(), fonts),
            glyphs: SwashCache::new(),
        }
    }
}

fn shape(text: &Text, fonts: &mut FontSystem) -> Buffer {
    let face = &text.face;
    let family = if face.strong { SEMI_BOLD_FAMILY } else { REGULAR_FAMILY };
    let attrs = Attrs::new().family(Family::Name(family)).letter_spacing(face.tracking);
    let spans = text.spans.iter().map(|(words, [r, g, b])| {
        let colour = Color::rgb(*r, *g, *b);
        (words.as_str(), attrs.clone().color(colour))
    });
    let mut buffer = Buffer::new_empty(Metrics::new(face.size, face.line_height()));
    buffer.set_wrap(Wrap::WordOrGlyph);
    buffer.set_size(Some(text.width as f32), None);
    buffer.set_rich_text(spans, &attrs, Shaping::Advanced, None);
    buffer.shape_until_scroll(fonts, false);
    buffer
}

fn bundled_fonts() -> Database {
    let mut fonts = Database::new();
    for (bytes, family) in [(REGULAR, REGULAR_FAMILY), (SEMI_BOLD, SEMI_BOLD_FAMILY)] {
        let ids = fonts.load_font_source(Source::Binary(Arc::new(bytes)));
        for id in ids {
            // Both faces stand under one weight and names of their own: a fallback font is only taken at the weight
            // that was asked for, and few machines have every script in semi-bold.
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

/// The bundled font and the machine's. Reading the list of fonts takes a while, so it is read once.
fn all_fonts() -> Database {
    static FONTS: OnceLock<Database> = OnceLock::new();
    let fonts = FONTS.get_or_init(|| {
        let mut fonts = bundled_fonts();
        fonts.load_system_fonts();
        fonts
    });
    fonts.clone()
}
