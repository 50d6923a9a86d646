"""The API servers of clusters: real ones, each with etcd, controllers, a scheduler and nodes of its own."""
