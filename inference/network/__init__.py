"""The networks' own definitions, one architecture a file; torch is needed only here, in training and for CUDA."""
