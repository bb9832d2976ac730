"""LECTUREKIT_DEVICE: networks and pictures come to lie on the device that it names. ("meta" stands for a card: it is the
one device beside the processor that every machine has; its tensors have shapes and no values.)"""

import pytest

from lecturekit import devices
from lecturekit.course import doctor
from lecturekit.moving import style_nets
from lecturekit.networks import captioner, decoders, joint, models
from lecturekit.pictures import datasets

NETWORKS = {"a bundled network": lambda: models.load("resnet_s"), "captioner": captioner.load, "joint": joint.load,
            "decoder": lambda: decoders.load("relu5"), "style network": style_nets.load}


def pictures():
    scene = datasets.tabletop("test")[:2]
    return {"tabletop": [scene.images], "digits": datasets.digits(), "photo": [datasets.photo("coffee", 32)],
            "stereo": datasets.stereo(), "for a model": datasets.for_model(scene, models.load("resnet_s", device="cpu"), 48)}


@pytest.mark.parametrize("setting, kind", [(None, "cpu"), ("meta", "meta")])
def test_networks_and_pictures_lie_where_the_variable_says(monkeypatch, setting, kind):
    monkeypatch.setenv(devices.VARIABLE, setting) if setting else monkeypatch.delenv(devices.VARIABLE, raising=False)
    assert {name for name, load in NETWORKS.items() if next(load().parameters()).device.type != kind} == set()
    assert {name for name, parts in pictures().items() if any(part.device.type != kind for part in parts)} == set()


def test_an_argument_goes_before_the_variable(monkeypatch):
    monkeypatch.setenv(devices.VARIABLE, "meta")
    assert next(models.load("resnet_s", device="cpu").parameters()).device.type == "cpu"


def test_an_unknown_device_is_named(monkeypatch):
    monkeypatch.setenv(devices.VARIABLE, "gpu")
    with pytest.raises(ValueError, match="LECTUREKIT_DEVICE: got 'gpu'. It takes"):
        devices.chosen()


def test_doctor_tells_the_device(monkeypatch):
    monkeypatch.setenv(devices.VARIABLE, "meta")
    assert doctor.device() == "meta, as LECTUREKIT_DEVICE says"
