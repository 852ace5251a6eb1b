"""The networks' own definitions, one architecture a file; torch is imported only here, in training and in the CUDA runner."""
