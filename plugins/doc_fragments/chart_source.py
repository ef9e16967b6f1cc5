# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where Istio's charts come from; twin of CHART_SOURCE."""

from __future__ import annotations


class ModuleDocFragment:
    """Options version, charts and helm_binary."""

    DOCUMENTATION = r"""
options:
  version:
    description:
      - Version of Istio, for example V(1.29.1). It decides the charts that are pulled and the tag of the images.
    type: str
    required: true
  charts:
    description:
      - Where the Helm charts come from. By default from the repository in which Istio publishes this version.
    type: dict
    suboptions:
      repository:
        description:
          - >-
            URL of a Helm repository, or of the folder of an OCI registry that holds the charts
            (C(oci://ghcr.io/istio/release/charts)). C(helm registry login) leaves the credentials.
        type: str
      directory:
        description:
          - >-
            Directory on the controller that holds the unpacked charts in folders of their names (C(base),
            C(istiod), C(gateway)),
            or C(manifests/charts) of Istio's source.
        type: path
      archives:
        description: Packed charts on the controller, each with its checksum.
        type: list
        elements: dict
        suboptions:
          chart:
            description: Which chart it is.
            type: str
            required: true
            choices: [base, istiod, cni, ztunnel, gateway]
          path:
            description: Path of the archive on the controller.
            type: path
            required: true
          sha256:
            description: SHA-256 checksum that the archive must have.
            type: str
            required: true
      cache:
        description:
          - >-
            Folder on the controller in which pulled charts and what they render to are kept, so that the next run need
            not do it again. It may take 64 MB, and is closed to other users, because values may hold secrets.
          - By default C(service_mesh.istio/charts) in the user's cache (C($XDG_CACHE_HOME), C(~/.cache)).
        type: path
      use_cache:
        description: Whether that folder is used.
        type: bool
        default: true
  helm_binary:
    description:
      - Name or path of the C(helm) program (3.8 or newer) that renders the charts.
    type: str
    default: helm
requirements:
  - helm >= 3.8
"""
