"""Tests of what training relies on and cannot see going wrong. Run with `python -m pytest`, or plainly with Python."""

import json

import numpy as np
import torch

from captions import caption
from draw_dataset import LARGER, draw_scene
from draw_reference import references
from export import RECORD, digests
from face_mask import face_mask
from figure import build_figure
from judge import TRAITS, Judge, seen_small, traits_of
from likeness import LABELS, NUMBERS, POSE, Likeness, estimates, folded, likeness, numbers_of
from measure_answers import fresh_scene, prompt_for
from measure_latents import read, whitened
from models import SCALING_FACTOR, alphas_cumprod, make_vae
from muon import orthogonalise
from paint import MANNERS, paint
from palettes import palette_for
from scene import sample_scene
from team import Team
from train_tokenizer import byte_letters, learn_merges
from train_unet import FACE, STAGES, Data, Stage, _masks, _mix, _walk, face_weights, largest_team, loss_weights, stage_at
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


def test_a_larger_picture_shows_the_same_scene():
    usual, large = (draw_scene(3, pixels)[0] for pixels in (128, 256))
    for a, b in zip(usual, large, strict=True):
        assert b.shape == (256, 256, 3)
        smaller = b.reshape(128, 2, 128, 2, 3).mean((1, 3))
        assert np.corrcoef(a.reshape(-1), smaller.reshape(-1))[0, 1] > 0.75


def test_larger_batches_cost_no_more_and_keep_their_captions():
    data = object.__new__(Data)
    data.larger = list(LARGER)
    data.latents = {pixels: torch.zeros(12, 4, pixels // 4, pixels // 4) for pixels in (128, *LARGER)}
    data.tokens = torch.arange(10_000)[:, None, None].expand(-1, 5, 77)  # a caption's tokens are its row
    data.order, data.place = torch.empty(0, dtype=torch.long), 0
    torch.manual_seed(0)
    sizes = set()
    for _ in range(40):
        latents, rows, ids = data.next_batch(Stage(1, batch=12, paired_share=0, noise=1, larger_share=0.5))
        pixels = 4 * latents.shape[-1]
        sizes.add(pixels)
        assert len(rows) == {128: 12, 192: 5, 256: 3}[pixels]
        first = 4 * LARGER[pixels][0] if pixels in LARGER else 0
        assert (ids[:, 0] == first + rows).all()
    assert sizes == {128, 192, 256}


def test_a_team_takes_the_mean_and_stops_together():
    team, found = Team(2, 6), torch.zeros(2, 8).share_memory_()

    def work(rank):
        params = [torch.nn.Parameter(torch.zeros(2, 2)), torch.nn.Parameter(torch.zeros(2))]
        for p in params:
            p.grad = torch.full_like(p, 1.0 + 2 * rank)
        params[0].grad[0, rank] = 10
        going_on = team.average(rank, params, False)
        ended = team.average(rank, params, rank == 1)
        found[rank] = torch.cat([*(p.grad.reshape(-1) for p in params), torch.tensor([going_on, ended])])

    team.run(work)
    assert found[0].tolist() == [6.5, 5.5, 2, 2, 2, 2, 0, 1] and (found[0] == found[1]).all()


def test_a_team_shares_every_batch_evenly():
    assert [largest_team(workers) for workers in (1, 2, 3, 4, 7, 8)] == [1, 2, 2, 4, 4, 4]


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


def test_a_face_weighs_more_at_every_size():
    for size in (32, 48, 64):
        weights = face_weights(size, 3.0)
        x, y = (int(size * share) for share in FACE)
        assert abs(weights.mean().item() - 1) < 1e-5 and weights[y, x] == weights.max() > 3.5 * weights.min()
    assert (face_weights(32, 0.0) == 1).all()


def test_a_mixed_picture_is_one_of_the_two_at_every_place_but_the_rim():
    torch.manual_seed(0)
    t, mixed = _mix(torch.zeros(8, 4, 32, 32), torch.ones(8, 4, 32, 32))
    assert (t < 800).all() and ((mixed == 0) | (mixed == 1)).float().mean() > 0.9
    masks = _masks(2, 32)[:, 0]
    assert masks[0, 15, 16] == 0 and masks[0, 0, 0] == 1 and masks[1, 15, 16] == 1 and masks[1, 0, 0] == 0


def test_a_walk_passes_the_noised_photograph_and_leads_to_the_painting():
    """The path of image-to-image in DDIM's form: at its start the noised photograph, and straight from there."""
    torch.manual_seed(0)
    photo, painting, noise = (torch.randn(6, 4, 8, 8) for _ in range(3))
    alphas = alphas_cumprod()
    t, goal, turned = _walk(photo, painting, noise, alphas)
    start = 800 * ((goal - photo) / (painting - photo)).mean((1, 2, 3))
    assert (t <= start).all() and (start > 199).all() and (start < 801).all()
    a = alphas[start.round().long()][:, None, None, None]
    torch.testing.assert_close(a.sqrt() * goal + (1 - a).sqrt() * turned, a.sqrt() * photo + (1 - a).sqrt() * noise, atol=0.02, rtol=0)


def test_a_stage_begins_and_ends_with_small_steps():
    for first, stage in zip((0, *(s.until for s in STAGES)), STAGES, strict=False):
        shares = [stage_at(step, STAGES) for step in (first, first + 100, stage.until - 1)]
        assert all(found == stage for found, _ in shares)
        begin, middle, end = (share for _, share in shares)
        assert begin < 0.05 and middle == 1 and end < 0.03


def test_a_mask_is_white_on_the_face_alone():
    for name, scene in references().items():
        mask = face_mask(scene, 128)
        x, y = (round(v / 2) for v in scene.identity.centre)
        assert mask[y, x] == 255, name  # between the eyes
        assert not mask[[0, -1]].any() and not mask[:, [0, -1]].any(), name
        assert 0.08 < (mask > 127).mean() < 0.30, name


def test_references_of_one_person_differ_in_what_they_say_only():
    found = references()
    five = [found[f"five/{k}"] for k in range(1, 6)]
    own = [(s.hair, s.hair_colour, s.identity.jaw, s.identity.eye_gap, s.identity.skin) for s in five]
    assert all(features == own[0] for features in own)
    assert len({s.background for s in five}) == len({s.clothes for s in five}) == 5


def test_a_prompt_names_what_can_be_seen():
    for k in range(50):
        scene = fresh_scene(k)
        words = prompt_for(scene, "Edvard Munch")
        asked = [scene.sex, scene.clothes, "Edvard Munch"]
        asked += [scene.beard] * (scene.beard != "none") + [scene.hair_colour] * (scene.hair != "bald")
        assert all(word in words for word in asked), words
        for name, told in (("glasses", scene.glasses), ("a hat", scene.hat), ("an old", scene.age == "old")):
            assert (name in words) == told, words


def test_the_record_is_of_the_weights_that_are_there():
    assert json.loads(RECORD.read_text())["sha256"] == digests(RECORD.parents[1] / "weights")


def test_a_judge_answers_every_question():
    logits, traits = Judge().eval()(seen_small(np.zeros((2, 128, 128, 3), np.uint8)))
    assert logits["hand"].shape == (2, len(MANNERS)) and logits["glasses"].shape == (2, 2)
    assert traits.shape == (2, len(TRAITS)) and len(traits_of(fresh_scene(0))) == len(TRAITS)


def test_a_likeness_is_of_the_sitter_and_not_of_the_order():
    torch.manual_seed(0)
    network = Likeness().eval()
    assert len(numbers_of(fresh_scene(0))) == len(NUMBERS) + len(POSE)
    labels, numbers = estimates(network, torch.rand(3, 3, 64, 64) * 2 - 1)
    assert [p.shape[1] for p in labels] == [2, 2, 4, 5, 3, 2, 2] and len(labels) == len(LABELS)
    a, b = (([p[rows] for p in labels], numbers[rows]) for rows in ([0, 1], [1, 2]))
    spread = torch.ones(len(NUMBERS))
    torch.testing.assert_close(likeness(a, b, spread), likeness(b, a, spread))
    assert (likeness(a, a, spread) >= likeness(a, b, spread)).all() and (likeness(a, a, spread) <= 1).all()


def test_folded_tensors_compute_what_the_network_does():
    torch.manual_seed(0)
    network = Likeness()
    network(torch.randn(50, 3, 64, 64))  # so that the norms have seen something
    network.eval()
    pictures = torch.rand(2, 3, 64, 64) * 2 - 1
    tensors = {name: tensor.float() for name, tensor in folded(network, torch.ones(len(NUMBERS))).items()}
    x = pictures
    for k in range(4):
        weight = tensors[f"convs.{k}.weight"]
        x = torch.nn.functional.conv2d(x, weight, tensors[f"convs.{k}.bias"], 2, weight.shape[-1] // 2).relu()
    x = torch.nn.functional.linear(x.flatten(1), tensors["hidden.weight"], tensors["hidden.bias"]).relu()
    found = torch.nn.functional.linear(x, tensors["answer.weight"], tensors["answer.bias"])
    with torch.no_grad():
        logits, numbers = network(pictures)
    torch.testing.assert_close(found, torch.cat([*logits, numbers[:, : len(NUMBERS)]], -1), atol=5e-3, rtol=1e-2)


def test_a_reader_reads_what_is_there_and_less_of_it_in_noise():
    torch.manual_seed(0)
    traits = torch.randn(600, 1)
    latents = traits[:, :, None, None] + 0.1 * torch.randn(600, 1, 8, 8)
    clear, faint, nothing = (read(seen, traits, t).item() for seen, t in ((latents, 1), (latents, 951), (torch.randn(600, 1, 8, 8), 351)))
    assert clear > 0.99 and 0.1 < faint < 0.7 and nothing < 0.05


def test_whitened_latents_are_as_strong_in_every_ring():
    torch.manual_seed(0)
    latents = torch.nn.functional.avg_pool2d(torch.randn(50, 2, 20, 20), 5, 1)
    flat = whitened(latents)
    power = torch.fft.fft2(flat).abs().square().mean((0, 1))
    torch.testing.assert_close(power.mean(), torch.fft.fft2(latents - latents.mean(0)).abs().square().mean())
    assert 0.5 < power[0, 1:3].mean() / power[6:10, 6:10].mean() < 2


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print("passed:", name)
