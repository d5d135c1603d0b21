//! Measures the parts of a model: `cargo bench -p maquette-diffusion --bench speed -- --help`.
//!
//! Prints the median of several calls, in milliseconds, at the size that the model was trained on. The device is opened as
//! the program opens it and waited for before each reading of the clock. There is no threshold: it never fails because of
//! slow results.
#![allow(clippy::print_stdout, missing_docs)]

use candle_core::{DType, Device, Result, Tensor};
use maquette_diffusion::{DeviceName, ModelSource, StableDiffusion};
use serde_json::json;
use std::time::Instant;

/// That of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Fallible<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
Measures the parts of a Stable Diffusion 1 or 2 model

Usage: speed [FOLDER] [OPTIONS]

  FOLDER                the model in diffusers' layout; by default the bundled model
  --device DEVICE       auto, cpu, cuda, cuda:N or metal; default: cpu
  --dtype DTYPE         f32, f16 or bf16; default: f32
  --parts PARTS         some of: text, unet, decode, encode; default: all of them
  --rows ROWS           rows of the UNet calls, such as 2,4,8,16,32; default: 2
  --json                one JSON object per line";

struct Arguments {
    folder: String,
    device: DeviceName,
    dtype: DType,
    parts: Vec<String>,
    rows: Vec<usize>,
    json: bool,
}

const PARTS: [&str; 4] = ["text", "unet", "decode", "encode"];

fn main() -> Fallible<()> {
    let Some(arguments) = Arguments::read(std::env::args().skip(1))? else {
        println!("{HELP}");
        return Ok(());
    };
    let device = arguments.device.open()?;
    let start = Instant::now();
    let source = ModelSource::Folder(arguments.folder.as_str().into());
    let model = StableDiffusion::load(&source, &device, arguments.dtype)?;
    device.synchronize()?;
    let load = start.elapsed().as_secs_f64() * 1e3;
    if !arguments.json {
        println!("{}, {}, {}", arguments.folder, arguments.device, arguments.dtype.as_str());
        println!("load: {load:.0} ms");
    }
    measure_all(&Bench { device: &device, arguments: &arguments }, &model)
}

impl Arguments {
    /// `None` if help was requested. cargo's own `--bench` is ignored.
    fn read(mut words: impl Iterator<Item = String>) -> Fallible<Option<Arguments>> {
        let bundled = concat!(env!("CARGO_MANIFEST_DIR"), "/../sketchbook/weights");
        let mut read = Arguments {
            folder: bundled.to_owned(),
            device: DeviceName::Cpu,
            dtype: DType::F32,
            parts: PARTS.map(str::to_owned).to_vec(),
            rows: vec![2],
            json: false,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("`{word}` needs a value; see --help"));
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--bench" => {}
                "--json" => read.json = true,
                "--device" => read.device = value()?.parse()?,
                "--dtype" => {
                    read.dtype = match value()?.as_str() {
                        "f32" => DType::F32,
                        "f16" => DType::F16,
                        "bf16" => DType::BF16,
                        other => return Err(format!("no dtype `{other}`; allowed: f32, f16, bf16").into()),
                    }
                }
                "--parts" => {
                    read.parts = value()?.split(',').map(|part| part.trim().to_owned()).collect();
                    if let Some(part) = read.parts.iter().find(|part| !PARTS.contains(&part.as_str())) {
                        return Err(format!("no part `{part}`; allowed: {}", PARTS.join(", ")).into());
                    }
                }
                "--rows" => {
                    let count = |word: &str| match word.trim().parse() {
                        Ok(count) if count > 0 => Ok(count),
                        _ => Err(format!("no count of rows: `{word}`; allowed: numbers from 1, such as 2,4")),
                    };
                    read.rows = value()?.split(',').map(count).collect::<std::result::Result<_, _>>()?;
                }
                option if option.starts_with('-') => {
                    return Err(format!("no option `{option}`; see --help").into());
                }
                folder => read.folder = folder.to_owned(),
            }
        }
        Ok(Some(read))
    }
}

fn measure_all(bench: &Bench, model: &StableDiffusion) -> Fallible<()> {
    let size = model.unet.sample_size;
    let pixels = size * model.vae.factor();
    // The numbers only have to be unlike zeros, which some GPUs multiply faster.
    #[allow(clippy::disallowed_methods)]
    let normal = |shape: [usize; 4]| Tensor::randn(0f32, 1.0, &shape, &Device::Cpu)?.to_device(bench.device);
    let ids = model.tokenizer.encode("a portrait of a woman with a red hat")?.ids;

    let wanted = |part: &str| bench.arguments.parts.iter().any(|wanted| wanted == part);
    if wanted("text") {
        bench.measure("text encoder", 1, || model.text_encoder.encode(&ids, 0));
    }
    for &rows in bench.arguments.rows.iter().filter(|_| wanted("unet")) {
        let inputs = || {
            let latents = normal([rows, model.unet.in_channels, size, size])?;
            Ok((latents, model.text_encoder.encode(&ids, 0)?.repeat((rows, 1, 1))?))
        };
        let timesteps = vec![500.0; rows];
        bench.measure_with("UNet", rows, inputs, |(latents, text)| {
            model.unet.forward(latents, &timesteps, text)
        });
    }
    for pictures in [1, 4].into_iter().filter(|_| wanted("decode")) {
        let latents = || normal([pictures, model.vae.latent_channels, size, size]);
        bench.measure_with("VAE decode", pictures, latents, |latents| model.vae.decode(latents));
    }
    if wanted("encode") {
        let image = || normal([1, 3, pixels, pixels]);
        bench.measure_with("VAE encode", 1, image, |image| Ok(model.vae.encode(image)?.0));
    }
    Ok(())
}

struct Bench<'a> {
    device: &'a Device,
    arguments: &'a Arguments,
}

/// The times of calls, in milliseconds.
struct Times {
    median: f64,
    least: f64,
    count: usize,
}

impl Bench<'_> {
    fn measure(&self, name: &str, rows: usize, call: impl Fn() -> Result<Tensor>) {
        self.measure_with(name, rows, || Ok(()), |()| call());
    }

    /// Prints a line: the times, or why there are none. An error, such as too little memory, does not end the others.
    fn measure_with<T>(
        &self,
        name: &str,
        rows: usize,
        inputs: impl Fn() -> Result<T>,
        call: impl Fn(&T) -> Result<Tensor>,
    ) {
        let times = inputs().and_then(|inputs| self.times(|| call(&inputs)));
        // The first line: a backtrace may follow.
        let text =
            |error: candle_core::Error| error.to_string().lines().next().unwrap_or_default().to_owned();
        if self.arguments.json {
            let (dtype, device) = (self.arguments.dtype.as_str(), self.arguments.device.to_string());
            let mut line = json!({ "name": name, "rows": rows, "dtype": dtype, "device": device });
            match times {
                Ok(Times { median, least, count }) => {
                    line["median_ms"] = json!(median);
                    line["least_ms"] = json!(least);
                    line["of"] = json!(count);
                }
                Err(error) => line["error"] = json!(text(error)),
            }
            println!("{line}");
            return;
        }
        let rows = if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") };
        match times {
            Ok(Times { median, least, count }) => {
                println!("{name}, {rows}: {median:.2} ms (least {least:.2}, of {count})");
            }
            Err(error) => println!("{name}, {rows}: {}", text(error)),
        }
    }

    /// The times of 3 to 30 calls, for about 3 seconds, after one that compiles and loads kernels and chooses algorithms,
    /// and one with all of that done.
    fn times(&self, call: impl Fn() -> Result<Tensor>) -> Result<Times> {
        let timed = || -> Result<f64> {
            self.device.synchronize()?;
            let start = Instant::now();
            let result = call()?;
            self.device.synchronize()?;
            let time = start.elapsed().as_secs_f64() * 1e3;
            drop(result);
            Ok::<_, candle_core::Error>(time)
        };
        let first = timed()?;
        if first < 1e3 {
            timed()?;
        }
        let begin = Instant::now();
        let mut times = Vec::new();
        while times.len() < 30 && (times.len() < 3 || begin.elapsed().as_secs_f64() < 3.0) {
            times.push(timed()?);
        }
        times.sort_by(f64::total_cmp);
        Ok(Times { median: times[times.len() / 2], least: times[0], count: times.len() })
    }
}
