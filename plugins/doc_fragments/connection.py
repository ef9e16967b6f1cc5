# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection to one API server; twin of CONNECTION in task/arguments.py."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the connection."""

    DOCUMENTATION = r"""
options:
  host:
    description:
      - URL of the API server, for example V(https://203.0.113.7:6443).
      - Can also be given by the environment variable E(K8S_AUTH_HOST).
      - >-
        The environment speaks only where the task names no cluster of its own. With O(host) or O(kubeconfig) as an
        option, variables that name a cluster or hold credentials are ignored; with O(context), all of them but the
        kubeconfig's.
    type: str
  api_key:
    description:
      - Bearer token. Can also be given by E(K8S_AUTH_API_KEY).
    type: str
  kubeconfig:
    description:
      - Path of a kubeconfig file (several are separated by a colon), or its content as a dictionary.
      - >-
        A kubeconfig with one context names a cluster; of several, O(context) has to name one, or
        O(use_current_context) has to be set.
      - Can also be given by E(K8S_AUTH_KUBECONFIG) or E(KUBECONFIG).
    type: raw
  context:
    description:
      - Name of a context of the kubeconfig. Without O(kubeconfig) the file C(~/.kube/config) is read.
      - Can also be given by E(K8S_AUTH_CONTEXT).
    type: str
  username:
    description:
      - User name of HTTP basic authentication. Can also be given by E(K8S_AUTH_USERNAME).
    type: str
  password:
    description:
      - Password of HTTP basic authentication. Can also be given by E(K8S_AUTH_PASSWORD).
    type: str
  client_cert:
    description:
      - Path of a client certificate (PEM). Can also be given by E(K8S_AUTH_CERT_FILE).
    type: path
    aliases: [cert_file]
  client_key:
    description:
      - Path of the key of O(client_cert) (PEM). Can also be given by E(K8S_AUTH_KEY_FILE).
    type: path
    aliases: [key_file]
  ca_cert:
    description:
      - >-
        Path of the CA certificate that has signed the API server's (PEM). Can also be given by
        E(K8S_AUTH_SSL_CA_CERT).
    type: path
    aliases: [ssl_ca_cert]
  validate_certs:
    description:
      - >-
        Whether the API server's certificate is verified. It is, unless this or the kubeconfig says otherwise;
        then the task warns.
      - Can also be given by E(K8S_AUTH_VERIFY_SSL); a text that is not clearly true or false is refused.
    type: bool
    aliases: [verify_ssl]
  proxy:
    description:
      - >-
        URL of an HTTP proxy. Can also be given by E(K8S_AUTH_PROXY). Without it the C(proxy-url) of the kubeconfig
        counts, then E(HTTPS_PROXY), or E(HTTP_PROXY) for an address without TLS.
      - An empty text means that there is none.
    type: str
  no_proxy:
    description:
      - >-
        Hosts, separated by commas, that are reached without the proxy. Can also be given by E(K8S_AUTH_NO_PROXY), else
        by E(NO_PROXY).
    type: str
  proxy_headers:
    description:
      - Headers for the proxy, for example C(proxy-authorization).
    type: dict
  persist_config:
    description:
      - Whether refreshed tokens of an OIDC provider are written back to the kubeconfig.
      - Can also be given by E(K8S_AUTH_PERSIST_CONFIG).
    type: bool
  impersonate_user:
    description:
      - User to impersonate. Can also be given by E(K8S_AUTH_IMPERSONATE_USER), else by C(as) of a kubeconfig's user.
    type: str
  impersonate_groups:
    description:
      - >-
        Groups to impersonate. Can also be given by E(K8S_AUTH_IMPERSONATE_GROUPS), separated by commas. Without them
        and O(impersonate_user), those of C(as-groups) of a kubeconfig's user count.
    type: list
    elements: str
  use_current_context:
    description:
      - A task refuses to run when none of O(host), O(kubeconfig) and O(context) names a cluster.
      - With V(true) it takes the current context of the kubeconfig, or the cluster that it runs in.
    type: bool
    default: false
  require_tls_verify:
    description:
      - Refuse to run over a connection that is not verified.
    type: bool
    default: false
  request_timeout:
    description:
      - Seconds that a single request may take, more than 0.
    type: float
    default: 30.0
requirements:
  - python >= 3.10 on the host that runs the module (with a local connection, the controller)
  - urllib3 >= 2.0
  - PyYAML >= 6.0
  - jsonschema >= 4.0 (to plan objects whose CRD is not installed yet)
  - cryptography >= 42.0 (to read and make certificates)
  - kubernetes >= 29.0.0 (for an C(auth-provider) of a kubeconfig)
  - requests (for proxies) and websocket-client (for commands in containers), which come with kubernetes
notes:
  - >-
    With a local connection, tasks run inside the controller's own process, with the controller's Python and its
    libraries.
"""
