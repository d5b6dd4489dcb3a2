"""The nouns of OCI: references, descriptors, manifests and indexes; bytes in, values out."""
