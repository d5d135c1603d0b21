"""Captions as token numbers, with distractors: some captions get words that have nothing to do with the picture."""

import json
from pathlib import Path

import numpy as np
import torch
from transformers import CLIPTokenizer

from draw_dataset import load_records
from models import TOKENS

DISTRACTED_SHARE = 0.12
SEED = 3


def tokenizer_of(out):
    return CLIPTokenizer.from_pretrained(Path(out) / "tokenizer")


def encode(tokenizer, texts):
    """Token numbers, int16 of shape (n, 77), padded with the end token."""
    ids = tokenizer(texts, padding="max_length", truncation=True, max_length=TOKENS).input_ids
    return torch.tensor(ids, dtype=torch.int16)


def load_tokens(out):
    """All captions, int16 of shape (pictures, captions each, 77); made once and kept in a file."""
    path = Path(out) / "tokens.pt"
    if not path.exists():
        records = load_records(out)
        words = json.loads((Path(out) / "distractors.json").read_text())
        rng = np.random.default_rng(SEED)
        texts = [distracted(text, words, rng) for record in records for text in record["captions"]]
        torch.save(encode(tokenizer_of(out), texts).view(len(records), -1, TOKENS), path)
    return torch.load(path)


def distracted(text, words, rng):
    if rng.random() >= DISTRACTED_SHARE:
        return text
    parts = text.split(", ")
    for _ in range(rng.integers(1, 3)):
        extra = " ".join(words[int(k)] for k in rng.integers(len(words), size=rng.integers(1, 3)))
        parts.insert(int(rng.integers(1, len(parts) + 1)), extra)
    return ", ".join(parts)
