"""The nouns of OCI: references, descriptors, manifests; bytes in, values out."""
