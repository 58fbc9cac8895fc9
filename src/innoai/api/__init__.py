"""The control plane: one file a resource. Every /v1 route is admitted by the same door as the data plane."""
