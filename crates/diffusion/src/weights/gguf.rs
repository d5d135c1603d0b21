//! The header of a GGUF file: its tensors with their types, shapes and positions, and what it says about the model.
//!
//! The format is that of ggml's `docs/gguf.md`, versions 2 and 3, with little-endian numbers. Types of blocks are those that candle
//! dequantises. Not here: the tensors' values; lists in the header, such as those of words.

use candle_core::quantized::GgmlDType;
use maquette_files::limits;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// The first bytes of every GGUF file.
pub(crate) const MAGIC: &[u8] = b"GGUF";
/// The most axes of a tensor.
const AXES: u32 = 4;
/// The alignment of tensors where the header does not state it.
const ALIGNMENT: u64 = 32;
/// The most bytes of a text that is kept.
const TEXT: usize = 256;
/// ggml's numbers of types, with the types here.
const TYPES: [(u32, GgmlDType); 13] = [
    (0, GgmlDType::F32),
    (1, GgmlDType::F16),
    (30, GgmlDType::BF16),
    (2, GgmlDType::Q4_0),
    (3, GgmlDType::Q4_1),
    (6, GgmlDType::Q5_0),
    (7, GgmlDType::Q5_1),
    (8, GgmlDType::Q8_0),
    (10, GgmlDType::Q2K),
    (11, GgmlDType::Q3K),
    (12, GgmlDType::Q4K),
    (13, GgmlDType::Q5K),
    (14, GgmlDType::Q6K),
];
const SUPPORTED: &str = "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K";

/// One tensor of a file.
#[derive(Debug)]
pub(crate) struct Blocks {
    pub dtype: GgmlDType,
    pub shape: Vec<usize>,
    /// The position of its values in the file.
    pub bytes: Range<usize>,
}

/// What a header says.
pub(crate) struct Gguf {
    pub tensors: BTreeMap<String, Blocks>,
    /// Its numbers and short texts by their keys, such as `general.architecture`.
    pub metadata: HashMap<String, String>,
}

/// Reads the header of a file. The error says what is wrong.
pub(crate) fn read(content: &[u8]) -> Result<Gguf, String> {
    let mut header = Cursor { content, at: MAGIC.len() };
    let version = header.u32()?;
    if !(2..=3).contains(&version) {
        return Err(format!("it is version {version} of GGUF; versions 2 and 3 are supported"));
    }
    let (count, values) = (header.u64()?, header.u64()?);
    let mut metadata = HashMap::new();
    for _ in 0..values {
        let key = header.text()?;
        let kind = header.u32()?;
        if let Some(value) = header.value(kind)? {
            metadata.insert(key.to_owned(), value);
        }
    }
    let stated = metadata.get("general.alignment").and_then(|stated| stated.parse().ok());
    let alignment: u64 = stated.unwrap_or(ALIGNMENT);
    if !alignment.is_multiple_of(8) || alignment == 0 {
        return Err(format!("its alignment is {alignment}, which is not a multiple of 8"));
    }
    let mut infos = Vec::new();
    for _ in 0..count {
        infos.push(header.info()?);
    }
    maquette_files::check_size(header.at as u64, limits::TENSOR_HEADER)
        .map_err(|error| format!("its header: {error}"))?;
    let start = (header.at as u64).next_multiple_of(alignment);
    let mut tensors = BTreeMap::new();
    for Info { name, shape, dtype, offset } in infos {
        let wrong = |what: &str| format!("its tensor `{name}` {what}");
        let length = length(dtype, &shape).ok_or_else(|| wrong("has no whole number of blocks in a row"))?;
        if !offset.is_multiple_of(alignment) {
            return Err(wrong("is not aligned"));
        }
        let from = start.checked_add(offset);
        let end = from.and_then(|from| from.checked_add(length)).filter(|&end| end <= content.len() as u64);
        let (Some(from), Some(end)) = (from, end) else { return Err(wrong("is beyond the end of the file")) };
        let entry = Blocks { dtype, shape, bytes: from as usize..end as usize };
        if tensors.insert(name.to_owned(), entry).is_some() {
            return Err(wrong("is there twice"));
        }
    }
    Ok(Gguf { tensors, metadata })
}

/// The bytes of a tensor; `None` if its rows are no whole blocks, or if that is beyond all numbers.
fn length(dtype: GgmlDType, shape: &[usize]) -> Option<u64> {
    let block = dtype.block_size();
    if !shape.last().copied().unwrap_or(1).is_multiple_of(block) {
        return None;
    }
    let count = shape.iter().try_fold(1_u64, |count, &axis| count.checked_mul(axis as u64))?;
    (count / block as u64).checked_mul(dtype.type_size() as u64)
}

fn unknown(kind: u32) -> String {
    format!("its header has a value of the unknown type {kind}")
}

/// What the header says about a tensor.
struct Info<'a> {
    name: &'a str,
    shape: Vec<usize>,
    dtype: GgmlDType,
    /// From the start of the data.
    offset: u64,
}

/// A place in the header.
struct Cursor<'a> {
    content: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: u64) -> Result<&'a [u8], String> {
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        let taken = end.and_then(|end| self.content.get(self.at..end));
        let taken = taken.ok_or("the file ends inside of its header")?;
        self.at += taken.len();
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, String> {
        Ok(self.take(4)?.iter().rev().fold(0, |sum, &byte| sum << 8 | u32::from(byte)))
    }

    fn u64(&mut self) -> Result<u64, String> {
        Ok(self.take(8)?.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
    }

    fn text(&mut self) -> Result<&'a str, String> {
        let length = self.u64()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| "a text in its header is not UTF-8".to_owned())
    }

    /// The next bytes, as many as a number has.
    fn number<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N as u64)?.try_into().map_err(|_| "the file ends inside of its header".to_owned())
    }

    /// A value of metadata; `None` for lists and long texts, which are passed over.
    fn value(&mut self, kind: u32) -> Result<Option<String>, String> {
        Ok(Some(match kind {
            0 | 7 => u8::from_le_bytes(self.number()?).to_string(),
            1 => i8::from_le_bytes(self.number()?).to_string(),
            2 => u16::from_le_bytes(self.number()?).to_string(),
            3 => i16::from_le_bytes(self.number()?).to_string(),
            4 => self.u32()?.to_string(),
            5 => i32::from_le_bytes(self.number()?).to_string(),
            6 => f32::from_le_bytes(self.number()?).to_string(),
            10 => self.u64()?.to_string(),
            11 => i64::from_le_bytes(self.number()?).to_string(),
            12 => f64::from_le_bytes(self.number()?).to_string(),
            8 => match self.text()? {
                text if text.len() <= TEXT => text.to_owned(),
                _ => return Ok(None),
            },
            9 => {
                let (kind, count) = (self.u32()?, self.u64()?);
                if kind == 9 {
                    return Err("its header has a list of lists".to_owned());
                }
                for _ in 0..count {
                    self.pass(kind)?;
                }
                return Ok(None);
            }
            other => return Err(unknown(other)),
        }))
    }

    /// Passes over a value of a list.
    fn pass(&mut self, kind: u32) -> Result<(), String> {
        match kind {
            0 | 1 | 7 => _ = self.take(1)?,
            2 | 3 => _ = self.take(2)?,
            4..=6 => _ = self.take(4)?,
            10..=12 => _ = self.take(8)?,
            8 => _ = self.text()?,
            other => return Err(unknown(other)),
        }
        Ok(())
    }

    fn info(&mut self) -> Result<Info<'a>, String> {
        let name = self.text()?;
        let axes = self.u32()?;
        if axes > AXES {
            return Err(format!("its tensor `{name}` has {axes} axes; at most {AXES} are supported"));
        }
        let mut shape = Vec::new();
        for _ in 0..axes {
            let length = usize::try_from(self.u64()?);
            shape.push(length.map_err(|_| format!("its tensor `{name}` is too large"))?);
        }
        // ggml has the axis whose values are neighbours first.
        shape.reverse();
        let kind = self.u32()?;
        let dtype = TYPES.iter().find(|(number, _)| *number == kind).map(|(_, dtype)| *dtype);
        let dtype = dtype.ok_or_else(|| {
            format!(
                "its tensor `{name}` has ggml's type {kind}, which is not supported. Supported: {SUPPORTED}"
            )
        })?;
        Ok(Info { name, shape, dtype, offset: self.u64()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::quantized::{QStorage, QTensor, gguf_file};
    use candle_core::{Device, Tensor};
    use std::borrow::Cow;

    /// A file with a tensor of each kind, and the values that candle gives for them.
    fn file() -> (Vec<u8>, Vec<(String, Vec<f32>)>) {
        let values: Vec<f32> = (0..1024).map(|at| (at as f32 * 0.37).sin()).collect();
        let tensor = Tensor::from_vec(values, (2, 512), &Device::Cpu).unwrap();
        let kinds = [GgmlDType::F32, GgmlDType::F16, GgmlDType::BF16, GgmlDType::Q4_0, GgmlDType::Q8_0];
        let kinds = [&kinds[..], &[GgmlDType::Q4K, GgmlDType::Q5K, GgmlDType::Q6K]].concat();
        let tensors = kinds.iter().map(|&kind| {
            let tensor = QTensor::quantize(&tensor, kind).unwrap();
            (format!("{kind:?}"), tensor)
        });
        let tensors: Vec<(String, QTensor)> = tensors.collect();
        let named: Vec<(&str, &QTensor)> =
            tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        let text = gguf_file::Value::String("lumina2".to_owned());
        let list = gguf_file::Value::Array(vec![gguf_file::Value::U32(3), gguf_file::Value::U32(4)]);
        let mut bytes = std::io::Cursor::new(Vec::new());
        let number = gguf_file::Value::F32(5e6);
        let metadata =
            [("general.architecture", &text), ("list", &list), ("lumina2.rope.freq_base", &number)];
        gguf_file::write(&mut bytes, &metadata, &named).unwrap();
        let values = tensors.iter().map(|(name, tensor)| {
            let values = tensor.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap();
            (name.clone(), values.to_vec1().unwrap())
        });
        (bytes.into_inner(), values.collect())
    }

    #[test]
    fn values_are_those_of_candle() {
        let (bytes, expected) = file();
        let Gguf { tensors: found, metadata } = read(&bytes).unwrap();
        assert_eq!(metadata["general.architecture"], "lumina2");
        assert_eq!(metadata["lumina2.rope.freq_base"], "5000000");
        assert!(!metadata.contains_key("list"));
        assert_eq!(found.len(), expected.len());
        for (name, expected) in expected {
            let Blocks { dtype, shape, bytes: range } = &found[&name];
            assert_eq!(shape, &[2, 512]);
            let blocks = Cow::Borrowed(&bytes[range.clone()]);
            let blocks = QStorage::from_data(blocks, &Device::Cpu, *dtype).unwrap();
            let tensor = QTensor::new(blocks, &shape[..]).unwrap().dequantize(&Device::Cpu).unwrap();
            let tensor = tensor.flatten_all().unwrap();
            assert_eq!(tensor.to_vec1::<f32>().unwrap(), expected, "{name}");
        }
    }

    /// A file that is cut anywhere, or that has any byte of its header changed, is read or refused, and nothing else.
    #[test]
    fn damaged_files_are_refused() {
        let (bytes, _) = file();
        // After the last tensor there are zeros.
        let end = read(&bytes).unwrap().tensors.values().map(|entry| entry.bytes.end).max().unwrap();
        for length in MAGIC.len()..end {
            assert!(read(&bytes[..length]).is_err(), "{length}");
        }
        for at in MAGIC.len()..600 {
            for change in [1, 0x7f, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[at] ^= change;
                if let Ok(found) = read(&changed) {
                    assert!(found.tensors.values().all(|entry| entry.bytes.end <= bytes.len()));
                }
            }
        }
        let check = |at: usize, expected: &str| {
            let mut changed = bytes.clone();
            changed[at] = 0xff;
            let error = read(&changed).err().unwrap();
            assert!(error.contains(expected), "{error}");
        };
        check(4, "version 255 of GGUF");
        check(15, "the file ends inside of its header");
        check(31, "the file ends inside of its header");
    }
}
