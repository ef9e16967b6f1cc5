# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one action plugin: every module of the collection has a link to it beside this file.

A link, not a redirect in meta/runtime.yml: ansible-lint takes the name that a
redirect leads to for the module's own, and would rename users' tasks.

With a local connection the module's OPERATION runs here, inside the
controller's worker, which saves the start of a process for every task.
Otherwise, and for `become` and `async`, the module runs in the usual way. It is
the same OPERATION, so the result is the same.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from itertools import chain
from typing import Any

from ansible import errors, template
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.istio.sources import not_found, not_opened, packed_files

# Imported here on purpose: the controller loads this file before it forks, so
# every worker inherits the libraries instead of importing them again.
from ..module_utils.kube import connection as _connection  # noqa: F401
from ..module_utils.kube.errors import Failure
from ..module_utils.reconcile.planned import FACT, PlannedWorlds
from ..module_utils.task.operation import PLANNED_VARIABLE, Operation, Surroundings
from ..module_utils.task.untemplated import LeftOut, NeedsTemplating, untemplated
from ..module_utils.task.worker import Arguments, failed, plain, run_in_worker, validated

_MODULES = "ansible_collections.service_mesh.istio.plugins.modules"
_MODULE = importlib.import_module(f"{_MODULES}.{__name__.rpartition('.')[2]}")  # inherited by every worker as well
_LOCAL = ("local", "ansible.builtin.local")


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core ships no types
    """Runs any module of this collection."""

    _supports_check_mode = True
    _supports_async = True

    @classmethod
    def finalize_task_arg(cls, *arguments: Any, **more: Any) -> Any:
        """What an option comes to. ansible-core calls this from 2.19 on, and may change what it gives.

        Then the quick way is no longer taken, and nothing else is different.
        """
        try:
            return cls._of_one_variable(arguments[1], arguments[2].available_variables)
        except (NeedsTemplating, IndexError, AttributeError, TypeError):
            return super().finalize_task_arg(*arguments, **more)

    @staticmethod
    def _of_one_variable(option: object, variables: Mapping[str, Any]) -> Any:
        """What is not trusted as a template is none, whatever it looks like."""
        if not template.is_trusted_as_template(option):
            raise NeedsTemplating
        try:
            return untemplated(option, variables)
        except LeftOut:
            raise errors.AnsibleValueOmittedError from None

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Run the task's module and return its result."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            return {**result, **self._run(_MODULE.OPERATION, variables)}
        except Failure as error:
            return {**result, **failed(error)}

    def _run(self, operation: Operation[Any], variables: Mapping[str, Any]) -> dict[str, Any]:
        """Options are judged here in any case, so that both ways say the same."""
        self._task.args = Arguments(plain(self._task.args))
        params = validated(operation, dict(self._task.args))
        sources = {"src": self._files(params["src"], "role_path" in variables)} if params.get("src") else {}
        planned = PlannedWorlds.of_this_run(plain((variables.get("ansible_facts") or {}).get(FACT)))
        if not self._runs_here():
            return self._run_module({**self._task.args, **sources}, planned, variables)
        surroundings = Surroundings(bool(self._task.check_mode), bool(self._task.diff), Display().display, planned)
        return run_in_worker(operation, {**params, **sources}, surroundings, self._task_environment())

    def _runs_here(self) -> bool:
        local = self._connection.transport in _LOCAL
        return local and not self._connection.become and not self._task.async_val

    def _files(self, asked: list[str], in_role: bool) -> list[str]:
        """What `src` names is always the controller's: it is found and decrypted here, wherever the module runs."""

        def find(path: str) -> str:
            try:
                return str(self._find_needle("files", path))
            except AnsibleError as error:
                raise not_found(path) from error

        def decrypt(path: str) -> bytes:
            try:  # as include_vars does: there is no public way to the text
                return bytes(self._loader._get_file_contents(path)[0])
            except AnsibleError as error:
                raise not_opened(path) from error

        return packed_files(asked, find, decrypt, self._folders(in_role))

    def _folders(self, in_role: bool) -> list[str]:
        """The search path of Ansible but for what a role is made of: its tasks look like manifests to a pattern."""
        around = self._loader.get_basedir()
        places = [path or around for path in self._task.get_search_path()]  # of an ad-hoc task it is empty
        of_task = [[f"{path}/files"] if in_role else [f"{path}/files", path] for path in places]
        return [*chain(*of_task), f"{around}/files", around]

    def _task_environment(self) -> dict[str, str]:
        merged: dict[str, str] = {}
        for variables in self._task.environment or []:
            merged.update(self._templar.template(variables) or {})
        return merged

    def _run_module(
        self, arguments: dict[str, Any], planned: PlannedWorlds, variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        in_background = bool(self._task.async_val) and not self._connection.has_native_async
        environment = self._task.environment
        self._task.environment = [*(environment or []), {PLANNED_VARIABLE: json.dumps(planned.as_fact())}]
        try:
            result: dict[str, Any] = self._execute_module(
                module_args=arguments, task_vars=variables, wrap_async=in_background
            )
        finally:  # the task is the same object for every item of a loop
            self._task.environment = environment
        return result
