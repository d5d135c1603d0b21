//! DeepCache: calls that compute only the outer layers of the UNet and reuse the features of its deep ones.
//!
//! Ma et al., arXiv 2312.00858. A branch is a skip connection, counted from 0, that of the first convolution. The features
//! of a branch are the input of the layer on the way up that takes this connection. Where blocks have two layers, as in
//! Stable Diffusion and SDXL, a branch's number is the `cache_branch_id` of the package DeepCache.

use candle_core::Tensor;

/// How much of the UNet a call computes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Depth<'a> {
    /// All of it.
    Whole,
    /// All of it, and the features of a branch are returned for later calls.
    Keep {
        /// The branch.
        branch: usize,
    },
    /// Only what is before and after a branch's features.
    Reuse {
        /// The branch.
        branch: usize,
        /// Its features, `[B, C, h, w]`, of the same rows in an earlier call.
        features: &'a Tensor,
    },
}

impl Depth<'_> {
    /// The last skip connection that is computed; `None` for all of them.
    pub(crate) fn last(&self) -> Option<usize> {
        match self {
            Depth::Whole | Depth::Keep { .. } => None,
            Depth::Reuse { branch, .. } => Some(*branch),
        }
    }

    /// Whether the layers at a skip connection are not computed.
    pub(super) fn leaves_out(&self, branch: usize) -> bool {
        is_left_out(branch, self.last())
    }

    /// Whether the features of a branch are to be kept.
    pub(super) fn keeps(&self, at: usize) -> bool {
        matches!(self, Depth::Keep { branch } if *branch == at)
    }

    /// The features that replace the input of the layer at a branch.
    pub(super) fn reused(&self, at: usize) -> Option<&Tensor> {
        match self {
            Depth::Reuse { branch, features } if *branch == at => Some(features),
            _ => None,
        }
    }
}

/// Whether the layer of a skip connection is not computed, where `last` is the last one that is.
pub(super) fn is_left_out(branch: usize, last: Option<usize>) -> bool {
    last.is_some_and(|last| branch > last)
}
