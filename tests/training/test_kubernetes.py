"""The manifests of infra/kubernetes: right for a cluster, and at one with what they start."""

from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from gyre_trainer.training.launching import MASTER_PORT, hosts_of

from tests.training.kubernetes_job import BASE, GPU, manifests

VERSIONS = ("1.30", "1.37")
"""The oldest and the newest that the manifests are held against."""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("variant", [BASE, GPU], ids=lambda each: each.name)
def test_a_cluster_takes_the_manifests(variant: Path, version: str) -> None:
    for manifest in manifests(variant).values():
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_field_that_no_cluster_knows_is_found() -> None:
    job = manifests(BASE)["Job"]
    job["spec"]["completionsMode"] = "Indexed"
    with pytest.raises(kubernetes_validate.ValidationError, match="completionsMode"):
        kubernetes_validate.validate(job, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("variant", [BASE, GPU], ids=lambda each: each.name)
def test_the_hostfile_names_the_pods_as_the_service_does(variant: Path) -> None:
    by_kind = manifests(variant)
    job, service = by_kind["Job"], by_kind["Service"]
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] == spec["parallelism"]
    assert pod["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["selector"] == spec["template"]["metadata"]["labels"]
    assert [each["port"] for each in service["spec"]["ports"]] == [MASTER_PORT]
    name, domain = job["metadata"]["name"], pod["subdomain"]
    pods = [f"{name}-{index}.{domain}" for index in range(spec["completions"])]
    assert list(hosts_of(variant / "hostfile")) == pods


def test_a_pod_has_as_many_gpus_as_workers() -> None:
    (container,) = manifests(GPU)["Job"]["spec"]["template"]["spec"]["containers"]
    gpus = container["resources"]["limits"]["nvidia.com/gpu"]
    assert set(hosts_of(GPU / "hostfile").values()) == {gpus}


def test_the_image_is_the_one_that_containers_have() -> None:
    pod = manifests(BASE)["Job"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    compose = yaml.safe_load(Path("docker-compose.yml").read_text(encoding="utf-8"))
    assert container["image"] == f"{compose['name']}-trainer"
    assert "trainer" in compose["services"]
    dockerfile = Path("infra/docker/Dockerfile").read_text(encoding="utf-8")
    assert f"--uid {pod['securityContext']['runAsUser']} " in dockerfile
    environment = {each["name"]: each.get("value") for each in container["env"]}
    assert f"GYRE_HOME={environment['GYRE_HOME']}\n" in dockerfile
