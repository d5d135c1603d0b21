//! Numbers about pictures: differences in pixels, perceptual hashes, and the metrics of CLIP, SigLIP and other models.
