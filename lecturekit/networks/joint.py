"""A tiny CLIP: pictures and sentences as points on a sphere, near each other where the sentence is true.

Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision". The image network under it
is the robust one, whose gradients with respect to the pixels follow what people see more than those of the others.
"""

import torch
from torch import nn
from torch.nn import functional as F

from lecturekit import validate
from lecturekit.pictures import captions
from lecturekit.pictures.captions import VOCABULARY
from lecturekit.networks import models, running

NAME = "joint"
BODY, LAYER, MAPS = "resnet_s_robust", "layer3", 256   # the frozen network, and the layer whose maps (256,8,8) are used


class Joint(nn.Module):
    """`resnet_s_robust` up to layer3, frozen, a 1x1 convolution and one linear layer on its maps pooled to 4x4;
    word embeddings and a GRU (Cho et al. 2014), whose last state a linear layer maps to the same sphere.
    """

    def __init__(self, size=96, channels=96, grid=4, embedding=32, hidden=128, dropout=0.2, body=BODY):
        super().__init__()
        self.body = models.body(body, LAYER)
        self.conv = nn.Conv2d(MAPS, channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(channels)
        self.pool = nn.AdaptiveAvgPool2d(grid)
        self.dropout = nn.Dropout(dropout)
        self.see = nn.Linear(channels * grid ** 2, size)
        self.embed = nn.Embedding(len(VOCABULARY), embedding)
        self.cell = nn.GRUCell(embedding, hidden)
        self.read = nn.Linear(hidden, size)
        self.log_scale = nn.Parameter(torch.tensor(2.7))

    def forward(self, images, texts):
        """Cosine similarity (N,T) of images (N,3,H,W) in [0,1] and texts, T sentences."""
        return self.encode_images(images) @ self.encode_texts(texts).T

    def encode_images(self, images):
        """Unit vectors (N,96) of images (N,3,H,W) in [0,1]."""
        return self.encode_maps(self.body(images))

    def encode_maps(self, maps):
        """`encode_images` from the body's maps (N,256,h,w)."""
        pooled = self.pool(self.bn(self.conv(maps)).relu())
        return F.normalize(self.see(self.dropout(pooled.flatten(1))), dim=1)

    def encode_texts(self, texts):
        """Unit vectors (T,96) of texts, a sequence of str, each of one or more words of `captions.VOCABULARY`."""
        return self.encode_words(_indices(texts).to(self.embed.weight.device))

    def encode_words(self, words):
        """`encode_texts` from indices (T,L) in VOCABULARY, filled up with the full stop."""
        state = self.embed.weight.new_zeros(len(words), self.cell.hidden_size)
        for word in words.T:
            state = torch.where(word[:, None] == 0, state, self.cell(self.embed(word), state))
        return F.normalize(self.read(state), dim=1)


def _indices(texts):
    """Texts as indices (T,L) in VOCABULARY, without the full stop before them, filled up with it behind them."""
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise TypeError(f"texts: got {texts!r}. It takes a sequence of str, such as [\"a red mug\"].")
    rows = [captions.encode(text)[1:] for text in texts]
    if not all(rows):
        raise ValueError(f"texts: got {list(texts)!r}. It takes texts of at least one word.")
    length = max(map(len, rows), default=1)
    return torch.tensor([row + [0] * (length - len(row)) for row in rows], dtype=torch.long).view(-1, length)


def load(device=None):
    """The bundled `Joint`, frozen and in eval mode; it carries `.name` and `.image_size` as the networks of `models`.

    Raises ValueError for weights that are not the published ones, FileNotFoundError for missing ones.
    """
    joint = models.restored(Joint, NAME, device)
    joint.name, joint.image_size = NAME, 128
    return joint


class ZeroShot(nn.Module):
    """Images (N,3,H,W) to logits (N,T), one for each text; `.categories` are the texts."""

    def __init__(self, joint, texts):
        super().__init__()
        self.joint, self.categories = joint, list(texts)
        self.register_buffer("codes", joint.encode_texts(texts).detach(), persistent=False)
        self.image_size, self.name, self.training = joint.image_size, joint.name, joint.training

    def forward(self, images):
        return self.joint.log_scale.exp() * self.joint.encode_images(images) @ self.codes.T


def zero_shot(joint, texts):
    """The joint model as a classifier of pictures by texts (Radford et al. 2021, section 3.1), which `models.predict`
    and every attribution method take. Raises ValueError for a word that is not in the vocabulary.
    """
    return ZeroShot(joint, texts)


@torch.no_grad()
def similarities(joint, images, texts, batch=64):
    """Cosine similarity (N,T) of images (N,3,H,W) in [0,1] and texts, in batches and without gradients."""
    validate.images(images)
    with running.entered(joint):
        codes = joint.encode_texts(texts)
        return torch.cat([running.laid_out(joint, chunk, joint.encode_images)[:len(chunk)] @ codes.T
                          for chunk in running.chunks(images, batch)])
