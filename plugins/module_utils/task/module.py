# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running an OPERATION as an ordinary module."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..kube.errors import SHORTEST_SECRET, Failure
from ..reconcile.objects import secrets_of
from ..reconcile.planned import PlannedWorlds
from .environment import connection_secrets
from .operation import PLANNED_VARIABLE, Operation, Surroundings, perform


def run_module(operation: Operation[Any]) -> None:
    """The main() of every module."""
    module = AnsibleModule(argument_spec=dict(operation.spec.options), supports_check_mode=True, **operation.spec.rules)
    surroundings = Surroundings(module.check_mode, bool(module._diff), _silent, _planned())
    try:
        module.no_log_values.update(_secrets(module.params))
        result = perform(operation, module.params, surroundings)
    except Failure as error:
        module.fail_json(msg=str(error), changed=error.changed, failure=error.as_dict(), **error.extra)
    for warning in result.pop("warnings"):
        module.warn(warning)
    module.exit_json(**result)


def _secrets(params: Mapping[str, Any]) -> set[str]:
    """What Ansible shall mask in the result, which repeats the parameters."""
    given = connection_secrets(params) | secrets_of(params.get("objects") or [])
    return {text for text in given if len(text) >= SHORTEST_SECRET}


def _planned() -> PlannedWorlds:
    text = os.environ.get(PLANNED_VARIABLE)
    return PlannedWorlds.from_fact(json.loads(text)) if text else PlannedWorlds()


def _silent(line: str) -> None:
    """A module cannot show anything before it ends."""
