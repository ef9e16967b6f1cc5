# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection to the second cluster of a task; twin of REMOTE in task/arguments.py."""

from __future__ import annotations


class ModuleDocFragment:
    """One option, which holds the options of a connection."""

    DOCUMENTATION = r"""
options:
  remote:
    description:
      - >-
        Connection to the remote cluster. Names and meaning are those of the task's own connection options; the
        environment is not asked.
    type: dict
    suboptions:
      host:
        description:
          - URL of the API server.
        type: str
      api_key:
        description:
          - Bearer token.
        type: str
      kubeconfig:
        description:
          - Path of a kubeconfig file, or its content as a dictionary.
        type: raw
      context:
        description:
          - Name of a context of the kubeconfig.
        type: str
      username:
        description:
          - User name of HTTP basic authentication.
        type: str
      password:
        description:
          - Password of HTTP basic authentication.
        type: str
      client_cert:
        description:
          - Path of a client certificate (PEM).
        type: path
        aliases: [cert_file]
      client_key:
        description:
          - Path of the client certificate's key (PEM).
        type: path
        aliases: [key_file]
      ca_cert:
        description:
          - Path of the CA certificate that has signed the API server's (PEM).
        type: path
        aliases: [ssl_ca_cert]
      validate_certs:
        description:
          - Whether the API server's certificate is verified.
        type: bool
        aliases: [verify_ssl]
      proxy:
        description:
          - URL of an HTTP proxy.
        type: str
      no_proxy:
        description:
          - Hosts, separated by commas, that are reached without the proxy.
        type: str
      proxy_headers:
        description:
          - Headers for the proxy.
        type: dict
      persist_config:
        description:
          - Whether refreshed tokens of an OIDC provider are written back to the kubeconfig.
        type: bool
      impersonate_user:
        description:
          - User to impersonate.
        type: str
      impersonate_groups:
        description:
          - Groups to impersonate.
        type: list
        elements: str
      use_current_context:
        description:
          - Take the current context of the kubeconfig where nothing else names the cluster.
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
"""
