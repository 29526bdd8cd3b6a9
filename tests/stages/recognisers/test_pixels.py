"""The numbers that go into the network are the image processor's own, to the bit."""

import numpy as np
import pytest
from PIL import Image
from transformers import DeiTImageProcessorPil, ViTImageProcessorPil

from stages.recognisers.pixels import Pixels, Stretch

SIZE = {"height": 32, "width": 256}


def crop(*shape, seed=1):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def asked(processor, given, mode="RGB"):
    picture = Image.fromarray(given).convert(mode)
    return processor(images=[picture], return_tensors="np").pixel_values[0]


PROCESSORS = {
    "trocr": ViTImageProcessorPil(size=SIZE, image_mean=[0.5] * 3, image_std=[0.5] * 3),
    "bicubic": ViTImageProcessorPil(size=SIZE, resample=3),
    "channels apart": ViTImageProcessorPil(
        size=SIZE, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225]
    ),
    "not normalised": ViTImageProcessorPil(size=SIZE, do_normalize=False),
    "raw": ViTImageProcessorPil(size=SIZE, do_normalize=False, do_rescale=False),
    "another factor": ViTImageProcessorPil(size=SIZE, rescale_factor=1 / 127.5),
    "crops as well": DeiTImageProcessorPil(),
    "does not stretch": ViTImageProcessorPil(do_resize=False),
}
CROPS = {
    "grey": crop(44, 300),
    "colour": crop(44, 300, 3),
    "grey in colour": np.repeat(crop(44, 300, 1), 3, axis=2),
    "tiny": crop(1, 2),
    "tall": crop(500, 3, 3),
    "large": crop(700, 900),
    "not contiguous": crop(90, 600, 3)[::2, ::2, ::-1],
}


@pytest.mark.parametrize("processor", PROCESSORS.values(), ids=PROCESSORS)
@pytest.mark.parametrize("given", CROPS.values(), ids=CROPS)
def test_pixels_when_not_folded_then_the_processors_own(processor, given):
    pixels = Pixels(processor, 3, fold=False)

    out = pixels.of(given)

    assert out.shape[0] == pixels.channels(given) == 3
    assert np.array_equal(out, asked(processor, given))


@pytest.mark.parametrize("given", CROPS.values(), ids=CROPS)
def test_pixels_when_folded_then_a_grey_crop_is_one_channel_of_three_equal_ones(given):
    processor = PROCESSORS["trocr"]
    pixels = Pixels(processor, 3, fold=True)
    expected = asked(processor, given)
    grey = np.array_equal(expected[0], expected[1])

    out = pixels.of(given)

    assert len(out) == pixels.channels(given) == (1 if grey else 3)
    assert np.array_equal(np.broadcast_to(out, expected.shape), expected)


@pytest.mark.parametrize("name", ["channels apart", "crops as well"])
def test_pixels_when_the_channels_differ_or_the_processor_does_more_then_not_folded(name):
    pixels = Pixels(PROCESSORS[name], 3, fold=True)

    assert pixels.channels(CROPS["grey"]) == len(pixels.of(CROPS["grey"])) == 3


@pytest.mark.parametrize("given", CROPS.values(), ids=CROPS)
def test_pixels_when_the_checkpoint_is_grey_then_brightness(given):
    processor = ViTImageProcessorPil(size=SIZE, image_mean=[0.5], image_std=[0.25])
    pixels = Pixels(processor, 1, fold=True)

    assert pixels.channels(given) == 1
    assert np.array_equal(pixels.of(given), asked(processor, given, "L"))


@pytest.mark.parametrize("given", CROPS.values(), ids=CROPS)
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_when_told_what_a_processor_does_then_the_processors_own(given, channels):
    settings = {
        "resample": 3,
        "rescale_factor": 1 / 254,
        "image_mean": [0.485, 0.456, 0.406][:channels],
        "image_std": [0.229, 0.224, 0.225][:channels],
    }
    stretch = Stretch.of((32, 256), *settings.values())

    out = Pixels(stretch, channels, fold=False).of(given)

    processor = ViTImageProcessorPil(size=SIZE, **settings)
    assert np.array_equal(out, asked(processor, given, "L" if channels == 1 else "RGB"))


class Inverted(ViTImageProcessorPil):
    def normalize(self, image, mean, std, **others):
        return -super().normalize(image, mean, std, **others)


def test_pixels_when_a_processor_has_a_way_of_its_own_then_it_is_asked():
    processor = Inverted(size=SIZE)

    out = Pixels(processor, 3, fold=True).of(CROPS["grey"])

    assert np.array_equal(out, asked(processor, CROPS["grey"]))
