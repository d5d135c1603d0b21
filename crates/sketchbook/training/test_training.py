"""Tests of what training relies on and cannot see going wrong. Run with `python -m pytest`, or plainly with Python."""

import numpy as np
import torch

from captions import caption
from draw_dataset import draw_scene
from figure import build_figure
from models import SCALING_FACTOR, alphas_cumprod, make_vae
from muon import orthogonalise
from paint import MANNERS, paint
from palettes import palette_for
from scene import sample_scene
from train_tokenizer import byte_letters, learn_merges
from train_unet import loss_weights
from train_vae import as_input, normalise


def test_a_seed_is_a_picture():
    first, again = (paint(sample_scene(np.random.default_rng(5)), "vangogh", "munch") for _ in range(2))
    assert (first == again).all()
    assert (first != paint(sample_scene(np.random.default_rng(6)), "vangogh", "munch")).any()


def test_manners_differ_and_none_is_flat():
    scene = sample_scene(np.random.default_rng(5))
    pictures = [paint(scene, manner).astype(np.float32) for manner in MANNERS]
    for k, picture in enumerate(pictures):
        assert picture.std() > 20
        assert all(np.abs(picture - other).mean() > 8 for other in pictures[:k])


def test_every_palette_has_every_colour_a_figure_asks_for():
    for seed in range(20):
        scene = sample_scene(np.random.default_rng(seed))
        asked = {shape.colour for shape in build_figure(scene).shapes}
        for manner in MANNERS:
            assert asked <= palette_for(manner, scene).keys()


def test_only_paintings_name_an_artist():
    rng = np.random.default_rng(0)
    surnames = [m.artist.split()[-1].lower() for m in MANNERS.values() if m.artist]
    for _ in range(200):
        text = caption(sample_scene(rng), "photo", None, rng).lower()
        assert not any(name in text for name in surnames)
    named = sum("munch" in caption(sample_scene(rng), "munch", None, rng).lower() for _ in range(200))
    assert named > 190


def test_a_scene_is_one_photograph_and_three_paintings():
    pictures, records = draw_scene(3)
    assert [record["manner"] == "photo" for record in records] == [True, False, False, False]
    assert len(pictures) == 4 and all(picture.shape == (128, 128, 3) for picture in pictures)


def test_merges_join_the_most_frequent_pair_first():
    assert learn_merges({"aba": 3, "xba": 2, "cd": 4}, byte_letters(), 2) == [("b", "a</w>"), ("c", "d</w>")]


def test_orthogonalised_matrices_have_singular_values_near_one():
    values = torch.linalg.svdvals(orthogonalise(torch.randn(3, 24, 60, generator=torch.Generator().manual_seed(0)), dtype=torch.float32))
    assert 0.5 < values.min() and values.max() < 1.4


def test_normalising_latents_keeps_the_pictures():
    torch.manual_seed(0)
    vae = make_vae().eval()
    x = as_input(torch.randint(256, (4, 64, 64, 3)))
    with torch.no_grad():
        latents = vae.encode(x).latent_dist.mean
        before = vae.decode(latents).sample
        normalise(vae, latents.mean((0, 2, 3)), 1 / (latents.std((0, 2, 3)) * SCALING_FACTOR))
        changed = vae.encode(x).latent_dist.mean
        after = vae.decode(changed).sample
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(changed.std((0, 2, 3)) * SCALING_FACTOR, torch.ones(4), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(changed.mean((0, 2, 3)), torch.zeros(4), atol=1e-3, rtol=0)


def test_strong_noise_weighs_more():
    weights = loss_weights(alphas_cumprod())
    assert abs(weights.mean().item() - 1) < 1e-5
    assert weights[900] > weights[500] > weights[50]


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print("passed:", name)
