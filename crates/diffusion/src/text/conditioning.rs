//! The conditioning of a picture: the embeddings of each UNet call, and one prediction from its rows.
//!
//! Not here: parsing prompts (`dialect/`) and embedding their texts (`embed.rs`).

use crate::text::dialect::compose;
use crate::text::encoded_prompt::EncodedPrompt;
use candle_core::{Result, Tensor};
use maquette_core::{Dialect, Scheduler, Settings};

/// The embeddings of one picture's prompts, from its first UNet call to its last.
pub(crate) struct Conditioning {
    /// The negative prompt; `None` without guidance.
    negative: Option<Timeline>,
    /// The prompts joined by `AND`, and their weights; otherwise a single one with the weight 1.
    positive: Vec<(Timeline, f64)>,
    /// The length of all embeddings; 0 if they have their own.
    length: usize,
    normalise: Option<Normalise>,
}

/// What a family makes of a guided prediction, `[1, channels, height, width]`, beside that at a guidance scale of 1.
pub(crate) type Normalise = fn(&Tensor, &Tensor) -> Result<Tensor>;

/// The embeddings of one prompt over the steps.
pub(crate) struct Timeline {
    /// The last step of each, as [`crate::text::dialect::schedule`] counts, and the embedding. Never empty.
    pub stages: Vec<(usize, EncodedPrompt)>,
}

impl Timeline {
    /// The embedding of a step, counted from 0.
    ///
    /// The steps of a prompt count from 1, but those of A1111's samplers from 0, so there a text is used for one step
    /// more than is written, and the last one for one step less. The same is done here, to give the same pictures.
    fn at(&self, step: usize) -> &EncodedPrompt {
        let stage = self.stages.iter().find(|(until, _)| step <= *until);
        &stage.unwrap_or(&self.stages[self.stages.len() - 1]).1
    }

    /// The same with all values zero.
    pub fn zeroed(&self) -> Result<Timeline> {
        let zeroed = |(until, embedding): &(usize, EncodedPrompt)| Ok((*until, embedding.zeroed()?));
        Ok(Timeline { stages: self.stages.iter().map(zeroed).collect::<Result<_>>()? })
    }

    fn tokens(&self) -> Result<usize> {
        self.stages[0].1.sequence.dim(1)
    }

    /// Extends every embedding to `tokens` by repeating the result of `more`.
    fn lengthen(&mut self, tokens: usize, more: impl Fn(&Tensor) -> Result<Tensor>) -> Result<()> {
        for (_, EncodedPrompt { sequence, .. }) in &mut self.stages {
            let more = more(sequence)?;
            let times = tokens.saturating_sub(sequence.dim(1)?) / more.dim(1)?;
            if times > 0 {
                *sequence = Tensor::cat(&[&*sequence, &more.repeat((1, times, 1))?], 1)?;
            }
        }
        Ok(())
    }
}

impl Conditioning {
    /// Makes all embeddings as long as the longest.
    ///
    /// As in A1111, prompts joined by `AND` repeat their last vector; then the negative prompt or the others are padded
    /// with chunks of the `empty` text, `[1, tokens, width]` (its option to pad prompt and negative prompt).
    pub fn new(
        mut positive: Vec<(Timeline, f64)>,
        mut negative: Option<Timeline>,
        empty: Option<&Tensor>,
    ) -> Result<Conditioning> {
        let mut longest = 0;
        for (timeline, _) in &positive {
            longest = longest.max(timeline.tokens()?);
        }
        for (timeline, _) in &mut positive {
            timeline.lengthen(longest, |sequence| sequence.narrow(1, sequence.dim(1)? - 1, 1))?;
        }
        if let (Some(negative), Some(empty)) = (&mut negative, empty) {
            negative.lengthen(longest, |_| Ok(empty.clone()))?;
            let longest = negative.tokens()?;
            for (timeline, _) in &mut positive {
                timeline.lengthen(longest, |_| Ok(empty.clone()))?;
            }
        }
        let length = positive[0].0.tokens()?;
        Ok(Conditioning { negative, positive, length, normalise: None })
    }

    /// Embeddings that keep their lengths, for denoisers that compute rows of different lengths.
    pub fn with_own_lengths(positive: Vec<(Timeline, f64)>, negative: Option<Timeline>) -> Conditioning {
        Conditioning { negative, positive, length: 0, normalise: None }
    }

    /// The same for a family whose guided predictions are normalised, before `guidance_rescale`.
    pub fn normalised(self, normalise: Option<Normalise>) -> Conditioning {
        Conditioning { normalise, ..self }
    }

    /// How many rows it has in a UNet call, which uses the guidance scale or has a scale of 1.
    pub fn rows(&self, guided: bool) -> usize {
        self.positive.len() + usize::from(self.has_negative(guided))
    }

    /// Whether the first of these rows is the negative prompt's.
    pub fn has_negative(&self, guided: bool) -> bool {
        self.negative(guided).is_some()
    }

    /// The negative prompt of a call. At a scale of 1 a single prompt needs none; composed prompts do.
    fn negative(&self, guided: bool) -> Option<&Timeline> {
        let single = matches!(self.positive[..], [(_, 1.0)]);
        self.negative.as_ref().filter(|_| guided || !single)
    }

    /// The length of its embeddings, which must be the same for all rows of a UNet call; 0 if they have their own.
    pub fn tokens(&self) -> usize {
        self.length
    }

    /// The embeddings of a UNet call, counted from 0; the negative prompt's first.
    pub fn at(
        &self,
        scheduler: Scheduler,
        call: usize,
        guided: bool,
    ) -> impl Iterator<Item = &EncodedPrompt> {
        let step = step(scheduler, call);
        self.negative(guided)
            .into_iter()
            .chain(self.positive.iter().map(|(positive, _)| positive))
            .map(move |t| t.at(step))
    }

    /// One prediction, `[1, channels, height, width]`, from the predictions of all rows; a row alone is the prediction.
    ///
    /// Classifier-free guidance (Ho and Salimans, arXiv 2207.12598), each prompt with its weight (Liu et al.,
    /// arXiv 2206.01714): `negative + sum of guidance_scale * weight * (positive - negative)`. A `guidance_rescale` above
    /// 0 then moves its standard deviation by that fraction towards that of the same sum at a scale of 1.
    pub fn combine(&self, rows: &Tensor, guidance_scale: f64, guidance_rescale: f64) -> Result<Tensor> {
        if rows.dim(0)? == 1 {
            return Ok(rows.clone());
        }
        let mut guided = self.guided(rows, guidance_scale)?;
        let positive = || match &self.positive[..] {
            [(_, 1.0)] => rows.narrow(0, 1, 1),
            _ => self.guided(rows, 1.0),
        };
        if let Some(normalise) = self.normalise {
            guided = normalise(&guided, &positive()?)?;
        }
        match guidance_rescale {
            0.0 => Ok(guided),
            rescale => rescaled(&guided, &positive()?, rescale),
        }
    }

    /// The weighted sum.
    fn guided(&self, rows: &Tensor, guidance_scale: f64) -> Result<Tensor> {
        let negative = rows.narrow(0, 0, 1)?;
        let mut sum = negative.clone();
        for (row, (_, weight)) in self.positive.iter().enumerate() {
            sum = (sum + ((rows.narrow(0, row + 1, 1)? - &negative)? * (weight * guidance_scale))?)?;
        }
        Ok(sum)
    }
}

/// `rescale * guided * std(positive) / std(guided) + (1 - rescale) * guided`, which prevents overexposed pictures under
/// strong guidance.
///
/// Lin et al., arXiv 2305.08891, section 3.4; `rescale_noise_cfg` of diffusers' `pipeline_stable_diffusion.py`.
fn rescaled(guided: &Tensor, positive: &Tensor, rescale: f64) -> Result<Tensor> {
    let ratio = (deviation(positive)? / deviation(guided)?)?;
    (guided.broadcast_mul(&ratio)? * rescale)? + (guided * (1.0 - rescale))?
}

/// The standard deviation of all values of a one-row prediction, with Bessel's correction as in torch.
fn deviation(prediction: &Tensor) -> Result<Tensor> {
    prediction.flatten_all()?.var_keepdim(0)?.sqrt()?.reshape((1, 1, 1, 1))
}

/// How many rows a picture has in a UNet call.
pub(crate) fn rows(settings: &Settings) -> usize {
    let prompts = match settings.dialect {
        Dialect::Plain => 1,
        Dialect::A1111 => compose(&settings.prompt).len(),
    };
    prompts + usize::from(settings.guided())
}

/// The number of steps for a prompt's changes: those of the whole schedule, also for image-to-image. Heun's steps count
/// twice, as in A1111.
pub(crate) fn steps(settings: &Settings) -> usize {
    match settings.scheduler {
        Scheduler::Heun | Scheduler::FlowHeun => 2 * settings.steps as usize,
        _ => settings.steps as usize,
    }
}

/// The step of a UNet call, as A1111's samplers count: from 0, also for image-to-image. PNDM's second call repeats the
/// first step.
fn step(scheduler: Scheduler, call: usize) -> usize {
    match scheduler {
        Scheduler::Pndm => call.saturating_sub(1),
        _ => call,
    }
}
