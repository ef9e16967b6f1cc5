"""A real Kubernetes cluster and the parts of Istio on one machine, for tests and the demo.

The layers, from the bottom: `errors`, `progress`, `layout` (where everything lies), `processes`; then what is built
(`parts`, `recipes`, `build`) and what runs (`pki`, `components`, `api_lane`, `cluster_lane`); `cli` is the only code
that knows the command line.
"""
