"""The three networks' shapes, and what they share: Stable Diffusion's layout with everything small. 14 MB in fp16."""

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from draw_dataset import PIXELS

LATENT_CHANNELS = 4
LATENT_PIXELS = 32  # the autoencoder halves twice
VOCABULARY = 2048
TOKENS = 77
TEXT_WIDTH = 128
# Stable Diffusion's own factor. The autoencoder's latents are normalised to it when it is exported (see train_vae.py).
SCALING_FACTOR = 0.18215


def make_vae():
    channels = (16, 32, 64)
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=["DownEncoderBlock2D"] * len(channels),
        up_block_types=["UpDecoderBlock2D"] * len(channels),
        block_out_channels=channels,
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=8,
        sample_size=PIXELS,
        scaling_factor=SCALING_FACTOR,
    )


def make_unet():
    """No attention at the full 32 x 32: it would double the time of a step for hardly any parameters."""
    return UNet2DConditionModel(
        sample_size=LATENT_PIXELS,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        block_out_channels=(64, 96, 128),
        layers_per_block=1,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,  # diffusers reads this as the number of heads, as for Stable Diffusion v1
        norm_num_groups=16,
    )


def make_text_encoder():
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=VOCABULARY,
            hidden_size=TEXT_WIDTH,
            intermediate_size=4 * TEXT_WIDTH,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=TOKENS,
            hidden_act="quick_gelu",
            projection_dim=TEXT_WIDTH,
            bos_token_id=VOCABULARY - 2,
            eos_token_id=VOCABULARY - 1,
            pad_token_id=VOCABULARY - 1,
        )
    )


def alphas_cumprod():
    """Stable Diffusion v1's noise schedule ("scaled_linear", 0.00085 to 0.012, 1000 steps)."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0).float()


def parameter_count(model):
    return sum(p.numel() for p in model.parameters())
