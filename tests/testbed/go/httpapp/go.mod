module service-mesh-istio/testbed/httpapp

go 1.26
