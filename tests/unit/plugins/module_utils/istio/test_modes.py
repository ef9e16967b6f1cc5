"""The matrix of modes: every action in every mode, allowed or refused with a reason."""

from __future__ import annotations

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio import modes
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.modes import ForbiddenByMode, require_allowed

ACTIONS = [modes.INSTALL, modes.UNINSTALL, modes.DEPLOY_GATEWAY, modes.JOIN]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("mode", modes.MODES)
def test_the_matrix_of_actions_and_modes(action: str, mode: str) -> None:
    if mode != modes.EXTERNAL:
        require_allowed(action, mode)
        return
    with pytest.raises(ForbiddenByMode) as refusal:
        require_allowed(action, mode)
    assert f"A mesh in mode '{mode}' does not allow to {action}: " in str(refusal.value)
    assert "mesh_mode" in refusal.value.hint


def test_the_matrix_has_a_row_for_every_action_and_no_other() -> None:
    assert sorted(modes._FORBIDDEN) == sorted(ACTIONS)
    assert {mode for row in modes._FORBIDDEN.values() for mode in row} <= set(modes.MODES)
