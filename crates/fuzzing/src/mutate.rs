//! Makes new inputs from known ones, without libFuzzer: any Rust can run them, and the same number makes the same input.

/// Numbers and signs that readers treat specially.
const WORDS: [&[u8]; 40] = [
    b"\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\n",
    b"\r\n",
    b"\"",
    b"'",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b"(",
    b")",
    b":",
    b",",
    b"|",
    b"=",
    b"/",
    b"..",
    b"../",
    b"-1",
    b"0",
    b"1e999",
    b"NaN",
    b"18446744073709551615",
    b"-9223372036854775808",
    b"4294967296",
    b"null",
    b"true",
    b"[[",
    b"{{",
    b"\xef\xbb\xbf",
    b"\xf0\x9f\x8e\xa8",
    b"\xe2\x80\xae",
    b"\xff",
    b" AND ",
    b" BREAK ",
    b"\x1b[",
];

/// A generator of numbers (splitmix64, Steele et al. 2014).
pub struct Numbers(pub u64);

impl Numbers {
    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.draw() % end.max(1) as u64) as usize
    }
}

/// An input that differs from one of `known` in one to eight places.
pub fn mutated(known: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
    let mut input = known[numbers.below(known.len())].clone();
    for _ in 0..1 + numbers.below(8) {
        let at = numbers.below(input.len() + 1);
        let end = (at + 1 + numbers.below(16)).min(input.len());
        match numbers.below(9) {
            // A bit, a byte, a small step.
            0 => input.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << numbers.below(8)),
            1 => input.iter_mut().skip(at).take(1).for_each(|byte| *byte = numbers.draw() as u8),
            2 => input.iter_mut().skip(at).take(1).for_each(|byte| *byte = byte.wrapping_add(1)),
            3 => drop(input.drain(at.min(end)..end)),
            4 => {
                let copy = input[at.min(end)..end].repeat(1 + numbers.below(40));
                input.splice(at..at, copy);
            }
            5 => input.truncate(at),
            6 => {
                let other = &known[numbers.below(known.len())];
                let from = numbers.below(other.len());
                let piece = &other[from..(from + numbers.below(200)).min(other.len())];
                input.splice(at..at, piece.iter().copied());
            }
            7 => {
                let word = WORDS[numbers.below(WORDS.len())];
                input.splice(at..(at + word.len()).min(input.len()), word.iter().copied());
            }
            _ => {
                let word = WORDS[numbers.below(WORDS.len())];
                input.splice(at..at, word.iter().copied());
            }
        }
    }
    input
}
