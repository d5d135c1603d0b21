//! The table of metrics: one row per metric. There is no other list of metrics.

/// One metric: a column of the log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Its name and column.
    pub name: &'static str,
    /// One line of help: what it is, and its unit.
    pub about: &'static str,
    /// Its lowest and highest value; `None` where it has no limit.
    pub range: (Option<f64>, Option<f64>),
    /// Which values are better.
    pub better: Better,
    /// The paper or definition that it follows.
    pub source: &'static str,
    /// What it compares the picture with. It does not apply to a picture without that.
    pub needs: &'static [Needs],
    /// The model that computes it, a name in [`MODELS`]; `None` if it needs no model.
    pub model: Option<&'static str>,
    /// Whether its values are text, such as hashes, and not numbers.
    pub text: bool,
}

/// Which values of a metric are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Higher values.
    Higher,
    /// Lower values.
    Lower,
    /// Neither.
    Neither,
}

/// What a metric compares a picture with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The reference picture, cropped and resized as it was for the cell.
    Reference,
    /// The pictures of the subject that the experiment trains.
    Subject,
    /// The cells one step away along one axis.
    Neighbours,
    /// The prompt.
    Prompt,
    /// The other pictures of the run.
    Run,
}

/// A model that computes metrics: a key of `[metrics]` in the experiment file, whose value is the model's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricModel {
    /// The key.
    pub name: &'static str,
    /// One line of help.
    pub about: &'static str,
    /// The model that is used if the experiment names none: a repository on the hub. `None` for a bundled model, which
    /// cannot be replaced and has no key.
    pub default: Option<&'static str>,
}

impl Metric {
    /// The metric of that name.
    pub fn named(name: &str) -> Option<&'static Metric> {
        METRICS.iter().find(|metric| metric.name == name)
    }

    /// Whether it needs that.
    pub fn needs(&self, what: Needs) -> bool {
        self.needs.contains(&what)
    }

    /// The fields of most rows.
    const ORDINARY: Metric = Metric {
        name: "",
        about: "",
        range: (None, None),
        better: Better::Neither,
        source: "",
        needs: &[],
        model: None,
        text: false,
    };

    const fn of_reference(self) -> Metric {
        Metric { needs: &[Needs::Reference], ..self }
    }

    const fn to_reference(self, name: &'static str, about: &'static str, model: &'static str) -> Metric {
        Metric { name, about, needs: &[Needs::Reference], model: Some(model), ..self }
    }

    const fn to_subject(self, name: &'static str, about: &'static str, model: &'static str) -> Metric {
        Metric { name, about, needs: &[Needs::Subject], model: Some(model), ..self }
    }

    const fn of_prompt(self, name: &'static str, about: &'static str, model: &'static str) -> Metric {
        Metric { name, about, needs: &[Needs::Prompt], model: Some(model), ..self }
    }

    const fn of_neighbours(self, name: &'static str, about: &'static str) -> Metric {
        Metric { name, about, needs: &[Needs::Neighbours], better: Better::Neither, ..self }
    }
}

impl Better {
    /// `higher`, `lower`, or nothing.
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Better::Higher => Some("higher"),
            Better::Lower => Some("lower"),
            Better::Neither => None,
        }
    }
}

impl Needs {
    /// What it is, as a noun.
    pub fn as_str(self) -> &'static str {
        match self {
            Needs::Reference => "reference",
            Needs::Subject => "subject",
            Needs::Neighbours => "neighbours",
            Needs::Prompt => "prompt",
            Needs::Run => "run",
        }
    }
}

/// Every model that computes metrics.
pub const MODELS: &[MetricModel] = &[
    // The main branch of this repository has its weights as a pickle alone.
    MetricModel {
        name: "clip",
        about: "CLIP: pictures and prompts as vectors; models with quick_gelu, such as OpenAI's",
        default: Some("openai/clip-vit-base-patch32@refs/pr/15"),
    },
    MetricModel {
        name: "siglip",
        about: "SigLIP, or SigLIP 2 of a fixed size: pictures and prompts as vectors",
        default: Some("google/siglip-base-patch16-224"),
    },
    MetricModel {
        name: "aesthetic",
        about: "LAION's aesthetic predictor with its CLIP ViT-L/14",
        default: Some("shunk031/aesthetics-predictor-v2-sac-logos-ava1-l14-linearMSE"),
    },
    MetricModel {
        name: "sketchbook",
        about: "The bundled network that recognises the sitters of the bundled model's portraits",
        default: None,
    },
];

/// Every metric, in the order of the log's columns.
pub const METRICS: &[Metric] = &[
    PSNR.of_reference(),
    SSIM.of_reference(),
    DSSIM.of_reference(),
    CIEDE2000.of_reference(),
    PSNR.of_neighbours(
        "neighbour_psnr",
        "Peak signal-to-noise ratio to the neighbours along one axis, in dB, of the mean squared error to all of them",
    ),
    SSIM.of_neighbours("neighbour_ssim", "Mean structural similarity to the neighbours along one axis"),
    DSSIM.of_neighbours("neighbour_dssim", "Mean structural dissimilarity to the neighbours along one axis"),
    CIEDE2000.of_neighbours(
        "neighbour_ciede2000",
        "Mean colour difference to the neighbours along one axis, Delta E 2000",
    ),
    Metric {
        name: "sharpness",
        about: "Variance of the Laplacian of the grey picture: low for blurred pictures, high for detail and noise",
        range: (Some(0.0), None),
        source: "Pech-Pacheco et al. 2000, as cv2.Laplacian(grey).var()",
        ..Metric::ORDINARY
    },
    Metric {
        name: "phash",
        about: "Perceptual hash, 16 hexadecimal digits: similar pictures differ in few bits",
        source: "pHash (Zauner 2010): signs of the low frequencies of the DCT, 8x8",
        text: true,
        ..Metric::ORDINARY
    },
    Metric {
        name: "duplicate_of",
        about: "The first cell with nearly the same picture, although its settings differ",
        source: "perceptual hashes at most 4 of 64 bits apart, and mean colours at most 2 Delta E 2000",
        needs: &[Needs::Run],
        text: true,
        ..Metric::ORDINARY
    },
    COSINE.of_prompt("clip_text", "Cosine of CLIP's vectors of the picture and the prompt (CLIPScore without its factor)", "clip"),
    COSINE.to_reference("clip_reference", "Cosine of CLIP's vectors of the picture and its reference picture", "clip"),
    COSINE.to_subject("clip_subject", "Mean cosine of CLIP's vectors of the picture and the subject's pictures", "clip"),
    COSINE.of_prompt("siglip_text", "Cosine of SigLIP's vectors of the picture and the prompt", "siglip"),
    COSINE.to_reference("siglip_reference", "Cosine of SigLIP's vectors of the picture and its reference picture", "siglip"),
    COSINE.to_subject("siglip_subject", "Mean cosine of SigLIP's vectors of the picture and the subject's pictures", "siglip"),
    Metric {
        name: "aesthetic",
        about: "LAION's aesthetic score, about 1 to 10: how much people who rated pictures would like it",
        better: Better::Higher,
        source: "christophschuhmann/improved-aesthetic-predictor, sac+logos+ava1-l14-linearMSE",
        model: Some("aesthetic"),
        ..Metric::ORDINARY
    },
    TRAITS.to_reference(
        "sketchbook_likeness",
        "How alike the sitters of the picture and its reference picture are, for drawings of the bundled model",
        "sketchbook",
    ),
    TRAITS.to_subject(
        "sketchbook_subject",
        "Mean likeness of the sitters of the picture and of the subject's pictures, for drawings of the bundled model",
        "sketchbook",
    ),
];

const COSINE: Metric = Metric {
    name: "",
    about: "",
    range: (Some(-1.0), Some(1.0)),
    better: Better::Higher,
    source: "Radford et al. 2021 (CLIP), Hessel et al. 2021 (CLIPScore), Zhai et al. 2023 (SigLIP)",
    ..Metric::ORDINARY
};

const TRAITS: Metric = Metric {
    name: "",
    about: "",
    range: (Some(0.0), Some(1.0)),
    better: Better::Higher,
    source: "the mean over 17 traits of the agreement of a small network's estimates (docs/metrics.md)",
    ..Metric::ORDINARY
};

const PSNR: Metric = Metric {
    name: "psnr",
    about: "Peak signal-to-noise ratio to the reference picture, in dB; infinite for the same pixels",
    range: (Some(0.0), None),
    better: Better::Higher,
    source: "10 log10(255^2 / mean squared error), over all channels",
    ..Metric::ORDINARY
};

const SSIM: Metric = Metric {
    name: "ssim",
    about: "Structural similarity to the reference picture; 1 for the same pixels",
    range: (Some(-1.0), Some(1.0)),
    better: Better::Higher,
    source: "Wang et al. 2004: Gaussian window of 11x11, sigma 1.5; the mean of red, green and blue",
    ..Metric::ORDINARY
};

// Not the multi-scale measure of the crate dssim-core, which may not be used: its licence is the AGPL.
const DSSIM: Metric = Metric {
    name: "dssim",
    about: "Structural dissimilarity to the reference picture; 0 for the same pixels",
    range: (Some(0.0), Some(1.0)),
    better: Better::Lower,
    source: "(1 - ssim) / 2",
    ..Metric::ORDINARY
};

const CIEDE2000: Metric = Metric {
    name: "ciede2000",
    about: "Mean colour difference to the reference picture, Delta E 2000; about 1 is just noticeable",
    range: (Some(0.0), None),
    better: Better::Lower,
    source: "Sharma et al. 2005, of the pixels in CIE Lab (D65)",
    ..Metric::ORDINARY
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn rows_are_complete_and_names_are_unique() {
        let mut names = BTreeSet::new();
        for metric in METRICS {
            assert!(names.insert(metric.name), "{} twice", metric.name);
            assert!(metric.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
            assert!(!metric.about.is_empty() && !metric.source.is_empty(), "{}", metric.name);
            assert!(metric.model.is_none_or(|name| MODELS.iter().any(|model| model.name == name)));
        }
        assert_eq!(Metric::named("ssim").map(|metric| metric.needs(Needs::Reference)), Some(true));
    }
}
