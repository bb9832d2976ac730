"""Networks small enough to know the answer."""

import torch
from torch import nn


def linear(channels=3, height=8, width=10, classes=4, seed=0):
    """A linear model of images (C,H,W) and its weights (classes,C,H,W)."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, classes)).requires_grad_(False)
    return model, model[1].weight.view(classes, channels, height, width)


def golden():
    """Golden net A, for images in [0,1]: arange(16) / 16 gives what arange(16) gives the original."""
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2, bias=False), nn.ReLU())
    model.requires_grad_(False)
    model[0].weight.fill_(16.0)
    model[0].bias.copy_(torch.tensor([-50.0, -75.0]))
    model[3].weight.copy_(torch.tensor([[1.0] * 5 + [-1.0] * 3, [1.0] * 8]))
    return model.eval()


class Forms(nn.Module):
    """One network of two convolutions and three ReLUs, its ReLUs written in a form of choice."""

    def __init__(self, form, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv1, self.conv2, self.fc = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1), nn.Linear(6, 4)
        self.form, self.relu, self.inplace = form, nn.ReLU(), nn.ReLU(inplace=True)

    def act(self, x):
        forms = {"reused": self.relu, "in place": self.inplace, "functional": nn.functional.relu, "method": torch.Tensor.relu,
                 "functional in place": lambda x: nn.functional.relu(x, inplace=True), "torch.relu_": torch.relu_,
                 "clamp": lambda x: x.clamp(min=0), "clamp_min_": lambda x: x.clamp_min_(0)}
        return forms[self.form](x)

    def forward(self, x):
        x = self.act(self.conv1(x))
        x = self.act(self.conv2(x) + x)
        return self.fc(self.act(x - 0.1).mean((2, 3)))


FORMS = ("reused", "in place", "functional", "method", "functional in place", "torch.relu_", "clamp", "clamp_min_")
