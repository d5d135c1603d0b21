//! Reads torch's pickles without running any code: enough of the format for a dictionary of tensors.
//!
//! A pickle is a program that builds values; here its calls are only recorded, by name. Not here: models, which are not
//! read from pickles at all, and files from before torch 1.6, which are not zip archives.

use candle_core::{DType, Device, Tensor};
use std::collections::HashMap;
use std::io::{Cursor, Read};
use zip::ZipArchive;

/// The longest program that is read, in bytes; those of embeddings are shorter.
const LONGEST: u64 = 1 << 20;

/// A value by its index among all values: a value may be part of several others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place(usize);

enum Value {
    Text(String),
    Int(i64),
    /// A value that embeddings do not need: a number, a flag, None.
    Plain,
    /// Tuples and lists.
    List(Vec<Place>),
    Dict(Vec<(Place, Place)>),
    Class(String),
    Call {
        class: Place,
        arguments: Place,
        state: Option<Place>,
    },
    Storage(Place),
}

/// A pickle and its archive.
pub(super) struct Pickle<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    folder: String,
    values: Vec<Value>,
    root: Place,
}

impl<'a> Pickle<'a> {
    /// Reads the program in a file; the error says what is wrong with the file.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Pickle<'a>, String> {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| {
            let hint = "if it was saved by torch before 1.6, load and save it with a newer version";
            format!("it is not a zip archive ({error}); {hint}")
        })?;
        let name = archive.file_names().find_map(|name| {
            let name = name.ok()?;
            (name == "data.pkl" || name.ends_with("/data.pkl")).then(|| name.into_owned())
        });
        let name = name.ok_or("it has no data.pkl")?;
        let mut program = Vec::new();
        let file = archive.by_name(&name).map_err(|error| error.to_string())?;
        file.take(LONGEST).read_to_end(&mut program).map_err(|error| error.to_string())?;
        Pickle::run(archive, name.trim_end_matches("data.pkl"), &program)
    }

    fn run(
        archive: ZipArchive<Cursor<&'a [u8]>>,
        folder: &str,
        program: &[u8],
    ) -> Result<Pickle<'a>, String> {
        let mut machine = Machine {
            program,
            at: 0,
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        };
        let root = machine.run().ok_or_else(|| format!("its data.pkl is invalid at byte {}", machine.at))?;
        Ok(Pickle { archive, folder: folder.to_owned(), values: machine.values, root })
    }

    pub(super) fn root(&self) -> Place {
        self.root
    }

    /// The entries of a dictionary with text keys, also of torch's `ParameterDict`.
    pub(super) fn entries(&self, place: Place) -> Vec<(&str, Place)> {
        let Value::Call { state: Some(state), .. } = &self.values[place.0] else { return self.dict(place) };
        let state = self.dict(*state);
        // Older versions keep their tensors in an inner dictionary.
        let inner = state.iter().find(|(key, _)| *key == "_parameters").map(|(_, inner)| self.dict(*inner));
        inner.filter(|inner| !inner.is_empty()).unwrap_or(state)
    }

    fn dict(&self, place: Place) -> Vec<(&str, Place)> {
        let Value::Dict(entries) = &self.values[place.0] else { return Vec::new() };
        entries.iter().filter_map(|(key, value)| Some((self.text(*key)?, *value))).collect()
    }

    pub(super) fn text(&self, place: Place) -> Option<&str> {
        match &self.values[place.0] {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether a value is a tensor.
    pub(super) fn is_tensor(&self, place: Place) -> bool {
        self.rebuilt(place).is_some()
    }

    /// A tensor; `None` if the value is not a tensor, or not one that an embedding could be.
    pub(super) fn tensor(&mut self, place: Place) -> Option<Tensor> {
        // storage, offset, size, stride (torch._utils._rebuild_tensor_v2)
        let &[storage, offset, size, stride, ..] = self.rebuilt(place)? else { return None };
        let (offset, size, stride) = (self.count(offset)?, self.counts(size)?, self.counts(stride)?);
        // 'storage', class, key, device, number of elements
        let Value::Storage(id) = self.values[storage.0] else { return None };
        let &[_, class, key, ..] = self.list(id)? else { return None };
        let Value::Class(class) = &self.values[class.0] else { return None };
        let dtype = match class.as_str() {
            "torch.FloatStorage" => DType::F32,
            "torch.HalfStorage" => DType::F16,
            "torch.BFloat16Storage" => DType::BF16,
            "torch.DoubleStorage" => DType::F64,
            _ => return None,
        };
        let mut expected = 1;
        for (&size, &stride) in size.iter().zip(&stride).rev() {
            if size != 1 && stride != expected {
                return None;
            }
            expected = expected.checked_mul(size)?;
        }
        let name = format!("{}data/{}", self.folder, self.text(key)?);
        let mut bytes = Vec::new();
        self.archive.by_name(&name).ok()?.read_to_end(&mut bytes).ok()?;
        let start = offset.checked_mul(dtype.size_in_bytes())?;
        let end = start.checked_add(expected.checked_mul(dtype.size_in_bytes())?)?;
        Tensor::from_raw_buffer(bytes.get(start..end)?, dtype, &size, &Device::Cpu).ok()
    }

    /// The arguments of the call that rebuilds a tensor or a parameter.
    fn rebuilt(&self, place: Place) -> Option<&[Place]> {
        let (class, arguments) = self.call(place)?;
        let (class, arguments) = match class {
            "torch._utils._rebuild_parameter" => self.call(*arguments.first()?)?,
            _ => (class, arguments),
        };
        (class == "torch._utils._rebuild_tensor_v2").then_some(arguments)
    }

    fn call(&self, place: Place) -> Option<(&str, &[Place])> {
        let Value::Call { class, arguments, .. } = &self.values[place.0] else { return None };
        let Value::Class(class) = &self.values[class.0] else { return None };
        Some((class, self.list(*arguments)?))
    }

    fn list(&self, place: Place) -> Option<&[Place]> {
        match &self.values[place.0] {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    fn count(&self, place: Place) -> Option<usize> {
        match self.values[place.0] {
            Value::Int(count) => usize::try_from(count).ok(),
            _ => None,
        }
    }

    fn counts(&self, place: Place) -> Option<Vec<usize>> {
        self.list(place)?.iter().map(|&place| self.count(place)).collect()
    }
}

/// Runs the steps of a pickle, protocol 2 as torch writes it (Python's `pickletools.py` lists them).
struct Machine<'p> {
    program: &'p [u8],
    at: usize,
    values: Vec<Value>,
    stack: Vec<Place>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Place>,
}

impl Machine<'_> {
    /// The program's result; `None` if the program is invalid.
    fn run(&mut self) -> Option<Place> {
        loop {
            match self.byte()? {
                b'.' => return self.stack.pop(),
                0x80 => drop(self.byte()?),
                b'(' => self.marks.push(self.stack.len()),
                b'}' => self.push(Value::Dict(Vec::new())),
                b']' | b')' => self.push(Value::List(Vec::new())),
                b'N' | 0x88 | 0x89 => self.push(Value::Plain),
                b'G' => {
                    self.bytes(8)?;
                    self.push(Value::Plain);
                }
                b'K' => self.int::<1>()?,
                b'M' => self.int::<2>()?,
                b'J' => self.int::<4>()?,
                0x8a => {
                    let length = usize::from(self.byte()?);
                    let bytes = self.bytes(length)?;
                    let small = length <= 7;
                    let value =
                        bytes.iter().rev().fold(0i64, |sum, &byte| sum.wrapping_mul(256) + i64::from(byte));
                    self.push(if small { Value::Int(value) } else { Value::Plain });
                }
                b'X' => {
                    let length = self.number()?;
                    let text = String::from_utf8(self.bytes(length as usize)?.to_vec()).ok()?;
                    self.push(Value::Text(text));
                }
                b'c' => {
                    let (module, class) = (self.line()?, self.line()?);
                    self.push(Value::Class(format!("{module}.{class}")));
                }
                b'q' => {
                    let number = u32::from(self.byte()?);
                    self.memo.insert(number, *self.stack.last()?);
                }
                b'r' => {
                    let number = self.number()?;
                    self.memo.insert(number, *self.stack.last()?);
                }
                b'h' => {
                    let number = u32::from(self.byte()?);
                    self.stack.push(*self.memo.get(&number)?);
                }
                b'j' => {
                    let number = self.number()?;
                    self.stack.push(*self.memo.get(&number)?);
                }
                b't' => {
                    let items = self.marked()?;
                    self.push(Value::List(items));
                }
                count @ 0x85..=0x87 => {
                    let height = self.stack.len().checked_sub(usize::from(count - 0x84))?;
                    let items = self.stack.split_off(height);
                    self.push(Value::List(items));
                }
                b'a' => {
                    let item = self.stack.pop()?;
                    self.extend(&[item])?;
                }
                b'e' => {
                    let items = self.marked()?;
                    self.extend(&items)?;
                }
                b's' => {
                    let (value, key) = (self.stack.pop()?, self.stack.pop()?);
                    self.extend(&[key, value])?;
                }
                b'u' => {
                    let items = self.marked()?;
                    self.extend(&items)?;
                }
                b'R' | 0x81 => {
                    let (arguments, class) = (self.stack.pop()?, self.stack.pop()?);
                    let class_of = &self.values[class.0];
                    let ordered = matches!(class_of, Value::Class(it) if it == "collections.OrderedDict");
                    self.push(match ordered {
                        true => Value::Dict(Vec::new()),
                        false => Value::Call { class, arguments, state: None },
                    });
                }
                b'b' => {
                    let built = self.stack.pop()?;
                    // The state of other values, such as a dictionary's attributes, is ignored.
                    if let Value::Call { state, .. } = &mut self.values[self.stack.last()?.0] {
                        *state = Some(built);
                    }
                }
                b'Q' => {
                    let id = self.stack.pop()?;
                    self.push(Value::Storage(id));
                }
                _ => return None,
            }
        }
    }

    fn push(&mut self, value: Value) {
        self.stack.push(Place(self.values.len()));
        self.values.push(value);
    }

    /// Adds to the list or the dictionary on top of the stack.
    fn extend(&mut self, items: &[Place]) -> Option<()> {
        match &mut self.values[self.stack.last()?.0] {
            Value::List(list) => list.extend(items),
            Value::Dict(entries) => entries.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1]))),
            _ => return None,
        }
        Some(())
    }

    fn marked(&mut self) -> Option<Vec<Place>> {
        let height = self.marks.pop()?;
        (height <= self.stack.len()).then(|| self.stack.split_off(height))
    }

    fn byte(&mut self) -> Option<u8> {
        Some(self.bytes(1)?[0])
    }

    fn bytes(&mut self, length: usize) -> Option<&[u8]> {
        let bytes = self.program.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(bytes)
    }

    /// An unsigned integer of four bytes.
    fn number(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes(4)?.try_into().ok()?))
    }

    /// An integer of `N` bytes; only those of four bytes are signed.
    fn int<const N: usize>(&mut self) -> Option<()> {
        let mut bytes = [0; 4];
        bytes[..N].copy_from_slice(self.bytes(N)?);
        self.push(Value::Int(i64::from(i32::from_le_bytes(bytes))));
        Some(())
    }

    fn line(&mut self) -> Option<String> {
        let length = self.program.get(self.at..)?.iter().position(|&byte| byte == b'\n')?;
        let line = String::from_utf8(self.bytes(length)?.to_vec()).ok();
        self.at += 1;
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every program terminates, and its values can be read.
    #[test]
    fn damaged_programs_are_harmless() {
        let bytes =
            std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/embeddings/module.pt"))
                .unwrap();
        let archive = || ZipArchive::new(Cursor::new(bytes.as_slice())).unwrap();
        let mut program = Vec::new();
        archive().by_name("module/data.pkl").unwrap().read_to_end(&mut program).unwrap();
        let (mut whole, mut ended) = (0, 0);
        for at in 0..program.len() {
            for value in (0..=255).step_by(3) {
                let mut damaged = program.clone();
                damaged[at] = value;
                let Ok(mut pickle) = Pickle::run(archive(), "module/", &damaged) else { continue };
                ended += 1;
                let entries: Vec<Place> =
                    pickle.entries(pickle.root()).into_iter().map(|(_, place)| place).collect();
                for place in entries {
                    let tensors: Vec<Place> =
                        pickle.entries(place).into_iter().map(|(_, place)| place).collect();
                    whole += tensors.into_iter().filter(|place| pickle.tensor(*place).is_some()).count();
                }
            }
        }
        assert!(whole > 85 && ended > whole && ended < 85 * program.len(), "{whole}, {ended}");
    }
}
