"""The model zoo: what comes out is frozen, named and the published one, or refused with what to do."""

import shutil

import pytest
import torch
import torchvision
from torch import nn

from lecturekit import files
from lecturekit.networks import models, nets
from lecturekit.networks.nets import ARCHITECTURES, Normalize
from lecturekit.pictures import datasets

BUNDLED = list(ARCHITECTURES)
FIRST = {"alexnet": (64, 3, 11, 11), "resnet18": (64, 3, 7, 7), "resnet101": (64, 3, 7, 7), "densenet121": (64, 3, 7, 7),
         "alexnet_s": (64, 3, 11, 11), "resnet_s": (64, 3, 7, 7), "squeezenet1_1": (64, 3, 3, 3)}


@pytest.fixture
def copy_of_data(tmp_path, monkeypatch):
    """A data folder that a test may damage, with resnet_s alone."""
    (tmp_path / "weights").mkdir()
    shutil.copy(files.root() / "weights/resnet_s.safetensors", tmp_path / "weights")
    shutil.copy(files.root() / files.SUMS, tmp_path)
    monkeypatch.setenv("LECTUREKIT_DATA", str(tmp_path))
    return tmp_path / "weights/resnet_s.safetensors"


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled(name):
    model = models.load(name)
    assert (len(model.categories), model.image_size) == ((1000, 224) if name == "squeezenet1_1" else (20, 128))
    assert model.name == name and models.names().count(name) == 1 and models.local(name)
    assert not any(p.requires_grad for p in model.parameters()) and not any(m.training for m in model.modules())
    assert not any(getattr(m, "inplace", False) for m in model.modules())
    assert isinstance(model[0], Normalize)
    probabilities = models.predict(model, torch.rand(3, 3, 128, 128))
    assert torch.allclose(probabilities.sum(1), torch.ones(3), atol=1e-5)


def test_the_bundled_networks_weigh_at_most_thirty_two_megabytes():
    assert (files.root() / "weights/squeezenet1_1.safetensors").stat().st_size <= 2.6e6
    assert sum((files.root() / f"weights/{name}.safetensors").stat().st_size for name in ARCHITECTURES) <= 32e6


@pytest.mark.parametrize("name", BUNDLED)
def test_card_belongs_to_the_weights(name):
    card = (files.root() / "weights" / f"{name}.md").read_text()
    assert files.sha256(files.root() / "weights" / f"{name}.safetensors") in card


@pytest.mark.parametrize("name, shape", FIRST.items())
def test_first_layers(name, shape):
    model = models.load(name, weights="random")
    assert model.get_submodule(models.conv_layers(model)[0]).weight.shape == shape


@pytest.mark.parametrize("name, count", [
    ("alexnet", 61_100_840), ("resnet18", 11_689_512), ("squeezenet1_1", 1_235_496)])
def test_published_parameter_counts(name, count):
    assert sum(p.numel() for p in models.load(name, weights="random").parameters()) == count


def test_squeezenet_computes_what_torchvision_s_does_with_the_same_weights():
    model, theirs = models.load("squeezenet1_1"), torchvision.models.squeezenet1_1().eval()
    theirs.load_state_dict(model.state_dict())
    images = torch.rand(2, 3, 224, 200, generator=torch.Generator().manual_seed(0))
    normalised = torchvision.transforms.functional.normalize(images, nets.IMAGENET_MEAN, nets.IMAGENET_STD)
    torch.testing.assert_close(model(images), theirs(normalised), rtol=1e-5, atol=1e-5)
    torch.manual_seed(1)
    assert torch.equal(model(images), model(images))   # no dropout


@pytest.mark.parametrize("photo, answers", [
    ("chelsea", {"Egyptian cat": 0.58, "tabby": 0.21}), ("coffee", {"espresso": 0.99}), ("china", {"stupa": 0.52})])
def test_squeezenet_knows_the_photos(photo, answers):
    model = models.load("squeezenet1_1")
    found = models.predict(model, datasets.photo(photo, 224))[0]
    assert model.categories[found.argmax()] == next(iter(answers))
    assert all(abs(found[model.categories.index(name)] - share) < 0.02 for name, share in answers.items())


def test_a_bundled_name_gives_the_bundled_network_whatever_torchvision_has_cached(torch_home):
    (torch_home.parent / "squeezenet1_1-b8a52dc0.pth").write_bytes(b"")
    assert models.predict(models.load("squeezenet1_1"), datasets.photo("coffee", 224)).max() > 0.9


def test_normalisation_is_inside():
    model = models.load("resnet18", weights="random")
    grey = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    assert model.normalize(grey).abs().max() < 1e-6 and model.image_size == 224 and len(model.categories) == 1000


def test_random_weights_come_from_the_seed():
    one, two, other = (models.load("alexnet_s", weights="random", seed=s).conv1.weight for s in (1, 1, 2))
    assert torch.equal(one, two) and not torch.equal(one, other)


def test_loading_and_randomising_leave_the_generator_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    models.randomised(models.load("resnet_s", weights="random"), seed=1)
    assert torch.equal(torch.rand(1), expected)


def test_randomised_is_a_copy():
    model = models.load("vgg_s", weights="random")
    before = model.fc8.weight.clone()
    twin = models.randomised(model, seed=5)
    assert torch.equal(model.fc8.weight, before) and not torch.equal(twin.fc8.weight, before)
    assert not torch.equal(twin.conv1_1.weight, model.conv1_1.weight)
    assert not twin.fc8.weight.requires_grad and twin.categories == model.categories and not twin.training


@pytest.mark.parametrize("layers, expected", [
    ("fc", {"fc"}), (["layer4", "layer4.0.conv1", "bn1"], {"layer4", "bn1"}), ([], set())])
def test_randomised_layers_and_no_others(layers, expected):
    model = models.load("resnet_s")
    state, twin = model.state_dict(), models.randomised(model, layers=layers).state_dict()
    assert {key.split(".")[0] for key in state if not torch.equal(state[key], twin[key])} == expected


def test_randomised_names_the_layers_there_are():
    with pytest.raises(ValueError, match="layers: got 'layer9'. Did you mean 'layer"):
        models.randomised(models.load("resnet_s", weights="random"), layers=["fc", "layer9"])


@pytest.mark.parametrize("name, expected", [
    ("resnet_s", ["relu1", "layer1", "layer2", "layer3", "layer4", "avgpool", "fc"]),
    ("alexnet_s", ["relu1", "relu2", "relu5", "pool5", "fc6", "fc7", "fc8"]),
    ("squeezenet1_1", ["features.1", "features.4", "features.7", "classifier.2", "classifier"]),
    ("resnet18", ["network.relu", *(f"network.layer{i}" for i in range(1, 5)), "network.avgpool", "network.fc"])])
def test_landmarks(name, expected):
    assert models.landmarks(models.load(name, weights="random")) == expected


def test_category_index_knows_the_names_of_imagenet():
    bundled, imagenet = models.load("resnet_s", weights="random"), models.load("resnet18", weights="random")
    for i, category in enumerate(models.IMAGENETTE + models.TABLETOP):
        assert models.category_index(bundled, category) == i
        assert models.category_index(imagenet, category) >= 0
    assert imagenet.categories[models.category_index(imagenet, "mug")] == "coffee mug"
    with pytest.raises(ValueError, match="category: got 'mugs'. Did you mean 'mug'"):
        models.category_index(bundled, "mugs")


def test_predict_takes_no_image_and_one():
    model = models.load("resnet_s", weights="random")
    assert models.predict(model, torch.zeros(0, 3, 64, 64)).shape == (0, 20)
    images = torch.rand(5, 3, 64, 64)
    assert torch.allclose(models.predict(model, images, batch=2), models.predict(model, images), atol=1e-5)
    with pytest.raises(ValueError, match="values from"):
        models.predict(model, images * 255)


def test_unknown_names():
    with pytest.raises(ValueError, match="name: got 'resnet_z'. Did you mean 'resnet_s'"):
        models.load("resnet_z")
    with pytest.raises(ValueError, match="weights: got 'best'"):
        models.load("resnet_s", weights="best")


def test_default_follows_the_environment(monkeypatch):
    monkeypatch.delenv("LECTUREKIT_MODEL", raising=False)
    assert models.default().name == "resnet_s"
    monkeypatch.setenv("LECTUREKIT_MODEL", "alexnet_s")
    assert models.default().name == "alexnet_s"


def test_missing_weights(copy_of_data):
    copy_of_data.unlink()
    with pytest.raises(FileNotFoundError, match="resnet_s.safetensors is missing.*git checkout"):
        models.load("resnet_s")


@pytest.mark.parametrize("damage", [lambda data: data[:5000], lambda data: b"", lambda data: data[:-1] + b"\0\1"])
def test_truncated_or_altered_weights(copy_of_data, damage):
    copy_of_data.write_bytes(damage(copy_of_data.read_bytes()))
    with pytest.raises(ValueError, match="resnet_s.safetensors.*is not the published file.*git checkout"):
        models.load("resnet_s")


def test_no_data_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("LECTUREKIT_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="data folder is missing.*LECTUREKIT_DATA"):
        models.load("resnet_s")


@pytest.fixture
def torch_home(tmp_path, monkeypatch):
    """An empty download cache, and a network that does not answer."""
    def refuse(*arguments, **options):
        raise OSError("no network")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    return tmp_path / "hub/checkpoints/resnet18-f37072fd.pth"


def test_no_network_says_which_file_goes_where(torch_home):
    with pytest.raises(FileNotFoundError, match=r"resnet18-f37072fd.pth elsewhere.*checkpoints.*bundled network: resnet_s"):
        models.load("resnet18")
    assert not torch_home.exists()


def test_local_says_what_needs_no_network(torch_home):
    assert models.local("resnet_s") and not models.local("resnet18")
    torch_home.write_bytes(b"")
    assert models.local("resnet18")


def test_cached_weights_are_used(torch_home, monkeypatch):
    monkeypatch.setattr(files, "sha256", lambda path: "f37072fd" + 56 * "0")
    network = models.load("resnet18", weights="random", seed=4).network
    torch.save(network.state_dict(), torch_home)
    assert torch.equal(models.load("resnet18").network.conv1.weight, network.conv1.weight)


def test_a_damaged_download_says_so(torch_home):
    torch_home.write_bytes(b"half a file")
    with pytest.raises(ValueError, match="resnet18 at .* are not the published ones.*f37072fd.*Delete the file"):
        models.load("resnet18")


def test_other_weights_in_the_cache_are_refused(torch_home):
    torch.save(models.load("resnet18", weights="random", seed=4).network.state_dict(), torch_home)
    with pytest.raises(ValueError, match="resnet18 at .* are not the published ones.*f37072fd.*Delete the file"):
        models.load("resnet18")
    assert torch_home.exists()


def test_modules_of_every_bundled_network_are_called_once():
    for name in BUNDLED:
        model, calls = models.load(name, weights="random"), []
        for module in model.modules():
            if isinstance(module, nn.ReLU):
                module.register_forward_hook(lambda module, *_: calls.append(module))
        model(torch.rand(1, 3, 64, 64))
        assert len(calls) == len(set(calls)) == sum(isinstance(m, nn.ReLU) for m in model.modules())


@pytest.mark.parametrize("side", (37, 40, 112))
def test_bundled_networks_take_other_sizes(side):
    for name, classes in (("resnet_s", 20), ("alexnet_s", 20), ("vgg_s", 20), ("squeezenet1_1", 1000)):
        assert models.load(name)(torch.rand(1, 3, side, side)).shape == (1, classes)
