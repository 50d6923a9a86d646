"""EKS, as its documentation says it behaves."""
