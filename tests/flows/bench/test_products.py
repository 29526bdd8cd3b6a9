"""The work of a network, and the rate of a product."""

from __future__ import annotations

import numpy as np
import torch

from flows.bench.products import ProductRate, products
from stages.recognisers.checkpoint import open_checkpoint


def test_products_when_counted_then_every_map_and_the_attention_are_there(checkpoint):
    opened = open_checkpoint(checkpoint, "tiny")
    crop = np.zeros((20, 80), np.uint8)
    width, inner, tokens, patches = 32, 64, 17, 16
    layer = tokens * (4 * width * width + 2 * width * inner) + 2 * tokens * tokens * width

    encoder, rest = products(opened, crop, 4)
    longer = products(opened, crop, 9)[1]

    # transformers gives the encoder a pooler, which nothing reads
    pooler = width * width
    assert encoder == 2 * (2 * layer + patches * (16 * 4 * 3) * width + pooler)
    words = opened.network.config.decoder.vocab_size
    head, memory = tokens * words * width, 2 * tokens * width * width
    # five tokens: own and cross attention without its keys and values, then the words
    each = 6 * width * width + 2 * width * inner + words * width
    own, cross = 2 * 5 * 5 * width, 2 * 5 * tokens * width
    assert rest == 2 * (head + memory + 5 * each + own + cross)
    assert longer > rest


def test_rate_when_measured_again_then_the_fastest_counts():
    rate = ProductRate(torch.float32)
    rate.measure()
    first = rate.flops_per_second
    rate.measure()

    assert rate.flops_per_second >= first > 1e8
