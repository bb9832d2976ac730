"""A network that says what it sees: a frozen image network, and a recurrent one that writes the caption word by word.

As in the captioner of Selvaraju et al. 2017 (section 8) there is no attention: the network is not told where a word
comes from, so Grad-CAM has something to find. `next_word` makes a classifier of it, which every attribution method
takes: `grad_cam(next_word(captioner, "a red"), images, VOCABULARY.index("mug"), "captioner.body.layer3")`.
"""

import torch
from torch import nn

from lecturekit import validate
from lecturekit.pictures import captions
from lecturekit.pictures.captions import VOCABULARY
from lecturekit.networks import models, running

NAME = "captioner"
BODY, LAYER, MAPS = "resnet_s", "layer3", 256   # the frozen network, and the layer whose maps (256,8,8) are used
LONGEST = 16                                    # words in a caption


class Captioner(nn.Module):
    """`resnet_s` up to layer3, frozen; a 1x1 convolution, its maps pooled to 4x4; a GRU (Cho et al. 2014) over words.

    The picture's code starts the GRU and stands beside each word that the GRU reads.
    """

    def __init__(self, channels=64, grid=4, code=96, embedding=32, hidden=128, dropout=0.2):
        super().__init__()
        self.body = models.body(BODY, LAYER)
        self.conv = nn.Conv2d(MAPS, channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(grid)
        self.dropout = nn.Dropout(dropout)
        self.code = nn.Linear(channels * grid ** 2, code)
        self.start = nn.Linear(code, hidden)
        self.embed = nn.Embedding(len(VOCABULARY), embedding)
        self.cell = nn.GRUCell(embedding + code, hidden)   # a GRU as one module has no gradient on a GPU in eval mode
        self.say = nn.Linear(hidden, len(VOCABULARY))

    def forward(self, images, words):
        """Logits (N,T,V) of the word after each of words (N,T), long, the first of which is the full stop."""
        return self.speak(self.body(images), words)

    def speak(self, maps, words):
        """`forward` from the body's maps (N,256,h,w)."""
        code = self.code(self.dropout(self.pool(self.relu(self.bn(self.conv(maps)))).flatten(1)))
        state, said = self.start(code).tanh(), []
        for word in _checked(words, len(maps)).T:
            state = self.cell(torch.cat([self.embed(word), code], 1), state)
            said.append(self.say(self.dropout(state)))
        return torch.stack(said, 1)


def _checked(words, count):
    takes = f"It takes a long tensor ({count},T) of indices in VOCABULARY, T at least 1."
    if not isinstance(words, torch.Tensor) or words.dtype != torch.long:
        raise TypeError(f"words: got {getattr(words, 'dtype', type(words).__name__)}. {takes}")
    if words.ndim != 2 or len(words) != count or not words.shape[1]:
        raise ValueError(f"words: got shape {tuple(words.shape)}. {takes}")
    if words.numel() and not 0 <= words.min() <= words.max() < len(VOCABULARY):
        raise ValueError(f"words: got indices from {words.min()} to {words.max()}. {takes}")
    return words


class NextWord(nn.Module):
    """Images (N,3,H,W) to logits (N,V) of the word after `text`; `.categories` are the words of the vocabulary."""

    def __init__(self, captioner, text):
        super().__init__()
        self.captioner = captioner
        words = torch.tensor(captions.encode(text), device=captioner.embed.weight.device)
        self.register_buffer("words", words, persistent=False)
        self.categories, self.image_size, self.name = list(VOCABULARY), captioner.image_size, captioner.name
        self.training = captioner.training

    def forward(self, images):
        return self.captioner(images, self.words.expand(len(images), -1))[:, -1]


def load(device=None):
    """The bundled captioner, frozen and in eval mode; it carries `.name` and `.image_size` as the networks of `models`.

    Raises ValueError for weights that are not the published ones, FileNotFoundError for missing ones.
    """
    captioner = models.restored(Captioner, NAME, device)
    captioner.name, captioner.image_size = NAME, 128
    return captioner


def next_word(captioner, text=""):
    """The captioner as a classifier of the word that follows `text`, the beginning of a caption: a str, or a list of
    words; nothing for the first word. Its layers are the captioner's, named "captioner.body.layer3" and so on.

    Raises ValueError for a word that is not in the vocabulary.
    """
    return NextWord(captioner, text)


@torch.no_grad()
def describe(captioner, images, batch=64):
    """The caption of each image (N,3,H,W) in [0,1]: a list of str. At each place the word with the highest logit."""
    validate.images(images)
    with running.entered(captioner):
        return [text for chunk in running.chunks(images, batch) if len(chunk) for text in _said(captioner, chunk)]


def _said(captioner, images):
    maps = running.laid_out(captioner, images, captioner.body)
    words = torch.zeros(len(maps), 1, dtype=torch.long, device=maps.device)
    while words.shape[1] <= LONGEST and not (words[:, 1:] == 0).any(1).all():
        words = torch.cat([words, captioner.speak(maps, words)[:, -1:].argmax(2)], 1)
    return [captions.decode(row) for row in words.tolist()]
