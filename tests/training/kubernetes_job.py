"""The Job of infra/kubernetes as a cluster sees it, and its pods as processes on this machine."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import yaml

ROOT = Path("infra/kubernetes")
BASE, GPU = ROOT / "training", ROOT / "training-gpu"
Manifest = dict[str, Any]


def _read(path: Path) -> Manifest:
    manifest: Manifest = yaml.safe_load(path.read_text(encoding="utf-8"))
    return manifest


def manifests(variant: Path) -> dict[str, Manifest]:
    """By their kind, with the patches of a variant."""
    kustomization = _read(variant / "kustomization.yaml")
    by_kind = {}
    for name in _read(BASE / "kustomization.yaml")["resources"]:
        manifest = _read(BASE / name)
        by_kind[manifest["kind"]] = manifest
    for patch in kustomization.get("patches", []):
        for change in yaml.safe_load(patch["patch"]):
            assert change["op"] == "replace"
            *way, last = change["path"].strip("/").split("/")
            holder = reduce(
                lambda at, key: at[int(key) if isinstance(at, list) else key],
                way,
                by_kind[patch["target"]["kind"]],
            )
            assert last in holder
            holder[last] = change["value"]
    generated = [*kustomization["configMapGenerator"]]
    by_kind["ConfigMap"] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": generated[0]["name"]},
        "data": {
            name: (variant / name).read_text(encoding="utf-8") for name in generated[0]["files"]
        },
    }
    return by_kind


@dataclass(frozen=True)
class Pod:
    """What one pod of the Job runs, where its volumes are folders of this machine."""

    rank: int
    volumes: Mapping[str, Path]
    run: str

    @property
    def _container(self) -> Manifest:
        (container,) = manifests(BASE)["Job"]["spec"]["template"]["spec"]["containers"]
        return dict(container)

    @property
    def environment(self) -> dict[str, str]:
        """As the Job sets it."""
        values = {"JOB_COMPLETION_INDEX": str(self.rank)}
        for variable in self._container["env"]:
            value = variable.get("value")
            if value is None:
                assert variable["valueFrom"]["configMapKeyRef"]["key"] == "run"
                value = self.run
            values[variable["name"]] = self._here(value)
        return values

    @property
    def command(self) -> list[str]:
        """With variables in it replaced, as a cluster does."""
        python, *words = self._container["command"]
        assert python == "python"
        environment = self.environment
        expanded = [
            re.sub(r"\$\((\w+)\)", lambda match: environment[match[1]], each) for each in words
        ]
        return [sys.executable, *(self._here(each) for each in expanded)]

    def _here(self, text: str) -> str:
        for mount in self._container["volumeMounts"]:
            if folder := self.volumes.get(mount["name"]):
                text = text.replace(mount["mountPath"], str(folder))
        return text
