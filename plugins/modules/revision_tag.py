#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Point a revision tag to a revision."""

from __future__ import annotations

DOCUMENTATION = r"""
module: revision_tag
short_description: Point a revision tag to a revision
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - >-
    A tag is a stable name for a revision. Namespaces bear the tag (C(istio.io/rev=prod)), and an upgrade moves it;
    Pods follow when they are restarted.
  - >-
    Makes the C(MutatingWebhookConfiguration) and the C(Service) of the tag as Istio's own chart and C(istioctl) make
    them, as objects of their own that belong to no Helm release. Moving a tag is one plan, in which no webhook ever
    points to a Service that does not exist.
  - >-
    The tag V(default) is the one by which C(istio-injection=enabled) injects. While it exists, the webhooks of a
    control plane without a revision match nothing, so that no Pod is ever injected twice, and the default validator
    asks the revision of the tag. Both are put back exactly when the tag is removed.
  - Refuses a revision that does not exist or is not ready, and a tag that somebody else owns.
options:
  state:
    description:
      - Whether the tag shall be there, or not.
    type: str
    choices: [present, absent]
    default: present
  tag:
    description:
      - Name of the tag. It must not be the name of a revision.
    type: str
    required: true
  revision:
    description:
      - >-
        The revision that the tag points to; V(default) is the control plane without a revision. Needed for
        O(state=present).
    type: str
  namespace:
    description:
      - Root namespace of the mesh, in which istiod runs.
    type: str
    default: istio-system
  force:
    description:
      - >-
        Remove the tag although namespaces or Pods use it. New Pods of theirs then get no sidecar. Without it the task
        fails and names them.
    type: bool
    default: false
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
  - service_mesh.istio.ownership
"""

EXAMPLES = r"""
- name: Namespaces of the tag prod are injected by revision 1-29-1 from their next restart on
  service_mesh.istio.revision_tag:
    context: east
    tag: prod
    revision: 1-29-1

- name: The revision is the default one, also for configuration
  service_mesh.istio.revision_tag:
    context: east
    tag: default
    revision: 1-29-1

- name: The tag canary is not needed any more
  service_mesh.istio.revision_tag:
    context: east
    tag: canary
    state: absent
"""

RETURN = r"""
plan:
  description: What was done, or in check mode would be done, in order. Objects that need no change are not in it.
  returned: success
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(update) or V(delete).
      type: str
    kind:
      description: Kind of the object.
      type: str
    namespace:
      description: Its namespace; empty for objects of the cluster.
      type: str
    name:
      description: Its name.
      type: str
    fields:
      description: Paths of the fields that change.
      type: list
      elements: str
    reason:
      description: Why, where that is not plain; for example that the server could not be asked yet.
      type: str
summary:
  description: Number of objects by action.
  returned: success
  type: dict
  sample: {create: 1, update: 0, delete: 0, unchanged: 3}
requests:
  description: Number of requests by verb. Dry runs are counted apart; they persist nothing.
  returned: success
  type: dict
  sample: {get: 1, "apply (dry run)": 1, apply: 1}
failure:
  description: What went wrong, for playbooks.
  returned: failure
  type: dict
  contains:
    code:
      description: A word for the kind of failure.
      type: str
    object:
      description: The object concerned.
      type: str
    reason:
      description: Why, often in the words of the API server.
      type: str
    hint:
      description: What to do next.
      type: str
tag:
  description: The tag.
  returned: success
  type: str
revision:
  description: The revision that it points to; empty when there is no tag any more.
  returned: success
  type: str
namespace:
  description: The namespace of the control plane.
  returned: success
  type: str
"""

from ..module_utils.task.module import run_module
from ..module_utils.task.operations.revision_tag import REVISION_TAG

OPERATION = REVISION_TAG


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
