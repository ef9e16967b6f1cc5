"""A user that is bound to ClusterRoles of examples/rbac, whole or with one verb less; and what it has asked for."""

from __future__ import annotations

import copy
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from integration.support.audit import Audit
from integration.support.bed import ROOT, Cluster
from integration.support.operations import Operations

EXAMPLES = ROOT / "examples" / "rbac"
RBAC = "rbac.authorization.k8s.io"
Verb = tuple[str, str]


def example(name: str) -> dict[str, Any]:
    role: dict[str, Any] = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8"))
    return role


@contextmanager
def bound(cluster: Cluster, name: str, *others: str) -> Iterator[Bound]:
    """A user with one of the example's roles, or several as one, which goes away with its role."""
    user = f"tests-{name}-{uuid.uuid4().hex[:8]}"
    rules = [rule for one in (name, *others) for rule in example(one)["rules"]]
    found = Bound(cluster, {**example(name), "rules": rules}, user)
    found.grant()
    yield found
    for kind in ("clusterroles", "clusterrolebindings"):
        cluster.rest.send("DELETE", cluster.rest.resource(kind).path(user), quietly=True)


@dataclass
class Bound:
    """A user that is bound to one role, which a test may narrow; and the operations as that user."""

    cluster: Cluster
    role: dict[str, Any]
    user: str

    @property
    def operations(self) -> Operations:
        return self.through(self.cluster.kubeconfig)

    def through(self, kubeconfig: str) -> Operations:
        return Operations({"kubeconfig": kubeconfig, "impersonate_user": self.user})

    @property
    def granted(self) -> set[Verb]:
        """Every verb on every resource of the role; all resources of a group of Istio are one."""
        return {
            (verb, _resource(group, resource))
            for rule in self.role["rules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }

    def used(self, since: int = 0) -> set[Verb]:
        """What the API server was asked for and has granted; an apply that creates needs both verbs.

        Everybody may ask what they are allowed to do.
        """
        found, granted = set(), self.granted
        wide = {group for rule in self.role["rules"] if rule["resources"] == ["*"] for group in rule["apiGroups"]}
        for event in Audit(Path(self.cluster.audit_log)).requests(since):
            if event.get("impersonatedUser", {}).get("username") != self.user or not event.get("objectRef"):
                continue
            group, resource = event["objectRef"].get("apiGroup", ""), event["objectRef"].get("resource", "")
            if event["responseStatus"]["code"] == 403 or not resource or group == "authorization.k8s.io":
                continue
            verbs = {event["verb"], "create" if event["responseStatus"]["code"] == 201 else event["verb"]}
            named, all_of = _resource(group, resource), _resource(group, "*")
            found |= {(verb, all_of if group in wide and (verb, named) not in granted else named) for verb in verbs}
        return found

    def grant(self, missing: Verb | None = None) -> None:
        """Give the user the role, but for one verb on one resource."""
        role = copy.deepcopy(self.role) | {"metadata": {"name": self.user}}
        if missing:
            role["rules"] = [part for rule in role["rules"] for part in _without(rule, *missing)]
        subject = {"kind": "User", "name": self.user, "apiGroup": RBAC}
        reference = {"kind": "ClusterRole", "name": self.user, "apiGroup": RBAC}
        head = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": self.user}}
        self.cluster.apply(role, {**head, "subjects": [subject], "roleRef": reference}, manager="tests")
        for verb, name in sorted(self.granted):
            if (verb, name) != missing and (missing is None or name.partition(".")[0] == missing[1].partition(".")[0]):
                self._await(verb, name, expected="yes")
                break
        if missing:
            self._await(*missing, expected="no")

    def _await(self, verb: str, name: str, expected: str) -> None:
        """The API server learns of a role a moment after it has taken it."""
        deadline = time.monotonic() + 10
        while self._may(verb, name) != expected:
            assert time.monotonic() < deadline, f"{self.user} should get '{expected}' for {verb} {name}"
            time.sleep(0.05)

    def _may(self, verb: str, name: str) -> str:
        resource, _dot, group = name.partition(".")
        asked = {"verb": verb, "resource": resource, "group": group}
        spec = {"user": self.user, "resourceAttributes": asked}
        question = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        review = self.cluster.rest.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", question)
        return "yes" if review["status"]["allowed"] else "no"


def _resource(group: str, resource: str) -> str:
    """As RBAC's own messages and kubectl name it: `deployments.apps`, `pods`."""
    return f"{resource}.{group}" if group else resource


def _without(rule: dict[str, Any], verb: str, name: str) -> Iterator[dict[str, Any]]:
    """A rule in at most three parts, of which the one for the resource lacks the verb."""
    resource, _dot, group = name.partition(".")
    if group not in rule["apiGroups"] or (rule["resources"] != ["*"] and resource not in rule["resources"]):
        yield rule
        return
    if others := [other for other in rule["apiGroups"] if other != group]:
        yield {**rule, "apiGroups": others}
    if others := [other for other in rule["resources"] if other not in ("*", resource)]:
        yield {**rule, "apiGroups": [group], "resources": others}
    resources = rule["resources"] if rule["resources"] == ["*"] else [resource]
    if verbs := [one for one in rule["verbs"] if one != verb]:
        yield {**rule, "apiGroups": [group], "resources": resources, "verbs": verbs}
