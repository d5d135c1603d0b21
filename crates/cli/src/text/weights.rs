//! How much memory the weights of models take, as text.

use bytesize::ByteSize;
use maquette::{Excess, ModelWeights, PartSize};

/// The weights of a model by part, and the most that is in memory at once.
pub fn weights(ModelWeights { model, dtype, size, .. }: &ModelWeights) -> String {
    let part = |PartSize { part, memory, in_file, .. }: &PartSize| match in_file {
        0 => format!("{part} {}", bytes(*memory)),
        in_file => format!("{part} {} and {} left in its file", bytes(*memory), bytes(*in_file)),
    };
    let loras = (size.loras > 0).then(|| format!("lora {}", bytes(size.loras)));
    let parts: Vec<String> = size.parts.iter().map(part).chain(loras).collect();
    let (at_once, offloaded) = (bytes(size.at_once()), bytes(size.offloaded));
    format!(
        "{model} in {}: {}; {at_once} at once, with --offload {offloaded} or what fits",
        dtype.as_str(),
        parts.join(", ")
    )
}

/// Why the weights of a model do not fit and what to do, if they do not.
pub fn excess(ModelWeights { model, dtype, size, offload, excess }: &ModelWeights) -> Option<String> {
    let Excess { device, available, fits_in, fits_offloaded, packs } = excess.as_ref()?;
    let dtype = dtype.as_str();
    let (needed, how) = match offload {
        true => (size.offloaded, " with --offload"),
        false => (size.at_once(), ""),
    };
    let (needed, available) = (bytes(needed), bytes(*available));
    let mut cures = Vec::new();
    if *fits_offloaded {
        cures.push(format!("use `--offload`, with which they take {}", bytes(size.offloaded)));
    }
    cures.extend(fits_in.map(|other| format!("set `dtype = \"{}\"`", other.as_str())));
    if *packs {
        cures.push(
            "use a file of its transformer with 8-bit floats or in GGUF (see docs/models.md)".to_owned(),
        );
    }
    if cures.is_empty() {
        cures.push("use a smaller model".to_owned());
    }
    let cures = cures.join(", or ");
    Some(format!(
        "the weights of {model} take {needed} at once in {dtype}{how}, but {device} has {available}: {cures}"
    ))
}

fn bytes(count: u64) -> String {
    ByteSize::b(count).display().iec().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use maquette::{DeviceName, Dtype, ModelSize};

    fn model(excess: Option<Excess>) -> ModelWeights {
        let part = |part: &str, memory, in_file| PartSize {
            part: part.to_owned(),
            memory,
            in_file,
            ..PartSize::default()
        };
        let parts = vec![
            part("text_encoder", 7 << 30, 0),
            part("transformer", 3 << 20, 5 << 30),
            part("vae", 160 << 20, 0),
        ];
        let size = ModelSize { parts, takes_turns: true, loras: 40 << 20, offloaded: 600 << 20 };
        ModelWeights { model: "models/large".to_owned(), dtype: Dtype::F32, size, offload: false, excess }
    }

    #[test]
    fn parts_and_the_most_at_once_are_named() {
        insta::assert_snapshot!(weights(&model(None)), @"models/large in f32: text_encoder 7.0 GiB, transformer 3.0 MiB and 5.0 GiB left in its file, vae 160.0 MiB, lora 40.0 MiB; 7.2 GiB at once, with --offload 600.0 MiB or what fits");
        assert_eq!(excess(&model(None)), None);
    }

    #[test]
    fn what_does_not_fit_says_what_to_do() {
        let excess = |fits_in, fits_offloaded, packs| {
            let (device, available) = (DeviceName::Cuda(0), 6 << 30);
            model(Some(Excess { device, available, fits_in, fits_offloaded, packs }))
        };
        let text = |fits_in, packs| super::excess(&excess(fits_in, true, packs)).unwrap();
        insta::assert_snapshot!(text(Some(Dtype::Bf16), true), @r#"the weights of models/large take 7.2 GiB at once in f32, but cuda:0 has 6.0 GiB: use `--offload`, with which they take 600.0 MiB, or set `dtype = "bf16"`, or use a file of its transformer with 8-bit floats or in GGUF (see docs/models.md)"#);
        let large = ModelWeights { offload: true, ..excess(None, false, false) };
        insta::assert_snapshot!(super::excess(&large).unwrap(), @"the weights of models/large take 600.0 MiB at once in f32 with --offload, but cuda:0 has 6.0 GiB: use a smaller model");
    }
}
