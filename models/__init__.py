"""Bundle to arrays: manifests, verification, the encoder protocol and its runtimes."""
