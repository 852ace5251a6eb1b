"""What computes a bundle's network: one file a runner, and the choice between them."""
