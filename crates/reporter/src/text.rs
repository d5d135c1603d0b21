//! Typesets text in any script: from words and a width to pixels.
//!
//! Words are set in IBM Plex Sans. The fallback fonts are loaded only when it lacks a letter. A character that no font has
//! is drawn as a box; [`Typesetter::missing_glyphs`] lists such characters.

use crate::fonts::{REGULAR_FAMILY, SEMI_BOLD_FAMILY, plex, plex_and_fallback};
use crate::style::{Colour, Face};
use cosmic_text::fontdb::Family;
use cosmic_text::{
    Attrs, Buffer, Color, FontSystem, LayoutRun, Metrics, Shaping, SwashCache, SwashContent, Wrap,
};
use std::collections::BTreeSet;

/// Text to typeset: spans with their colours, a face, and the width at which lines break.
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

/// Typesets text. It caches fonts and glyphs; its output does not depend on earlier calls.
pub(crate) struct Typesetter {
    plex: Fonts,
    /// Plex and the fallback fonts; `None` until they are needed.
    all: Option<Fonts>,
}

struct Fonts {
    fonts: FontSystem,
    glyphs: SwashCache,
}

impl Typesetter {
    pub fn new() -> Typesetter {
        Typesetter { plex: Fonts::new(plex()), all: None }
    }

    /// Whether any text so far needed more than IBM Plex Sans.
    #[cfg(test)]
    pub fn needed_fallback(&self) -> bool {
        self.all.is_some()
    }

    /// The glyphs of the words from left to right, by their numbers in their fonts.
    #[cfg(test)]
    pub fn glyphs(&mut self, words: &str) -> Vec<u16> {
        let face = Face { size: 16.0, strong: false, tracking: 0.0, colour: [0; 3] };
        let (buffer, _) = self.set(&Text::plain(words, face, 1 << 20));
        let mut glyphs: Vec<_> = buffer.layout_runs().flat_map(|run| run.glyphs).collect();
        glyphs.sort_by(|a, b| a.x.total_cmp(&b.x));
        glyphs.iter().map(|glyph| glyph.glyph_id).collect()
    }

    /// The characters of the words that no font has.
    pub fn missing_glyphs(&mut self, words: &str) -> BTreeSet<char> {
        let face = Face { size: 16.0, strong: false, tracking: 0.0, colour: [0; 3] };
        let mut boxes = |words: &str| -> BTreeSet<String> {
            let (buffer, _) = self.set(&Text::plain(words, face, 1 << 20));
            let boxes = |run: LayoutRun<'_>| -> Vec<String> {
                let boxes = run.glyphs.iter().filter(|glyph| glyph.glyph_id == 0);
                boxes.map(|glyph| run.text[glyph.start..glyph.end].to_owned()).collect()
            };
            buffer.layout_runs().flat_map(boxes).collect()
        };
        let mut missing = BTreeSet::new();
        for cluster in boxes(words) {
            // Of a letter and its marks a single one may be missing. Or each exists, but no font has all of them.
            let alone = |letter: &char| !boxes(letter.encode_utf8(&mut [0; 4])).is_empty();
            let letters: Vec<char> = cluster.chars().filter(alone).collect();
            missing.extend(if letters.is_empty() { cluster.chars().collect() } else { letters });
        }
        missing
    }

    /// Width and height of the typeset text in pixels; the width never exceeds the text's own.
    pub fn measure(&mut self, text: &Text) -> (u32, u32) {
        let (buffer, _) = self.set(text);
        let (mut width, mut height) = (0f32, 0f32);
        for run in buffer.layout_runs() {
            width = width.max(run.line_w);
            height = height.max(run.line_top + run.line_height);
        }
        ((width.ceil() as u32).min(text.width), height.ceil() as u32)
    }

    /// Draws the text with its top left corner at `x`, `y`; `paint` is called with each pixel and its opacity.
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
                    // Never returned: the cache renders plain coverage.
                    SwashContent::SubpixelMask => {}
                }
            }
        }
    }

    /// The lines of the text, and the fonts in which they are set.
    fn set(&mut self, text: &Text) -> (Buffer, &mut Fonts) {
        let buffer = shape(text, &mut self.plex.fonts);
        let complete = buffer.layout_runs().all(|run| run.glyphs.iter().all(|glyph| glyph.glyph_id != 0));
        if complete {
            return (buffer, &mut self.plex);
        }
        let all = self.all.get_or_insert_with(|| Fonts::new(plex_and_fallback()));
        (shape(text, &mut all.fonts), all)
    }
}

impl Fonts {
    fn new(fonts: FontSystem) -> Fonts {
        Fonts { fonts, glyphs: SwashCache::new() }
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

/// The name of an axis in capitals.
pub(crate) fn uppercase(name: &str) -> String {
    name.to_uppercase()
}
